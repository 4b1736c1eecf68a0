"""`manage.py export`: the same as `lineage export`."""

from lineage.management.bridge import Bridge


class Command(Bridge):
    help = "The same as `lineage export`."
    name = "export"
