"""`manage.py locations`: the same as `lineage locations`."""

from lineage.management.bridge import Bridge


class Command(Bridge):
    help = "The same as `lineage locations`."
    name = "locations"
