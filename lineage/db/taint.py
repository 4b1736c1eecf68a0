"""What is tainted now, in rows: derived from the graph, written in parts, dropped and made anew with it."""

from __future__ import annotations

from django.db import models


class Taint(models.Model):
    """A tainted node with its nearest source. `node` and `source` are row ids of `graph_node`."""

    node_id = models.BigIntegerField(primary_key=True)
    source_id = models.BigIntegerField()
    why = models.CharField(max_length=15, help_text="bad-copy, designated or key-compromised")
    hops = models.IntegerField(help_text="edges away from the source; 0: it is one")

    class Meta:
        db_table = "graph_taint"
        indexes = (models.Index(fields=["source_id", "hops", "node_id"], name="taint_source"),)

    def __str__(self) -> str:
        return f"node {self.node_id} by {self.source_id}"


class TaintState(models.Model):
    """One row (id 1): what the rows of `Taint` are the answer to. Times are µs; 0: none."""

    id = models.PositiveSmallIntegerField(primary_key=True)
    generation = models.BigIntegerField(help_text="of the graph whose row ids these are")
    size = models.BigIntegerField(help_text="entries below this index were looked at")
    inputs = models.TextField(help_text="fingerprint of decisions, revocations and checks that taint")
    whole = models.BooleanField(help_text="false while a change is being written")
    writer = models.TextField(help_text="who writes or wrote last: nobody else may go on")
    until_us = models.BigIntegerField(default=0, help_text="when a decision ends by itself")
    done_us = models.BigIntegerField(default=0, help_text="when they were whole the last time")
    rows = models.BigIntegerField(default=0)

    class Meta:
        db_table = "graph_taint_state"

    def __str__(self) -> str:
        return f"taint at {self.size}"
