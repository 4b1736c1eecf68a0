"""`manage.py backup`: the same as `lineage backup`."""

from lineage.management.bridge import Bridge


class Command(Bridge):
    help = "The same as `lineage backup`."
    name = "backup"
