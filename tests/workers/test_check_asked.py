"""What a re-verification is about: all of it to the end, nothing of a paused storage, no cut in silence."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from lineage.db.models import Check, Copy, Job, JobStep, Storage, StorageSweep
from lineage.services import check_sweep, job_kinds, job_lease, jobs, reverify, storages
from lineage.services import copies as stored
from lineage.services.check_looks import Look, Looker
from lineage.services.clock import now_us
from lineage.services.job_lease import Lease
from tests.workers.copies import Copies, copies_in

MANY = 7


@pytest.fixture
def copies(tmp_path: Path, graph: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> Copies:
    return copies_in(tmp_path / "storage", graph, monkeypatch)


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of three copies each, and sweeps of two."""
    monkeypatch.setattr(stored, "PAGE", 3)
    monkeypatch.setattr(reverify, "MAX_ROWS", 2)


def several(copies: Copies, count: int) -> list[str]:
    keys = []
    for number in range(count):
        path = copies.root / f"m{number}"
        path.write_bytes(str(number).encode())
        keys.append(copies.state(path))
    return keys


def counted(match: int = 0, **more: object) -> dict[str, object]:
    return {"checked": match, "match": match, "mismatch": 0, "inconclusive": 0, **more}


def paused(copies: Copies) -> str:
    """A folder of the root as a storage of its own, which is paused; its name."""
    (copies.root / "apart").mkdir()
    uri = (copies.root / "apart").as_uri()
    Storage.objects.create(name="apart", kind="file", uri=uri, paused=True, created_us=1, created_by="tests")
    return "apart"


@pytest.mark.parametrize("key", [reverify.ALL, reverify.DUE])
def test_all_pages_to_the_end(copies: Copies, pages: None, key: str) -> None:
    several(copies, MANY)
    (copies.root / "again").symlink_to(copies.root / "m3")  # an artifact with two copies may lie on two pages
    copies.state(copies.root / "m3", location=(copies.root / "again").as_uri())
    assert copies.run(key) == counted(MANY + 1)
    assert Check.objects.values("node_id", "location").distinct().count() == MANY + 1
    assert StorageSweep.objects.count() == JobStep.objects.count() > 1


def test_due_passes_over_what_matched(copies: Copies, pages: None) -> None:
    several(copies, MANY)
    copies.run(reverify.ALL)
    assert copies.run(reverify.DUE) == counted()
    (copies.root / "m1").write_bytes(b"altered")
    copies.run(reverify.ALL)
    assert copies.run(reverify.DUE) == {**counted(), "checked": 1, "mismatch": 1}


def test_a_second_attempt_goes_on_in_the_middle_of_the_pages(copies: Copies, pages: None) -> None:
    several(copies, MANY)
    job_id = jobs.enqueue("reverify", reverify.ALL)
    kind = job_kinds.by_name("reverify")
    first = job_lease.take("first", (kind.queue,), (kind,), lambda: JobStep.objects.count() >= 2)
    assert first is not None
    with pytest.raises(job_lease.StoppedError):
        kind.run(first)
    said = JobStep.objects.count()
    Job.objects.update(lease_until_us=now_us() - 1)
    jobs.drain("second")
    copies.follow()
    assert Job.objects.get(pk=job_id).result == counted(MANY)
    assert JobStep.objects.count() > said
    assert Check.objects.count() == MANY  # none was looked at twice
    assert StorageSweep.objects.count() == JobStep.objects.count()


def test_what_a_turn_leaves_is_told(copies: Copies, pages: None, monkeypatch: pytest.MonkeyPatch) -> None:
    several(copies, MANY)
    monkeypatch.setattr("lineage.services.check_asked.MAX_COPIES", 4)
    (place,) = storages.listed()
    assert copies.run(reverify.STORAGE + place.name) == counted(4, left=MANY - 4)
    assert copies.run(reverify.STORAGE + place.name) == counted(MANY - 4)


@pytest.mark.parametrize("key", ["its own", reverify.ALL, reverify.DUE, "storage:apart"])
def test_nobody_reads_in_a_paused_storage(copies: Copies, key: str) -> None:
    """Whoever asks. It is said, and nothing is found; other storages are read."""
    name = paused(copies)
    here = copies.root / "m"
    here.write_bytes(b"weights")
    (copies.root / name / "m").write_bytes(b"weights")
    node = copies.state(here)
    copies.state(copies.root / name / "m")
    matches = 0 if key.startswith("storage:") else 1
    assert copies.run(node if key == "its own" else key) == counted(matches, paused={name: "1 copy"})
    assert set(Check.objects.values_list("location", flat=True)) == ({here.as_uri()} if matches else set())
    assert Copy.objects.get(storage=name).outcome == "never-checked"


def test_a_pause_in_the_middle_ends_the_reading(copies: Copies, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was found before is said; what is left is not read, and that is said too."""
    name = paused(copies)
    Storage.objects.update(paused=False)
    for number in range(4):
        path = copies.root / name / f"m{number}"
        path.write_bytes(str(number).encode())
        copies.state(path)
    monkeypatch.setattr(check_sweep, "MAX_WORKERS", 1)
    monkeypatch.setattr(reverify, "LOOK_SECONDS", 0.0)
    really = Looker.look

    def look(looker: Looker, copy: stored.Copy) -> Look:
        found = really(looker, copy)
        thread = threading.Thread(target=pause)
        thread.start()
        thread.join()
        return found

    def pause() -> None:
        from django.db import connection

        Storage.objects.update(paused=True)
        connection.close()

    monkeypatch.setattr(Looker, "look", look)
    assert copies.run(reverify.ALL) == counted(1, paused={name: "3 copies"})


def test_the_bar_of_one_artifact_moves_with_its_bytes(
    copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two copies of 8 MiB. Each is read on only once the bar has moved."""
    large = bytes(8 << 20)
    for name in ("a", "b"):
        (copies.root / name).write_bytes(large)
    key = copies.state(copies.root / "a")
    copies.state(copies.root / "b")
    figures: list[tuple[int, int]] = []
    moved = threading.Event()
    really, told = check_sweep._Pace.read, Lease.progress

    def read(pace: check_sweep._Pace, count: int) -> None:
        really(pace, count)
        moved.clear()
        assert moved.wait(60)

    def progress(lease: Lease, done: int, total: int, note: str = "") -> None:
        figures.append((done, total))
        moved.set()
        told(lease, done, total, note)

    monkeypatch.setattr(check_sweep, "TICK_SECONDS", 0.01)
    monkeypatch.setattr(check_sweep._Pace, "read", read)
    monkeypatch.setattr(Lease, "progress", progress)
    assert copies.run(key) == counted(2)
    seen = [done for done, total in figures if total]
    assert {total for _, total in figures if total} == {2 * len(large)}
    assert seen == sorted(seen)
    assert len({done for done in seen if 0 < done < 2 * len(large)}) >= 6
