"""The application that tests start workers of: the product's own, with leases that soon run out."""

from dataclasses import replace

from workers.app import app  # isort: skip  # sets Django up

from lineage.services import job_kinds

LEASE_SECONDS = 2.0

__all__ = ["app"]

job_kinds.KINDS = tuple(replace(kind, lease_seconds=LEASE_SECONDS) for kind in job_kinds.KINDS)
