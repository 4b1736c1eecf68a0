"""`manage.py tokens`: the same as `lineage tokens`."""

from lineage.management.bridge import Bridge


class Command(Bridge):
    help = "The same as `lineage tokens`."
    name = "tokens"
