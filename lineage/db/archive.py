"""Which envelope has which gitoid, and what Witness collections are about: for Archivista's API.

Views, rebuilt from the log by `services.archive`, which follows it. One row a thing that somebody looks for.
"""

from __future__ import annotations

from django.db import models


class ArchiveState(models.Model):
    """One row (id 1), once the index is wanted: entries below `indexed` are in the tables below."""

    id = models.PositiveSmallIntegerField(primary_key=True)
    indexed = models.BigIntegerField(default=0)

    class Meta:
        db_table = "archive_state"

    def __str__(self) -> str:
        return f"{self.indexed}"


class ArchiveGitoid(models.Model):
    """The gitoid of an attestation's exact bytes."""

    entry_index = models.BigIntegerField(primary_key=True)
    gitoid = models.CharField(
        max_length=64, unique=True, help_text="hex SHA-256 of `blob <length>`, a zero byte, the bytes"
    )

    class Meta:
        db_table = "archive_gitoid"

    def __str__(self) -> str:
        return self.gitoid


class ArchiveCollection(models.Model):
    """An entry that is a Witness collection in a plain DSSE envelope."""

    entry_index = models.BigIntegerField(primary_key=True)
    name = models.TextField(help_text="the step, as the collection is called")
    attestors = models.TextField(help_text="JSON array of the attestors' types, each once")

    class Meta:
        db_table = "archive_collection"
        indexes = (models.Index(fields=["name", "entry_index"], name="archive_collection_name"),)

    def __str__(self) -> str:
        return self.name


class ArchiveSubject(models.Model):
    """A digest of a collection's subject, without its algorithm: Witness searches so."""

    id = models.BigAutoField(primary_key=True)
    value = models.TextField()
    entry_index = models.BigIntegerField()

    class Meta:
        db_table = "archive_subject"
        indexes = (
            models.Index(fields=["value", "entry_index"], name="archive_subject_value"),
            models.Index(fields=["entry_index"], name="archive_subject_entry"),
        )

    def __str__(self) -> str:
        return self.value
