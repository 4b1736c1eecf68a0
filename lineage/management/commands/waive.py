"""`manage.py waive`: the same as `lineage waive`."""

from lineage.management.bridge import Bridge


class Command(Bridge):
    help = "The same as `lineage waive`."
    name = "waive"
