"""`manage.py retention`: the same as `lineage retention`."""

from lineage.management.bridge import Bridge


class Command(Bridge):
    help = "The same as `lineage retention`."
    name = "retention"
