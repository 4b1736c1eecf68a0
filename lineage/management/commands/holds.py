"""`manage.py holds`: the same as `lineage holds`."""

from lineage.management.bridge import Bridge


class Command(Bridge):
    help = "The same as `lineage holds`."
    name = "holds"
