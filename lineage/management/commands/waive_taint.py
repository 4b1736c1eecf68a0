"""`manage.py waive_taint`: the same as `lineage waive-taint`."""

from lineage.management.bridge import Bridge


class Command(Bridge):
    help = "The same as `lineage waive-taint`."
    name = "waive-taint"
