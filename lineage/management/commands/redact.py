"""`manage.py redact`: the same as `lineage redact`."""

from lineage.management.bridge import Bridge


class Command(Bridge):
    help = "The same as `lineage redact`."
    name = "redact"
