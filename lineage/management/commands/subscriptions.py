"""`manage.py subscriptions`: the same as `lineage subscriptions`."""

from lineage.management.bridge import Bridge


class Command(Bridge):
    help = "The same as `lineage subscriptions`."
    name = "subscriptions"
