"""`manage.py restore`: the same as `lineage restore`."""

from lineage.management.bridge import Bridge


class Command(Bridge):
    help = "The same as `lineage restore`."
    name = "restore"
