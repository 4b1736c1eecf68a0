"""`manage.py criticality`: the same as `lineage criticality`."""

from lineage.management.bridge import Bridge


class Command(Bridge):
    help = "The same as `lineage criticality`."
    name = "criticality"
