"""`manage.py clear_taint`: the same as `lineage clear-taint`."""

from lineage.management.bridge import Bridge


class Command(Bridge):
    help = "The same as `lineage clear-taint`."
    name = "clear-taint"
