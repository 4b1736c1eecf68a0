"""Witnesses' cosignatures, which nobody can make again, so they are truth. And how asking went last."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class Cosignature(models.Model):
    """A witness's signature line under a checkpoint, verified before it was kept. Append-only by triggers."""

    id = models.BigAutoField(primary_key=True)
    size = models.BigIntegerField(help_text="of the checkpoint")
    witness = models.TextField(help_text="the key's name")
    key_hash = models.CharField(max_length=8, help_text="hex, as in its verifier key")
    line = models.BinaryField(help_text="the note's signature line, with its newline")
    at_us = models.BigIntegerField(help_text="the witness's own time")

    class Meta:
        db_table = "log_cosignature"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["size", "witness", "key_hash"], name="cosignature_once")
        ]
        indexes: ClassVar = [models.Index(fields=["witness", "key_hash", "-size"], name="cosignature_newest")]

    def __str__(self) -> str:
        return f"{self.witness} at {self.size}"


class WitnessState(models.Model):
    """How asking one witness went the last time."""

    witness = models.TextField(primary_key=True, help_text="name+hash")
    asked_us = models.BigIntegerField()
    failures = models.IntegerField(default=0, help_text="in a row")
    error = models.TextField(blank=True)
    contradicts = models.BooleanField(
        default=False, help_text="it has seen another log than this database holds"
    )

    class Meta:
        db_table = "witness_state"

    def __str__(self) -> str:
        return self.witness
