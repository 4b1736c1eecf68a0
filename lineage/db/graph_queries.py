"""Access records: who asked the graph what in Cypher. Backed up, not rebuilt from the log."""

from __future__ import annotations

from django.db import models


class GraphQuery(models.Model):
    """One question, written down before anything is sent to Neo4j and completed afterwards.

    A row that stays `running` is of a process that ended in the middle.
    """

    class Outcome(models.TextChoices):
        RUNNING = "running"
        ANSWERED = "answered"
        REFUSED = "refused"  # by our rules or limits, or by Neo4j as a write
        FAILED = "failed"  # a mistake in the text, a limit reached on the way, Neo4j away

    id = models.BigAutoField(primary_key=True)
    at_us = models.BigIntegerField(db_index=True)
    person = models.TextField(help_text="an e-mail address, or token:<name> (lin_<prefix>)")
    query = models.TextField(help_text="as sent, cut at its limit")
    parameters = models.TextField(help_text="JSON, cut at its limit")
    outcome = models.CharField(max_length=8, choices=Outcome.choices, default=Outcome.RUNNING)
    until_us = models.BigIntegerField(help_text="when a running one has surely ended or been cut off")
    reason = models.TextField(blank=True, help_text="why it was refused or failed")
    rows = models.IntegerField(null=True, help_text="rows of the answer")
    truncated = models.BooleanField(default=False)
    ms = models.IntegerField(null=True, help_text="from the record to the answer, milliseconds")

    class Meta:
        db_table = "access_graph_query"
        indexes = (
            models.Index(
                fields=["until_us"], condition=models.Q(outcome="running"), name="graph_query_running"
            ),
        )

    def __str__(self) -> str:
        return f"{self.person}: {self.outcome}"
