"""Which envelopes were redacted: an index over the log's decisions, that the database's triggers ask.

The truth is the signed decision that each row names; rows are made again from the decisions.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from lineage.db.digest_fields import DigestField


class Redaction(models.Model):
    """What became of one envelope that a decision redacts: erased, or kept for a reason."""

    id = models.BigAutoField(primary_key=True)
    envelope_digest = DigestField()
    entry_index = models.BigIntegerField(help_text="the log index of the decision")
    refused = models.TextField(
        blank=True, help_text="why the envelope is kept all the same; empty: it is not"
    )
    done_us = models.BigIntegerField()

    class Meta:
        db_table = "log_redaction"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["envelope_digest", "entry_index"], name="redaction_once")
        ]
        indexes: ClassVar = [models.Index(fields=["entry_index"], name="redaction_entry")]

    def __str__(self) -> str:
        return f"sha256:{self.envelope_digest} by entry {self.entry_index}"
