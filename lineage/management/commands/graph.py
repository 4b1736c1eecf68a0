"""`manage.py graph`: the same as `lineage graph`."""

from lineage.management.bridge import Bridge


class Command(Bridge):
    help = "The same as `lineage graph`."
    name = "graph"
