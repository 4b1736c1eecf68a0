"""`manage.py worker`: the same as `lineage worker`."""

from lineage.management.bridge import Bridge


class Command(Bridge):
    help = "The same as `lineage worker`."
    name = "worker"
