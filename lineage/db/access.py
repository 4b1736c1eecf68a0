"""Who looked at, exported or decided what: configuration, backed up, kept for a time."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class AccessRecord(models.Model):
    """One look, download, change or decision, by a person or program. Never a query string or a body."""

    class Action(models.TextChoices):
        LOOK = "look", "Looked at"
        EXPORT = "export", "Exported"
        CHANGE = "change", "Changed"
        DECIDE = "decide", "Decided"
        SIGN_IN = "sign-in", "Signed in"
        SIGN_OUT = "sign-out", "Signed out"
        REFUSED = "refused", "Was refused"

    id = models.BigAutoField(primary_key=True)
    at_us = models.BigIntegerField(db_index=True)
    who = models.TextField(help_text="an e-mail address, or token:<name> (lin_<prefix>)")
    action = models.CharField(max_length=8, choices=Action.choices)
    route = models.TextField(help_text="name of the page or call")
    subject = models.TextField(blank=True, help_text="what the address names, such as a node's key")
    status = models.IntegerField(help_text="HTTP status of the answer")
    entry_index = models.BigIntegerField(null=True, help_text="of a decision")
    address = models.TextField(blank=True, help_text="where the request came from")

    class Meta:
        db_table = "access_record"
        indexes: ClassVar = [
            models.Index(fields=["who", "-id"], name="access_who"),
            models.Index(fields=["subject", "-id"], name="access_subject"),
        ]

    def __str__(self) -> str:
        return f"{self.who} {self.action} {self.route} {self.subject}"
