"""`manage.py incident`: the same as `lineage incident`."""

from lineage.management.bridge import Bridge


class Command(Bridge):
    help = "The same as `lineage incident`."
    name = "incident"
