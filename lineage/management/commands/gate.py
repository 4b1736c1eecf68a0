"""`manage.py gate`: the same as `lineage gate`."""

from lineage.management.bridge import Bridge


class Command(Bridge):
    help = "The same as `lineage gate`."
    name = "gate"
