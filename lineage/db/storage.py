"""Where bytes live, how checks of each place went, and who is told of failures.

`Storage` and `Subscription` are configuration and backed up. `StorageState` and `StorageSweep` are about now.
Folders of LINEAGE_STORAGE_ROOTS and MLflow sources are storages too, without a row of `Storage`.
"""

from __future__ import annotations

from django.db import models


class Storage(models.Model):
    """A place beyond this machine. Secrets are encrypted (`services.secret_box`); empty: there is none."""

    id = models.BigAutoField(primary_key=True)
    name = models.CharField(max_length=63, unique=True)
    kind = models.CharField(max_length=16, help_text="of `lineage.artifacts.storage.SCHEMES`")
    uri = models.TextField(help_text="locations under it are copies, such as s3://bucket/prefix")
    endpoint = models.TextField(blank=True)
    region = models.TextField(blank=True)
    username = models.TextField(blank=True, help_text="user, account or access key id")
    secret_box = models.TextField(blank=True, help_text="password or secret key, encrypted")
    token_box = models.TextField(blank=True, help_text="session or bearer token, encrypted")
    ca_pem = models.TextField(blank=True)
    insecure_http = models.BooleanField(default=False, help_text="it may be asked without TLS")
    paused = models.BooleanField(default=False)
    created_us = models.BigIntegerField()
    created_by = models.TextField()

    class Meta:
        db_table = "storage"

    def __str__(self) -> str:
        return self.name


class StorageState(models.Model):
    """Whether a storage could be reached; without a row it was not looked for yet. Times are µs; 0: never."""

    storage = models.CharField(max_length=80, primary_key=True)
    reached_us = models.BigIntegerField(default=0, help_text="last time that it answered")
    gone_us = models.BigIntegerField(default=0, help_text="since when it does not; 0: it does")
    tried_us = models.BigIntegerField(default=0)
    error = models.TextField(blank=True)
    failures = models.IntegerField(default=0, help_text="in a row")

    class Meta:
        db_table = "storage_state"

    def __str__(self) -> str:
        return self.storage


class StorageSweep(models.Model):
    """One sweep: what was read of a storage, how fast, and what was found."""

    id = models.BigAutoField(primary_key=True)
    storage = models.CharField(max_length=80)
    job_id = models.BigIntegerField()
    entry_index = models.BigIntegerField(help_text="its signed statement")
    started_us = models.BigIntegerField()
    finished_us = models.BigIntegerField()
    bytes = models.BigIntegerField()
    matches = models.IntegerField()
    mismatches = models.IntegerField()
    inconclusive = models.IntegerField()

    class Meta:
        db_table = "storage_sweep"
        constraints = (models.UniqueConstraint(fields=["entry_index"], name="storage_sweep_entry"),)
        indexes = (models.Index(fields=["storage", "finished_us"], name="storage_sweep_last"),)

    def __str__(self) -> str:
        return f"{self.storage}: {self.matches} matched, {self.mismatches} differed"


class Subscription(models.Model):
    """Who is told when something fails. `delivered_index`: news of entries below it have been told."""

    class Kind(models.TextChoices):
        EMAIL = "email", "E-mail"
        WEBHOOK = "webhook", "Webhook"

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=7, choices=Kind.choices)
    target = models.TextField(help_text="address or URL")
    secret_box = models.TextField(blank=True, help_text="what webhooks are signed with, encrypted")
    paused = models.BooleanField(default=False)
    delivered_index = models.BigIntegerField(help_text="of the log")
    delivered_us = models.BigIntegerField(default=0, help_text="until when changes by time alone were told")
    told_gone = models.TextField(blank=True, help_text="storages that were told to be gone, one a line")
    tried_us = models.BigIntegerField(default=0)
    failures = models.IntegerField(default=0, help_text="in a row")
    error = models.TextField(blank=True)
    created_us = models.BigIntegerField()
    created_by = models.TextField()

    class Meta:
        db_table = "subscription"
        constraints = (models.UniqueConstraint(fields=["kind", "target"], name="subscription_target"),)

    def __str__(self) -> str:
        return self.target
