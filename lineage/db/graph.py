"""The graph in SQL: written by the projector alone, dropped and rebuilt by `lineage graph rebuild`.

On SQLite these tables, and those of `db.taint`, are in a file of their own, which is made by these models and
not by migrations: raise `sqlite.graph_file.FORM` with each change.

`index` columns are log indexes: a row counts as of tree size N when its index is below N.
"""

from __future__ import annotations

from django.db import models


class ProjectionState(models.Model):
    """One row (id 1): how far the graph tables have followed the log, written with their rows."""

    id = models.PositiveSmallIntegerField(primary_key=True)
    projected = models.BigIntegerField(help_text="entries below this index are in the graph")
    leaf = models.BinaryField(
        max_length=32,
        db_default=b"",
        help_text="leaf hash of the last of them: by it the tables know their log",
    )
    generation = models.BigIntegerField(
        default=0, help_text="drawn anew at each rebuild: row ids change with it"
    )
    rules = models.TextField(help_text="fingerprint of the rules that made the rows; another one: rebuild")

    class Meta:
        db_table = "graph_state"

    def __str__(self) -> str:
        return f"graph at {self.projected}"


class SkippedEntry(models.Model):
    """A statement that the projection could not digest: logged, listed, without effect on the graph."""

    index = models.BigIntegerField(primary_key=True)
    reason = models.TextField()

    class Meta:
        db_table = "graph_skipped_entry"

    def __str__(self) -> str:
        return f"entry {self.index}: {self.reason}"


class Node(models.Model):
    id = models.BigAutoField(primary_key=True)
    key = models.TextField(help_text="`<scheme>:<hex>`")
    kind = models.CharField(max_length=10)
    first_index = models.BigIntegerField(db_index=True)

    class Meta:
        db_table = "graph_node"
        # By an expression it is an index of its own, and none that SQLite can't do without for a time.
        constraints = (models.UniqueConstraint(models.F("key"), name="node_key"),)
        indexes = (models.Index(fields=["kind", "id"], name="node_kind"),)

    def __str__(self) -> str:
        return self.key


class Edge(models.Model):
    """From effect to cause."""

    id = models.BigAutoField(primary_key=True)
    source = models.ForeignKey(Node, models.CASCADE, related_name="+", db_index=False, db_constraint=False)
    target = models.ForeignKey(Node, models.CASCADE, related_name="+", db_index=False, db_constraint=False)
    type = models.CharField(max_length=20)
    first_index = models.BigIntegerField()

    class Meta:
        db_table = "graph_edge"
        constraints = (models.UniqueConstraint(fields=["source", "type", "target"], name="edge_identity"),)
        indexes = (models.Index(fields=["target", "type", "source"], name="edge_backwards"),)

    def __str__(self) -> str:
        return f"{self.source_id} {self.type} {self.target_id}"


class Support(models.Model):
    """Who asserts an edge, in which entry."""

    id = models.BigAutoField(primary_key=True)
    edge = models.ForeignKey(Edge, models.CASCADE, related_name="support", db_constraint=False)
    index = models.BigIntegerField()
    signer = models.ForeignKey(Node, models.CASCADE, related_name="+", db_index=False, db_constraint=False)
    trust = models.CharField(max_length=8, help_text="signed, observed or asserted")

    class Meta:
        db_table = "graph_support"
        indexes = (models.Index(fields=["signer", "index"], name="support_signer"),)

    def __str__(self) -> str:
        return f"edge {self.edge_id} by entry {self.index}"


class Claim(models.Model):
    """What a signer says of a node in one entry: name, role, location …; `attested` where it is a subject."""

    id = models.BigAutoField(primary_key=True)
    node = models.ForeignKey(Node, models.CASCADE, related_name="claims", db_index=False, db_constraint=False)
    kind = models.CharField(max_length=12)
    value = models.TextField()
    index = models.BigIntegerField()
    signer = models.ForeignKey(Node, models.CASCADE, related_name="+", db_index=False, db_constraint=False)
    trust = models.CharField(max_length=8)

    class Meta:
        db_table = "graph_claim"
        indexes = (
            models.Index(fields=["node", "kind", "index"], name="claim_node"),
            models.Index(fields=["kind", "value", "node"], name="claim_value"),
            models.Index(fields=["signer", "index"], name="claim_signer"),
            # For statuses: the first of each signer's attestations of a node, and of each other thing that a
            # rule reads, by a seek.
            models.Index(
                fields=["node", "signer", "trust", "index"],
                name="claim_attested",
                condition=models.Q(kind="attested"),
            ),
            models.Index(
                fields=["node", "kind", "value", "signer", "trust", "index"],
                name="claim_read",
                condition=models.Q(kind__in=("location", "role", "unsafe")),
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind}={self.value}"


class Check(models.Model):
    """One row of a check statement: what was found when the bytes at a location were hashed again."""

    id = models.BigAutoField(primary_key=True)
    node = models.ForeignKey(Node, models.CASCADE, related_name="checks", db_index=False, db_constraint=False)
    location = models.TextField()
    method = models.TextField()
    expected = models.TextField()
    observed = models.TextField(blank=True)
    outcome = models.CharField(max_length=12)
    strength = models.SmallIntegerField(
        default=3, help_text="how much was looked at: 1 parts, 2 all, 3 the digest itself"
    )
    reason = models.TextField(blank=True)
    bytes = models.BigIntegerField(default=0, help_text="that were read; 0: not told")
    at_us = models.BigIntegerField()
    index = models.BigIntegerField()
    signer = models.ForeignKey(Node, models.CASCADE, related_name="+", db_index=False, db_constraint=False)
    trust = models.CharField(max_length=8, default="observed")

    class Meta:
        db_table = "graph_check"
        indexes = (
            # For statuses: a signer's newest check of each outcome and strength is the first of its group.
            models.Index(
                fields=["node", "location", "outcome", "strength", "signer", "-at_us", "-index"],
                name="check_copy",
            ),
            models.Index(fields=["at_us"], name="check_at"),
            models.Index(fields=["signer", "index"], name="check_signer"),
            # For taint: there are few of these.
            models.Index(
                fields=["index", "node", "location"],
                name="check_mismatch",
                condition=models.Q(outcome="mismatch"),
            ),
        )

    def __str__(self) -> str:
        return f"{self.outcome} at {self.location}"


class Copy(models.Model):
    """An artifact at a location that may be opened, as it stands now: what the schedule picks from.

    Times are µs; 0: never. The history is in `Check`.
    """

    id = models.BigAutoField(primary_key=True)
    node = models.ForeignKey(Node, models.CASCADE, related_name="copies", db_index=False, db_constraint=False)
    location = models.TextField()
    storage = models.CharField(max_length=80, help_text="name of the storage that it lies in")
    outcome = models.CharField(max_length=13, help_text="never-checked, match, mismatch, inconclusive")
    last_us = models.BigIntegerField(help_text="newest check of any outcome")
    quick_us = models.BigIntegerField(help_text="newest match of parts of it or more")
    content_us = models.BigIntegerField(help_text="newest match of all of it or more")
    full_us = models.BigIntegerField(help_text="newest match of the digest itself")
    bytes = models.BigIntegerField(help_text="its size, as read last; 0: not known")
    due_us = models.BigIntegerField(help_text="when it is to be checked next")
    method = models.CharField(max_length=7, help_text="how: quick, content, full")
    overdue_us = models.BigIntegerField(help_text="from when on its last match counts no more")

    class Meta:
        db_table = "graph_copy"
        constraints = (models.UniqueConstraint(fields=["node", "location"], name="copy_place"),)
        indexes = (models.Index(fields=["storage", "due_us", "id"], name="copy_due"),)

    def __str__(self) -> str:
        return f"{self.outcome} at {self.location}"


class StatusInterval(models.Model):
    """One piece of a node's status history.

    It holds as of (N, t) when `from_index < N <= to_index` (no `to_index`: still open) and
    `from_us <= t < until_us`: entries open and close rows by index, time alone moves along the pieces.
    """

    id = models.BigAutoField(primary_key=True)
    node = models.ForeignKey(
        Node, models.CASCADE, related_name="statuses", db_index=False, db_constraint=False
    )
    from_index = models.BigIntegerField()
    to_index = models.BigIntegerField(null=True)
    from_us = models.BigIntegerField()
    until_us = models.BigIntegerField()
    status = models.CharField(max_length=10)
    reasons = models.TextField(blank=True, help_text="slugs, comma-separated")

    class Meta:
        db_table = "graph_status"
        indexes = (
            models.Index(fields=["node", "from_index"], name="status_node"),
            models.Index(fields=["node"], name="status_current", condition=models.Q(to_index=None)),
            models.Index(fields=["status", "node"], name="status_open", condition=models.Q(to_index=None)),
            models.Index(fields=["from_index"], name="status_from"),
            # What time alone turned between two moments.
            models.Index(fields=["from_us"], name="status_time", condition=models.Q(from_us__gt=0)),
        )

    def __str__(self) -> str:
        return f"{self.status} from {self.from_index}"
