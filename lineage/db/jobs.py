"""Jobs as rows: what is to be done, who does it now, what came of it. Backed up, not rebuilt from the log."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class Job(models.Model):
    """One piece of work.

    `token` is the fencing token: one more at each lease. Whoever holds an older one has lost the job, and
    nothing that it still tries to write counts.
    """

    class State(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=40)
    key = models.TextField(blank=True, help_text="what it is about; one open job a kind and key")
    queue = models.CharField(max_length=10, help_text="as its kind says: short or long")
    arguments = models.JSONField(default=dict)
    state = models.CharField(max_length=7, choices=State.choices, default=State.QUEUED)
    due_us = models.BigIntegerField(help_text="not before")
    lease_until_us = models.BigIntegerField(default=0, help_text="while running; then another may take it")
    token = models.BigIntegerField(default=0)
    attempts = models.IntegerField(default=0)
    max_attempts = models.IntegerField()
    worker = models.TextField(blank=True, help_text="who holds or held the newest lease")
    progress_done = models.BigIntegerField(default=0, help_text="of progress_total, in the kind's own unit")
    progress_total = models.BigIntegerField(default=0, help_text="0: not known")
    note = models.TextField(blank=True, help_text="what it is doing, in words")
    result = models.JSONField(null=True)
    error = models.TextField(blank=True, help_text="why the newest attempt failed")
    requested_by = models.TextField(blank=True, help_text="an e-mail address, token:<name> or os:<login>")
    created_us = models.BigIntegerField()
    started_us = models.BigIntegerField(null=True, help_text="the newest attempt")
    finished_us = models.BigIntegerField(null=True)

    class Meta:
        db_table = "job"
        constraints = (
            models.UniqueConstraint(
                fields=["kind", "key"], condition=Q(state__in=["queued", "running"]), name="job_open"
            ),
        )
        indexes = (
            models.Index(
                fields=["queue", "due_us"], condition=Q(state__in=["queued", "running"]), name="job_due"
            ),
            models.Index(fields=["state", "finished_us"], name="job_state"),
            models.Index(fields=["kind", "created_us"], name="job_kind"),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.key} ({self.state})".replace("  ", " ")


class JobStep(models.Model):
    """An entry that a job has appended: one a step, whichever attempt made it."""

    id = models.BigAutoField(primary_key=True)
    job = models.ForeignKey(Job, models.CASCADE, related_name="steps", db_index=False)
    step = models.CharField(max_length=100)
    entry_index = models.BigIntegerField()

    class Meta:
        db_table = "job_step"
        constraints = (models.UniqueConstraint(fields=["job", "step"], name="job_step_once"),)

    def __str__(self) -> str:
        return f"job {self.job_id} {self.step}: entry {self.entry_index}"


class WorkerBeat(models.Model):
    """When a queue was last looked after; an old one is an alarm."""

    name = models.CharField(max_length=40, primary_key=True)
    at_us = models.BigIntegerField()

    class Meta:
        db_table = "worker_beat"

    def __str__(self) -> str:
        return self.name
