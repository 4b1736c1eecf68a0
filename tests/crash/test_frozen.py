"""A process is stopped at a write, and wakes up after others have gone on, or have waited for it in vain.

Frozen in its transaction it holds its locks: others are told so after a bounded time, and nothing of theirs
is written. Frozen before it, another does its work, and it finds that out when it wakes up.
"""

from __future__ import annotations

import pytest
from django.db import connection

from lineage.db import frozen as frozen_appends
from lineage.errors import UnavailableError
from lineage.services import intake, log_audit, log_connection
from tests import factories
from tests.crash.conftest import Traces
from tests.crash.points import frozen, settled, watched
from tests.crash.test_points import OPERATIONS, _do, kind, whole

__all__ = ["kind"]
pytestmark = pytest.mark.usefixtures("log", "kind")
HEAD_LOCK = ("append one", "a job's result")
"""Whose transactions exclude appends. On SQLite all that writes to the log's file does: all but the graph."""
TAKEN_OVER = ("append one", "publish", "project", "take a job", "take bytes away")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for the head's lock is told after a fifth of a second, not half a minute."""
    log_connection.close()
    monkeypatch.setattr(log_connection, "WAIT_SECONDS", 0.2)
    if connection.vendor == "postgresql":
        options = connection.settings_dict["OPTIONS"]
        monkeypatch.setitem(options, "options", options["options"] + " -c lock_timeout=200")


def _labels(what: str) -> list[str]:
    """Its writes when it is done again: the first time also lists who signs."""
    for _ in range(2):
        attempt = OPERATIONS[what][0]()
        with watched() as points:
            attempt.act()
        assert attempt.done()
    return points.seen


@pytest.mark.parametrize("what", [*HEAD_LOCK, "publish", "project"])
@pytest.mark.usefixtures("impatient")
def test_frozen_in_its_transaction(what: str, traces: Traces) -> None:
    trace = traces.new(f"{what}, frozen in its transaction")
    labels = _labels(what)
    commit = max(number for number, label in enumerate(labels) if label == "COMMIT")
    signer = factories.registered()
    envelope = signer.envelope(factories.statement())
    attempt = OPERATIONS[what][0]()
    before = whole(trace)
    locked = what in HEAD_LOCK or (connection.vendor == "sqlite" and what != "project")
    with frozen(attempt.act, commit) as wake:
        if locked:
            with pytest.raises(UnavailableError, match="could not be written"):
                intake.submit(envelope, token="t")
            assert whole(trace) == before, "reading goes on, and nothing was written"
        else:
            assert intake.submit(envelope, token="t").created
        assert not attempt.done()
        assert wake()
    assert attempt.done()
    created = intake.submit(envelope, token="t").created
    assert created == locked
    log_connection.close()
    assert whole(trace).size > before.size
    assert log_audit.audit().wrong == ""


@pytest.mark.parametrize("what", TAKEN_OVER)
def test_frozen_before_its_transaction_and_overtaken(what: str, traces: Traces) -> None:
    trace = traces.new(f"{what}, overtaken")
    labels = _labels(what)
    first = next(number for number, label in enumerate(labels) if label != "COMMIT")
    attempt = OPERATIONS[what][0]()
    with frozen(attempt.act, first) as wake:
        _do(attempt, trace)
        assert attempt.done()
        after = whole(trace)
        assert wake(), "who was overtaken finds it done"
    assert attempt.done()
    assert whole(trace) == after
    assert log_audit.audit().wrong == ""


@pytest.mark.usefixtures("impatient")
def test_a_frozen_append_is_ended_by_who_waited_for_it(
    traces: Traces, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On PostgreSQL; SQLite's lock is the process's own, and free when that is ended."""
    ends = connection.vendor == "postgresql"
    monkeypatch.setattr(frozen_appends, "SILENT_SECONDS", 0.1)
    trace = traces.new("frozen, then ended")
    labels = _labels("append one")
    commit = max(number for number, label in enumerate(labels) if label == "COMMIT")
    envelope = factories.registered().envelope(factories.statement())
    attempt = OPERATIONS["append one"][0]()
    with frozen(attempt.act, commit) as wake:
        with pytest.raises(UnavailableError, match="could not be written"):
            intake.submit(envelope, token="t")
        if ends:
            settled()
            assert intake.submit(envelope, token="t").created, "while the other is frozen"
            assert not wake(), "who wakes up is told that nothing of it was written"
        log_connection.close()
    settled()
    trace.crashed()
    assert not attempt.done()
    assert intake.submit(envelope, token="t").created != ends
    _do(attempt, trace)
    assert attempt.done()
    log_connection.close()
    whole(trace)
    assert log_audit.audit().wrong == ""
