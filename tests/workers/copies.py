"""Real files in a storage, stated in the log and checked by the job: what tests of checks do all the time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from lineage import config
from lineage.artifacts.hashing import hash_file, hash_folder
from lineage.db.models import Check, Job
from lineage.services import as_of, intake, jobs
from lineage.services.clock import now_us
from tests import factories
from tests.factories import Signer
from tests.integration.projections import status_at


def digest_of(path: Path) -> dict[str, str]:
    if path.is_dir():
        return {"dirHash": hash_folder(path).dirhash}
    return {"sha256": hash_file(path)}


def copies_in(root: Path, follow: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> Copies:
    """A new storage at `root`, which is never empty: an empty folder is taken for a mount that is gone."""
    root.mkdir()
    (root / "README").write_text("Models lie here.")
    settings = replace(config.current(), storage_roots=(root,))
    monkeypatch.setattr("lineage.services.storages.current", lambda: settings)
    return Copies(root, follow, factories.registered())


@dataclass
class Copies:
    """`root` is the storage's folder, `follow` brings the graph up to the log."""

    root: Path
    follow: Callable[[], int]
    who: Signer

    def state(self, path: Path, digest: Mapping[str, str] | None = None, *, location: str = "") -> str:
        """A pipeline states that a file or folder lies there; returns its node key."""
        found = dict(digest or digest_of(path))
        copy = {"name": path.name, "digest": found, "downloadLocation": location or path.as_uri()}
        intake.submit(self.who.envelope(factories.statement(copy)), token="tests")
        self.follow()
        ((algorithm, value),) = found.items()
        return f"{algorithm}:{value}"

    def run(self, key: str, **arguments: str) -> dict[str, Any]:
        """The result of a job about `key`."""
        job_id = jobs.enqueue("reverify", key, arguments)
        jobs.drain("tests")
        job = Job.objects.get(pk=job_id)
        assert job.state == "done", job.error
        self.follow()
        return dict(job.result or {})

    def verify(self, key: str, **arguments: str) -> str:
        """The outcome at its only copy."""
        result = self.run(key, **arguments)
        assert result["checked"] == 1, result
        return next(outcome for outcome in ("match", "mismatch", "inconclusive") if result[outcome])

    def newest(self) -> Check:
        return Check.objects.order_by("-index", "-id")[0]

    def reason(self) -> str:
        return self.newest().reason

    def status(self, key: str, at_us: int | None = None) -> tuple[str, str]:
        """Status and reasons, now."""
        return status_at(key, as_of.resolve(None).projected, at_us or now_us())
