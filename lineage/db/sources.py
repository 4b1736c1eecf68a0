"""MLflow servers that are followed: how to reach them, what is known of them, what could not be read.

`Source` is configuration and backed up. `SourceObject` is read from the log's own observations, and rebuilt
from them where it is lost. `SourceState` and `SourceProblem` are about now: syncs write them anew.
"""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q


class Source(models.Model):
    """One MLflow server. Secrets are encrypted (`lineage.services.secret_box`); empty: there is none."""

    class Auth(models.TextChoices):
        NONE = "none", "None"
        TOKEN = "token", "Bearer token"
        BASIC = "basic", "User and password"

    id = models.BigAutoField(primary_key=True)
    name = models.CharField(max_length=63, unique=True, help_text="never changes: part of runs' identity")
    url = models.TextField()
    auth = models.CharField(max_length=5, choices=Auth.choices, default=Auth.NONE)
    username = models.TextField(blank=True)
    secret_box = models.TextField(blank=True, help_text="token or password, encrypted")
    ca_pem = models.TextField(blank=True)
    client_certificate_pem = models.TextField(blank=True)
    client_key_box = models.TextField(blank=True, help_text="its private key, encrypted")
    webhook_box = models.TextField(blank=True, help_text="secret of its webhooks, encrypted")
    proxy = models.TextField(blank=True)
    data_roots = models.TextField(
        blank=True,
        help_text="folders, one a line, where datasets may be read; each under a storage root",
    )
    requests_per_second = models.IntegerField(default=200)
    poll_seconds = models.IntegerField(default=30)
    sweep_seconds = models.IntegerField(default=86_400)
    rehash_seconds = models.IntegerField(default=7 * 86_400)
    max_file_bytes = models.BigIntegerField(default=1 << 40, help_text="larger ones are not hashed")
    paused = models.BooleanField(default=False)
    created_us = models.BigIntegerField()
    created_by = models.TextField()

    class Meta:
        db_table = "source"

    def __str__(self) -> str:
        return self.name


class SourceState(models.Model):
    """What the last syncs of a source came to; 0: never. Without a row nothing has happened yet."""

    source = models.CharField(max_length=63, primary_key=True)
    server_version = models.TextField(blank=True)
    polled_us = models.BigIntegerField(default=0, help_text="last sync that came through")
    swept_us = models.BigIntegerField(default=0, help_text="last full sweep that came through")
    rehashed_us = models.BigIntegerField(default=0, help_text="last time that every byte was hashed")
    tried_us = models.BigIntegerField(default=0, help_text="last sync that began")
    error = models.TextField(blank=True, help_text="why the last sync did not come through")
    failures = models.IntegerField(default=0, help_text="in a row")
    ended_ms = models.BigIntegerField(
        default=0, help_text="newest end time that was followed, never after now"
    )
    models_ms = models.BigIntegerField(default=0, help_text="newest change of a logged model")
    versions_ms = models.BigIntegerField(default=0, help_text="newest change of a model version")
    files_wanted = models.CharField(max_length=6, blank=True, help_text="sweep, rehash, or only what is new")
    files_tried_us = models.BigIntegerField(default=0, help_text="when files were last begun to be followed")
    listed_us = models.BigIntegerField(default=0, help_text="last time that all files were listed")
    followed_index = models.BigIntegerField(default=0, help_text="log entries that its objects are read from")

    class Meta:
        db_table = "source_state"

    def __str__(self) -> str:
        return self.source


class SourceObject(models.Model):
    """The newest record of one thing on a source, as the log has it."""

    id = models.BigAutoField(primary_key=True)
    source = models.CharField(max_length=63)
    kind = models.CharField(max_length=20, help_text="of `lineage.mlflow.records`, or `provenance`")
    external_id = models.TextField(help_text="MLflow's")
    digest = models.CharField(max_length=64, help_text="SHA-256 of the record")
    state = models.CharField(max_length=8)
    ended = models.BooleanField()
    run_id = models.TextField(blank=True, help_text="MLflow's run that it belongs to")
    record = models.BinaryField(help_text="JSON, deflated")
    first_index = models.BigIntegerField()
    entry_index = models.BigIntegerField()
    changed_after_end = models.BooleanField(default=False)
    artifact = models.TextField(
        blank=True, help_text="node key of what its bytes are, where they were hashed"
    )
    first_artifact = models.TextField(blank=True, help_text="what they were when they were hashed first")
    # Not in the log; empty is always right, and costs a look. Of files that were to be hashed again and could
    # not be read, `files_digest` is no digest (`lineage.services.sync_bytes.READ_AGAIN`).
    seen_digest = models.CharField(max_length=64, blank=True, help_text="of the listing that last said so")
    files_digest = models.CharField(max_length=64, blank=True, help_text="record whose files were followed")
    settled_digest = models.CharField(max_length=64, blank=True, help_text="record whose lineage was said")

    class Meta:
        db_table = "source_object"
        constraints = (
            models.UniqueConstraint(fields=["source", "kind", "external_id"], name="source_object_place"),
        )
        indexes = (
            models.Index(fields=["source", "kind", "ended"], name="source_object_open"),
            models.Index(fields=["source", "run_id"], name="source_object_run"),
            models.Index(
                fields=["entry_index"], condition=Q(changed_after_end=True), name="source_object_changed"
            ),
            # What is still to be followed, without reading every record to find that it is none.
            models.Index(
                fields=["source", "kind", "external_id", "state"],
                condition=Q(ended=True) & ~Q(files_digest=F("digest")),
                name="source_object_files",
            ),
            models.Index(
                fields=["source", "kind", "external_id", "state"],
                condition=Q(ended=True) & ~Q(settled_digest=F("digest")),
                name="source_object_lineage",
            ),
        )

    def __str__(self) -> str:
        return f"{self.source}/{self.kind}/{self.external_id}"


class SourceProblem(models.Model):
    """Something that could not be read or recorded, and why; gone once it could."""

    id = models.BigAutoField(primary_key=True)
    source = models.CharField(max_length=63)
    kind = models.CharField(max_length=20)
    external_id = models.TextField()
    slug = models.CharField(max_length=40)
    reason = models.TextField()
    first_us = models.BigIntegerField()
    last_us = models.BigIntegerField()

    class Meta:
        db_table = "source_problem"
        constraints = (
            models.UniqueConstraint(fields=["source", "kind", "external_id"], name="source_problem_place"),
        )

    def __str__(self) -> str:
        return f"{self.source}/{self.kind}/{self.external_id}: {self.slug}"
