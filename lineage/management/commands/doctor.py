"""`manage.py doctor`: the same as `lineage doctor`."""

from lineage.management.bridge import Bridge


class Command(Bridge):
    help = "The same as `lineage doctor`."
    name = "doctor"
