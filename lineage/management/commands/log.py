"""`manage.py log`: the same as `lineage log`."""

from lineage.management.bridge import Bridge


class Command(Bridge):
    help = "The same as `lineage log`."
    name = "log"
