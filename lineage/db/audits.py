"""How far the log was read again, and what was found. Derived: whoever reads the log again finds the same."""

from __future__ import annotations

from django.db import models


class LogAudit(models.Model):
    """One row (id 1). It is no proof of anything: who can alter the log can alter this row."""

    id = models.PositiveSmallIntegerField(primary_key=True)
    position = models.BigIntegerField(default=0, help_text="where the round in hand goes on")
    newest = models.BigIntegerField(default=0, help_text="the newest entries were read up to here")
    round_us = models.BigIntegerField(help_text="when the round in hand began")
    rounded_us = models.BigIntegerField(null=True, help_text="when the newest whole round ended")
    ran_us = models.BigIntegerField(null=True, help_text="when reading ended the last time")
    read = models.BigIntegerField(default=0, help_text="entries that were read then")
    wrong = models.TextField(blank=True, help_text="what is wrong, as a sentence")
    wrong_us = models.BigIntegerField(null=True, help_text="when it was found first")
    wrong_part = models.BigIntegerField(
        null=True, help_text="the part to read again until it is right; null: beside the entries"
    )

    class Meta:
        db_table = "log_audit"

    def __str__(self) -> str:
        return self.wrong or f"read up to {self.position}"
