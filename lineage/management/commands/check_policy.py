"""`manage.py check_policy`: the same as `lineage check-policy`."""

from lineage.management.bridge import Bridge


class Command(Bridge):
    help = "The same as `lineage check-policy`."
    name = "check-policy"
