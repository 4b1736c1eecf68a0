"""`manage.py attestations`: the same as `lineage attestations`."""

from lineage.management.bridge import Bridge


class Command(Bridge):
    help = "The same as `lineage attestations`."
    name = "attestations"
