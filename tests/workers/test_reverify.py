"""Re-verification of real files: what is found, what can't be checked, what is never opened."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from django.db import OperationalError

from lineage import config
from lineage.artifacts.hashing import hash_file, hash_folder
from lineage.db.models import Check, Job, JobStep, StorageState
from lineage.services import intake, job_kinds, job_lease, jobs, reverify, standing, storage_access
from lineage.services.check_looks import Look, Looker
from lineage.services.clock import now_us
from lineage.services.copies import Copy
from tests import factories

MATCH = {"checked": 1, "match": 1, "mismatch": 0, "inconclusive": 0}
MISMATCH = {"checked": 1, "match": 0, "mismatch": 1, "inconclusive": 0}
INCONCLUSIVE = {"checked": 1, "match": 0, "mismatch": 0, "inconclusive": 1}
NONE = {"checked": 0, "match": 0, "mismatch": 0, "inconclusive": 0}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A storage root."""
    made = tmp_path / "storage"
    made.mkdir()
    settings = replace(config.current(), storage_roots=(made,))
    monkeypatch.setattr("lineage.services.storages.current", lambda: settings)
    return made


@pytest.fixture
def lies(root: Path, graph: Callable[[], int]) -> Callable[..., str]:
    """`lies(path)`: a pipeline states that a file or folder lies there; returns its node key."""

    def state(path: Path, digest: dict[str, str] | None = None) -> str:
        digest = digest or _digest(path)
        copy = {"name": path.name, "digest": digest, "downloadLocation": path.as_uri()}
        intake.submit(factories.registered().envelope(factories.statement(copy)), token="tests")
        graph()
        ((algorithm, value),) = digest.items()
        return f"{algorithm}:{value}"

    return state


def _digest(path: Path) -> dict[str, str]:
    if path.is_dir():
        return {"dirHash": hash_folder(path).dirhash}
    return {"sha256": hash_file(path)}


def written(path: Path, content: bytes = b"weights") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def verify(key: str) -> dict[str, Any]:
    """The job's result."""
    job_id = jobs.enqueue("reverify", key)
    jobs.drain("tests")
    job = Job.objects.get(pk=job_id)
    assert job.state == "done", job.error
    return dict(job.result or {})


@pytest.fixture
def reason(graph: Callable[[], int]) -> Callable[[], str]:
    """The reason of the only check in the graph."""

    def read() -> str:
        graph()
        return Check.objects.values_list("reason", flat=True).get()

    return read


def test_a_file_and_a_folder_match_until_they_are_altered(root: Path, lies: Callable[..., str]) -> None:
    file = written(root / "model.bin")
    written(root / "folder/a")
    inside = written(root / "folder/b/c", b"more")
    keys = [lies(file), lies(root / "folder")]
    assert keys[1].startswith("dirHash:")
    for key in keys:
        assert verify(key) == MATCH
    for path in (file, inside):
        path.write_bytes(b"altered")
    for key in keys:
        assert verify(key) == MISMATCH


def test_what_is_missing_is_inconclusive(
    root: Path, lies: Callable[..., str], reason: Callable[[], str]
) -> None:
    written(root / "beside")
    file = written(root / "model.bin")
    key = lies(file)
    file.unlink()
    assert verify(key) == INCONCLUSIVE
    assert "Nothing is at" in reason()


def test_a_storage_that_is_gone_is_one_alarm_and_no_row(
    root: Path, lies: Callable[..., str], graph: Callable[[], int]
) -> None:
    """Ten copies, and their mount goes: nothing is said of any of them, and once that it is gone."""
    for number in range(10):
        lies(written(root / f"m{number}", str(number).encode()))
    away = root.rename(root.with_name("away"))
    root.mkdir()
    result = verify(reverify.DUE)
    graph()
    assert (result["checked"], list(result["gone"].values())) == (
        0,
        [f"{root} is empty: is what was mounted there gone?"],
    )
    assert not Check.objects.exists()
    state = StorageState.objects.get()
    assert state.gone_us > 0
    assert not storage_access.may_try(state.storage, now_us())
    root.rmdir()
    away.rename(root)
    assert verify(reverify.DUE)["match"] == 10
    assert StorageState.objects.get().gone_us == 0


def test_a_link_out_of_the_roots_is_not_followed(
    root: Path, lies: Callable[..., str], reason: Callable[[], str], tmp_path: Path
) -> None:
    secret = written(tmp_path / "elsewhere/secret")
    (root / "link").symlink_to(secret)
    key = lies(root / "link", {"sha256": hash_file(secret)})
    assert verify(key) == INCONCLUSIVE
    assert "leads out of" in reason()


def test_a_link_within_the_roots_is(root: Path, lies: Callable[..., str]) -> None:
    written(root / "real.bin")
    (root / "link").symlink_to(root / "real.bin")
    assert verify(lies(root / "link", {"sha256": hash_file(root / "real.bin")})) == MATCH


def test_a_named_pipe_is_not_waited_for(
    root: Path, lies: Callable[..., str], reason: Callable[[], str]
) -> None:
    os.mkfifo(root / "pipe")
    assert verify(lies(root / "pipe", {"sha256": "a" * 64})) == INCONCLUSIVE
    assert "not a regular file" in reason()


def test_another_digest_is_computed_too(
    root: Path, lies: Callable[..., str], reason: Callable[[], str]
) -> None:
    assert verify(lies(written(root / "m"), {"sha512": "b" * 128})) == MISMATCH
    assert "The bytes differ" in reason()


def test_a_mention_outside_the_roots_is_never_opened(
    root: Path, lies: Callable[..., str], tmp_path: Path
) -> None:
    assert verify(lies(written(tmp_path / "elsewhere/model.bin"))) == NONE
    assert not JobStep.objects.exists()


def test_all_and_what_is_due(root: Path, lies: Callable[..., str], graph: Callable[[], int]) -> None:
    for number in range(3):
        lies(written(root / f"m{number}", str(number).encode()))
    assert verify(reverify.DUE)["match"] == 3  # never checked
    graph()
    assert verify(reverify.DUE) == NONE  # a match that still counts
    written(root / "m1", b"altered")
    assert verify(reverify.ALL) == {"checked": 3, "match": 2, "mismatch": 1, "inconclusive": 0}
    graph()
    assert verify(reverify.DUE) == MISMATCH  # until it matches again


def test_a_second_attempt_goes_on_after_the_statements_that_are_there(
    root: Path, lies: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its worker dies after the first statement of three; the next one hashes only what is left."""
    for number in range(3):
        lies(written(root / f"m{number}", str(number).encode()))
    monkeypatch.setattr(reverify, "MAX_ROWS", 1)
    kind = job_kinds.by_name("reverify")
    job_id = jobs.enqueue("reverify", reverify.ALL)
    swept = JobStep.objects.exclude(step__startswith="inventory")
    first = job_lease.take("first", (kind.queue,), (kind,), swept.exists)
    assert first is not None
    with pytest.raises(job_lease.StoppedError):
        kind.run(first)
    assert swept.count() == 1
    Job.objects.update(lease_until_us=now_us() - 1)
    hashed: list[str] = []
    really = Looker.look

    def counted(looker: Looker, copy: Copy) -> Look:
        hashed.append(copy.location)
        return really(looker, copy)

    monkeypatch.setattr(Looker, "look", counted)
    jobs.drain("second")
    job = Job.objects.get(pk=job_id)
    assert (job.state, job.result) == ("done", {"checked": 3, "match": 3, "mismatch": 0, "inconclusive": 0})
    assert len(hashed) == 2
    assert swept.count() == 3


def test_the_command_line_follows_the_log_itself(
    root: Path, lies: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the first job says is in the graph before the second begins, however long that took."""
    from lineage.cli.reverify import command

    monkeypatch.setattr(standing, "LATE_US", 0)
    keys = [lies(written(root / f"{name}.bin", name.encode())) for name in "ab"]
    done = CliRunner().invoke(command, ["--json", *keys], standalone_mode=False)
    assert done.return_value == 0, done.output
    assert [job["result"] for job in json.loads(done.stdout)] == [MATCH, MATCH]


def test_the_command_line_goes_on_after_a_moment_without_the_database(
    root: Path, lies: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread that works its job off would be gone, and the command wait for nobody."""
    from lineage.cli.reverify import command

    key, real, failed = lies(written(root / "model.bin")), jobs.drain, list[str]()

    def drain(worker: str, **how: Any) -> int:
        if not failed:
            failed.append(worker)
            raise OperationalError("the connection is lost")
        return real(worker, **how)

    monkeypatch.setattr(jobs, "drain", drain)
    done = CliRunner().invoke(command, ["--json", key], standalone_mode=False)
    assert (done.return_value, len(failed)) == (0, 1)


def test_the_command_line(root: Path, lies: Callable[..., str]) -> None:
    from lineage.cli.reverify import command

    file = written(root / "model.bin")
    key = lies(file)
    done = CliRunner().invoke(command, ["--json", key], standalone_mode=False)
    assert done.return_value == 0, done.output
    (job,) = json.loads(done.stdout)
    assert (job["key"], job["result"], job["requested_by"][:3]) == (key, MATCH, "os:")
    file.write_bytes(b"altered")
    done = CliRunner().invoke(command, ["--all"], standalone_mode=False)
    assert done.return_value == 1
    assert "1 mismatch" in done.stdout
    done = CliRunner().invoke(command, ["sha256:" + "0" * 64], standalone_mode=False)
    assert (done.return_value, "NotFoundError" in done.stdout) == (1, True)
