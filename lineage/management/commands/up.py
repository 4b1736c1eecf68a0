"""`manage.py up`: the same as `lineage up`."""

from lineage.management.bridge import Bridge


class Command(Bridge):
    help = "The same as `lineage up`."
    name = "up"
