"""The application that tests start processes of: the product's own, with times that soon run out."""

from dataclasses import replace

from workers import schedule

schedule.DRAIN_SECONDS = 0.5

from workers.app import app  # isort: skip  # noqa: E402  sets Django up

from lineage.services import job_kinds  # noqa: E402

LEASE_SECONDS = 2.0

__all__ = ["app"]

job_kinds.KINDS = tuple(replace(kind, lease_seconds=LEASE_SECONDS) for kind in job_kinds.KINDS)
