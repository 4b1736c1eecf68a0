"""`manage.py designate`: the same as `lineage designate`."""

from lineage.management.bridge import Bridge


class Command(Bridge):
    help = "The same as `lineage designate`."
    name = "designate"
