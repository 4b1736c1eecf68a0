"""`manage.py sync`: the same as `lineage sync`."""

from lineage.management.bridge import Bridge


class Command(Bridge):
    help = "The same as `lineage sync`."
    name = "sync"
