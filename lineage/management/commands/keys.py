"""`manage.py keys`: the same as `lineage keys`."""

from lineage.management.bridge import Bridge


class Command(Bridge):
    help = "The same as `lineage keys`."
    name = "keys"
