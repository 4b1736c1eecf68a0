"""`manage.py reverify`: the same as `lineage reverify`."""

from lineage.management.bridge import Bridge


class Command(Bridge):
    help = "The same as `lineage reverify`."
    name = "reverify"
