"""The crash-point table: each write fails or kills the process, before it was done and after.

After each the whole log is read anew, the same is done again, and it is there once; in the end it is audited,
and what was seen is replayed against the specification. `pytest -s` prints it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import DatabaseError, connection

from lineage.db.models import Checkpoint, Entry, EntrySubject, Envelope, Job, LogHead, Redaction
from lineage.errors import LineageError
from lineage.services import (
    decide,
    erasing,
    head_memory,
    intake,
    job_lease,
    jobs,
    log_audit,
    observe,
    project,
    publish,
    redact,
)
from lineage.services.job_kinds import JobKind
from lineage.services.job_lease import Lease
from lineage.services.receipts import Submitted
from lineage.trust.digest import sha256_hex
from tests import factories
from tests.crash.conftest import Traces
from tests.crash.points import fail, killed, settled, watched
from tests.crash.trace import Trace
from tests.crash.whole import Whole, reread

pytestmark = pytest.mark.usefixtures("log")
ROWS: list[tuple[str, ...]] = []
KIND = JobKind("crash", lambda lease: {}, "short")


@pytest.fixture(scope="module", autouse=True)
def table() -> Iterator[None]:
    yield
    print(f"\n\n{connection.vendor}: what was there after it\n")
    print("| what | at | fails, not done | fails, done | killed before | killed after |")
    print("|---|---|---|---|---|---|")
    for row in ROWS:
        print("| " + " | ".join(row) + " |")


@dataclass
class Attempt:
    """`act` once more does what is missing; `done` says whether all of it is there (None: a part)."""

    act: Callable[[], object]
    done: Callable[[], bool | None]


def _sent(count: int) -> Attempt:
    signer = factories.registered()
    envelopes = [signer.envelope(factories.statement()) for _ in range(count)]
    digests = [sha256_hex(each) for each in envelopes]

    def done() -> bool | None:
        found = Entry.objects.filter(envelope_digest__in=digests).count()
        return found == count if found in {0, count} else None

    return Attempt(lambda: intake.submit_set(envelopes, token="t"), done)


def _decision() -> Attempt:
    signer = factories.signer()

    def done() -> bool:
        from lineage.services import keyring

        return signer.key_id in keyring.current().keys

    def act() -> None:
        if not done():
            factories.register(signer)

    return Attempt(act, done)


def _published() -> Attempt:
    """Over a border of tiles, so that one is filled."""
    size = LogHead.objects.get(pk=1).size
    signer = factories.registered()
    missing = 257 - (size + 1) % 256
    intake.submit_set([signer.envelope(factories.statement()) for _ in range(missing)], token="t")
    goal = LogHead.objects.get(pk=1).size
    return Attempt(publish.publish_once, lambda: Checkpoint.objects.filter(size=goal).exists())


def _projected() -> Attempt:
    while project.project_pending():
        pass
    _sent(3).act()
    goal = LogHead.objects.get(pk=1).size
    return Attempt(project.project_pending, lambda: project.watermark() == goal)


def _redaction() -> Attempt:
    """It is decided, and its bytes are to be taken away."""
    _sent(2).act()
    entries = list(Entry.objects.order_by("-index")[:2])
    decide.record(
        redact.payload(entries, {}, "it names a person", factories.PERSON), lambda ring, at_us: None
    )
    digests = [entry.envelope_digest for entry in entries]

    def done() -> bool | None:
        left = Envelope.objects.filter(entry__envelope_digest__in=digests).count()
        told = Redaction.objects.filter(envelope_digest__in=digests).count()
        named = EntrySubject.objects.filter(entry__in=entries).exclude(name="").count()
        return {(2, 0, True): False, (0, 2, False): True}.get((left, told, bool(named)))

    return Attempt(erasing.carry_out, done)


def _lease(key: str) -> Lease | None:
    return job_lease.take("w", ("short",), (KIND,), lambda: False)


@pytest.fixture
def kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lineage.services.job_kinds.KINDS", (KIND,))


def _job() -> tuple[int, Lease]:
    job_id = jobs.enqueue("crash", factories.fresh("key"))
    lease = _lease("")
    assert lease is not None
    assert lease.job_id == job_id
    return job_id, lease


def _job_result() -> Attempt:
    """An entry, its step and the job's end in one."""
    job_id, lease = _job()
    digest = f"sha256:{factories.sha256(factories.fresh('checked'))}"
    prepared = observe.prepare("reverifier", "urn:lineage:predicate:check:v1", [digest], {"rows": []})

    def done() -> bool | None:
        ended = Job.objects.get(pk=job_id).state == Job.State.DONE
        there = Entry.objects.filter(envelope_digest=prepared.envelope_digest).exists()
        return ended if ended == there else None

    def act() -> None:
        if not done():
            lease.append(prepared, "only", result={"n": 1})

    return Attempt(act, done)


def _job_taken() -> Attempt:
    job_id = jobs.enqueue("crash", factories.fresh("key"))

    def done() -> bool:
        return Job.objects.get(pk=job_id).state == Job.State.RUNNING

    return Attempt(lambda: None if done() else _lease(""), done)


OPERATIONS: dict[str, tuple[Callable[[], Attempt], int]] = {
    "append one": (lambda: _sent(1), 5),
    "append a set": (lambda: _sent(45), 5),
    "register a key": (_decision, 5),
    "publish": (_published, 3),
    "project": (_projected, 4),
    "take bytes away": (_redaction, 4),
    "take a job": (_job_taken, 2),
    "a job's result": (_job_result, 6),
}
"""How each is begun, and how many writes it has at the least."""
MODES = ("fails, not done", "fails, done", "killed before", "killed after")


def ask(sql: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


def whole(trace: Trace) -> Whole:
    trace.look(ask)
    return reread(ask)


def _do(attempt: Attempt, trace: Trace) -> None:
    answers = attempt.act()
    for answer in answers if isinstance(answers, list) else ():
        if isinstance(answer, Submitted):
            trace.acknowledged(answer.receipt.digest.removeprefix("sha256:"), answer.receipt.index)


def _hit(attempt: Attempt, number: int, mode: str, trace: Trace) -> None:
    after = mode in {"fails, done", "killed after"}
    head_memory.forget_listed()  # as in a process that has just begun, so the writes are always the same
    if mode.startswith("killed"):
        assert killed(attempt.act, number, after=after)
        settled()
        trace.crashed()
        return
    with watched() as points:
        points.choose(number, after=after, fault=fail)
        with pytest.raises((LineageError, DatabaseError)):
            attempt.act()


@pytest.mark.parametrize("what", OPERATIONS)
@pytest.mark.usefixtures("kind")
def test_every_write_may_fail_or_be_the_last(what: str, traces: Traces) -> None:
    begin, least = OPERATIONS[what]
    trace = traces.new(what)
    attempt = begin()
    head_memory.forget_listed()
    with watched() as points:
        _do(attempt, trace)
    assert attempt.done()
    labels = list(points.seen)
    assert len(labels) >= least, labels
    before = whole(trace)
    commit = max(n for n, label in enumerate(labels) if label == "COMMIT")
    for number, label in enumerate(labels):
        found = []
        for mode in MODES:
            if label == "BEGIN" and mode == "fails, done":  # SQLite never says so of one that has begun
                found.append("-")
                continue
            attempt = begin()
            _hit(attempt, number, mode, trace)
            there = attempt.done()
            expected = number > commit or (number == commit and mode in {"fails, done", "killed after"})
            assert there is expected, f"{what}: {mode} at {label}: {there}"
            now = whole(trace)
            assert now.digests[: before.size] == before.digests
            _do(attempt, trace)
            assert attempt.done()
            again = whole(trace)
            assert again.digests[: now.size] == now.digests
            before = again
            found.append("all" if there else "nothing")
        ROWS.append((what, label, *found))
    audited = log_audit.audit()
    assert audited.wrong == ""
    assert audited.size == before.size
