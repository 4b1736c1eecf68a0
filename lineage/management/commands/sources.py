"""`manage.py sources`: the same as `lineage sources`."""

from lineage.management.bridge import Bridge


class Command(Bridge):
    help = "The same as `lineage sources`."
    name = "sources"
