"""Decisions that wait for a second person: configuration, backed up. What was decided is in the log."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class Proposal(models.Model):
    """A decision that somebody proposed. It is in force only once another has approved it."""

    class State(models.TextChoices):
        OPEN = "open", "Waits"
        DECIDING = "deciding", "Is being recorded"
        APPROVED = "approved", "Approved"
        REJECTED = "rejected", "Rejected"

    id = models.BigAutoField(primary_key=True)
    function = models.TextField(help_text="of `lineage.services.approvals.MODULES`, <module>.<name>")
    arguments = models.TextField(help_text="JSON, as the function takes them")
    payload = models.BinaryField(help_text="the statement as it would have been then, for people to read")
    person = models.TextField(help_text="who proposed it: an e-mail address, or token:<name> (lin_<prefix>)")
    owner = models.TextField(blank=True, help_text="who made the API key that proposed it")
    role = models.CharField(max_length=8, help_text="the least that who approves must hold")
    created_us = models.BigIntegerField()
    ends_us = models.BigIntegerField(help_text="from when on it can't be approved any more")
    state = models.CharField(max_length=8, choices=State.choices, default=State.OPEN)
    decided_by = models.TextField(blank=True, help_text="who approved or rejected it")
    decided_us = models.BigIntegerField(default=0)
    reason = models.TextField(blank=True, help_text="why it was rejected")
    entry_index = models.BigIntegerField(null=True, help_text="of the decision in the log")

    class Meta:
        db_table = "decision_proposal"
        indexes: ClassVar = [models.Index(fields=["state", "-id"], name="proposal_state")]

    def __str__(self) -> str:
        return f"{self.function} by {self.person}: {self.state}"
