"""`manage.py users`: the same as `lineage users`."""

from lineage.management.bridge import Bridge


class Command(Bridge):
    help = "The same as `lineage users`."
    name = "users"
