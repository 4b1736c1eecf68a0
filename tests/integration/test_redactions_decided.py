"""A redaction is decided first and carried out after: once, and taken up again where it broke off."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import pytest
from django.db import DatabaseError, connection, transaction

from lineage.db import prepared
from lineage.db.models import Entry, Envelope, Redaction, SourceObject
from lineage.errors import FencedError, LogIntegrityError
from lineage.services import (
    beforehand,
    decide,
    erasing,
    forgetting,
    mlflow_state,
    redaction_effects,
    redactions,
)
from lineage.services.clock import now_us
from lineage.trust import forgetting_decisions
from lineage.trust.forgetting_decisions import Redact
from tests import factories
from tests.factories import PERSON
from tests.integration.projections import ROOT, check, observe, send, the_same_after_a_rebuild
from tests.integration.redacting import WHY, Follow, envelope_of, redacted, stored
from tests.integration.test_publish import lifted
from tests.observing import Observing

pytestmark = pytest.mark.usefixtures("log", "storage_root")


def test_the_decision_comes_first_and_taking_away_is_taken_up_again(monkeypatch: pytest.MonkeyPatch) -> None:
    who = factories.registered()
    indexes = [send(who, factories.statement()) for _ in range(5)]
    monkeypatch.setattr(erasing, "CHUNK", 2)
    monkeypatch.setattr(erasing, "carry_out", lambda: 0)
    monkeypatch.setattr(redaction_effects, "hidden", lambda *entries, **waiting: {})
    first, second = redacted(*indexes[:3]), redacted(*indexes[3:])
    monkeypatch.undo()
    monkeypatch.setattr(erasing, "CHUNK", 2)
    assert all(stored(index) for index in indexes)
    assert [each.index for each in erasing.pending()] == [first, second]
    begun = iter([True])
    erase = erasing._erase

    def dies(*args: object) -> int:
        if not next(begun, False):
            raise DatabaseError("the server went away")
        return erase(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(erasing, "_erase", dies)
    with pytest.raises(DatabaseError):
        erasing.carry_out()
    monkeypatch.setattr(erasing, "_erase", erase)
    assert [stored(index) for index in indexes].count(False) == 2
    assert [each.index for each in erasing.pending()] == [first, second]
    assert erasing.carry_out() == 3
    assert erasing.pending() == []
    assert erasing.carry_out() == 0
    forgetting.forget()
    assert erasing.pending() == []


def test_a_job_that_lost_its_lease_leaves_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    who = factories.registered()
    indexes = [send(who, factories.statement()) for _ in range(3)]
    monkeypatch.setattr(erasing, "carry_out", lambda: 0)
    decided = redacted(*indexes)
    monkeypatch.undo()
    monkeypatch.setattr(erasing, "CHUNK", 1)
    asked = iter([False, False, True])

    def tick() -> None:
        if next(asked):
            raise FencedError("it is another's")

    with pytest.raises(FencedError):
        erasing.carry_out(tick)
    assert [stored(index) for index in indexes].count(False) == 2
    assert [each.index for each in erasing.pending()] == [decided]
    assert erasing.carry_out() == 1
    assert erasing.pending() == []


def test_another_process_learns_beside_its_requests_that_something_is_redacted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(forgetting, "LOOK_SECONDS", 600.0)
    gone = send(factories.registered(), factories.statement())
    redacted(gone)
    forgetting.forget()
    monkeypatch.setattr(forgetting, "_looked_at", time.monotonic())  # as one that looked before
    assert not forgetting.any_redacted()
    beforehand.look_all()
    assert forgetting.any_redacted()


def test_what_was_noticed_while_another_looked_stays_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not forgetting.any_redacted()

    def meanwhile(_: str) -> list[tuple[bool]]:
        forgetting.noticed()
        return [(False,)]

    monkeypatch.setattr(prepared, "fetch", meanwhile)
    forgetting.renew()
    assert forgetting.any_redacted()


def test_the_database_lets_nothing_else_go() -> None:
    index = send(factories.registered(), factories.statement())
    digest = envelope_of(index).removeprefix("sha256:")
    bootstrap = envelope_of(0).removeprefix("sha256:")
    written = "x'{}'" if connection.vendor == "sqlite" else "decode('{}', 'hex')"
    gone = send(factories.registered(), factories.statement())
    decided = redacted(gone)
    subject = f"WHERE entry_id = {index}"
    row = "INSERT INTO log_redaction (envelope_digest, entry_index, refused, done_us) VALUES"
    for sql in (
        f"DELETE FROM log_envelope WHERE entry_id = {index}",
        "DELETE FROM log_envelope",
        f"DELETE FROM log_entry_subject {subject}",
        f"UPDATE log_entry_subject SET name = '' {subject}",
        f"UPDATE log_entry_subject SET name = 'x' WHERE entry_id = {gone}",
        f"{row} ({written.format(digest)}, {index}, '', 1)",
        f"{row} ({written.format(digest)}, 999, '', 1)",
        f"{row} ({written.format(bootstrap)}, {decided}, '', 1)",
        "DELETE FROM log_redaction",
        "UPDATE log_redaction SET refused = 'x'",
    ):
        with (
            pytest.raises(DatabaseError, match=r"append-only|names no decision"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(sql)
    assert Redaction.objects.count() == 1


def test_bytes_that_are_missing_without_a_decision_are_damage(graph: Follow) -> None:
    index = send(factories.registered(), factories.statement())
    with lifted("log_envelope"):
        Envelope.objects.filter(pk=index).delete()
    with pytest.raises(LogIntegrityError, match=f"envelope of entry {index} is missing"):
        graph()
    with pytest.raises(LogIntegrityError):
        raise redactions.missing(envelope_of(index).removeprefix("sha256:"), index)


def test_a_redaction_that_should_not_be_is_not_carried_out(graph: Follow) -> None:
    """As a stolen platform key could sign one: the bytes stay, and the row says why."""
    bad = observe(check(factories.sha256("model"), f"file://{ROOT}/m.bin", "mismatch", now_us()))
    ring_changed = factories.registered()
    registered = Entry.objects.order_by("-index").first()
    assert registered is not None
    del ring_changed
    named = {envelope_of(bad): bad, envelope_of(registered.index): registered.index, f"sha256:{'0' * 64}": 7}
    payload = forgetting_decisions.build_redact(PERSON, now_us(), Redact(tuple(named), WHY), named)
    decided = decide.record(payload, lambda ring, at_us: None).receipt.index
    assert erasing.carry_out() == 0
    assert stored(bad)
    assert stored(registered.index)
    rows = dict(Redaction.objects.filter(entry_index=decided).values_list("envelope_digest", "refused"))
    assert "never erased" in rows[envelope_of(bad).removeprefix("sha256:")]
    assert "decision" in rows[envelope_of(registered.index).removeprefix("sha256:")]
    assert rows["0" * 64] == "It names no earlier entry."
    assert erasing.pending() == []
    graph()
    the_same_after_a_rebuild()


def test_what_a_sync_is_just_reading_is_blanked_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has read the bytes, and writes what they say after the bytes have gone."""
    with monkeypatch.context() as patched:
        patched.setattr(mlflow_state, "follow", lambda source: None)
        index = Observing().run("r1", tags={"trained_by": "Ada Lovelace"})
    payload = forgetting_decisions.build_redact(
        PERSON, now_us(), Redact((envelope_of(index),), WHY), {envelope_of(index): index}
    )
    decide.record(payload, lambda ring, at_us: None)

    def erase() -> None:
        try:
            erasing.carry_out()
        finally:
            connection.close()

    eraser, write = threading.Thread(target=erase), mlflow_state._write

    def late(source: str, news: Sequence[SourceObject]) -> None:
        eraser.start()
        eraser.join(2)
        write(source, news)

    monkeypatch.setattr(mlflow_state, "_write", late)
    mlflow_state.follow("lab")
    eraser.join()
    assert not stored(index)
    assert "Ada" not in str(mlflow_state.unpack(bytes(SourceObject.objects.get().record)))
