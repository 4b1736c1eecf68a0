"""Envelopes that are redacted: bytes go, leaves stay, and the graph is as if they had said nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import DatabaseError, connection, transaction

from lineage.db.models import Entry, EntrySubject, Envelope, Redaction
from lineage.errors import (
    ConflictError,
    LogIntegrityError,
    MalformedError,
    NotFoundError,
    RedactedError,
    UnavailableError,
)
from lineage.graph.model import run_key
from lineage.services import (
    as_of,
    erasing,
    forgetting,
    graph_check,
    holds,
    lineage,
    project,
    project_entries,
    records,
    redact,
    redaction_effects,
    redactions,
)
from lineage.services.clock import now_us
from lineage.trust.forgetting_decisions import Hold
from tests import factories
from tests.factories import BUILDER, PERSON
from tests.integration.projections import (
    ROOT,
    RandomLog,
    check,
    deployment,
    dump,
    key_of,
    observe,
    send,
    send_envelope,
    status_at,
)
from tests.integration.test_publish import lifted

pytestmark = pytest.mark.usefixtures("log", "storage_root")

Follow = Callable[[], int]
WHY = "it names a person"


def envelope_of(index: int) -> str:
    return f"sha256:{Entry.objects.values_list('envelope_digest', flat=True).get(pk=index)}"


def stored(index: int) -> bool:
    return Envelope.objects.filter(pk=index).exists()


def redacted(*indexes: int, **more: bool) -> int:
    """Redact entries; returns the decision's index."""
    while project.project_pending():
        pass
    digests = [envelope_of(index) for index in indexes]
    return redact.redact(digests, WHY, person=PERSON, **more).receipt.index


def the_same_after_a_rebuild() -> None:
    before = dump()
    project.rebuild()
    assert dump() == before
    report = graph_check.check("sql")
    assert report.differences == 0, report.sentence()


def test_bytes_go_and_the_graph_is_as_if_nothing_had_been_said(graph: Follow) -> None:
    who, other = factories.registered(), factories.registered()
    made, data = factories.artifact("model"), factories.artifact("data")
    gone = send(who, factories.provenance([made], [data], invocation="r"))
    both = factories.artifact("both")
    send(who, factories.statement(both))
    twice = send(other, factories.statement(both, predicate={"of": "somebody"}))
    before = graph()
    assert status_at(key_of("model"), before) == ("verified", "")
    decided = redacted(gone, twice)
    assert not stored(gone)
    assert not stored(twice)
    assert redactions.redacted() == {
        envelope_of(index).removeprefix("sha256:"): decided for index in (gone, twice)
    }
    assert redactions.redacted(decided) == {}, "not yet as of before"
    told = redactions.of(envelope_of(gone).removeprefix("sha256:"))
    assert told is not None
    assert (told.index, told.person, told.reason) == (decided, PERSON, WHY)
    after = graph()
    assert after == decided + 1
    assert status_at(key_of("both"), after) == ("verified", ""), "somebody else says so too"
    keys = {row[0] for row in _fetch("SELECT key FROM graph_node")}
    assert run_key(BUILDER, "r", "") not in keys
    assert key_of("model") not in keys, "nothing else names it"
    assert key_of("both") in keys
    assert project_entries.read(gone, 1)[0].skipped == f"Redacted by entry {decided}."
    the_same_after_a_rebuild()


def _fetch(sql: str) -> list[tuple[str, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


def test_names_go_and_digests_of_bytes_stay_unless_they_are_to_go_too() -> None:
    who = factories.registered()
    digest = factories.sha256("cv")
    subject = {"name": "Ada Lovelace", "digest": {"sha256": digest, "person": "ada@example.com"}}
    kept = send(who, factories.statement(subject))
    wholly = send(who, factories.statement(subject, predicate={"again": True}))
    redacted(kept)
    redacted(wholly, erase_subjects=True)
    rows = EntrySubject.objects.filter(entry_id__in=(kept, wholly)).values_list("entry_id", "digest", "name")
    assert list(rows) == [(kept, f"sha256:{digest}", "")]


def test_a_statement_goes_with_every_entry_of_it() -> None:
    first, second = factories.registered(), factories.registered()
    made = factories.statement(factories.artifact("model"))
    indexes = [send(first, made), send(second, made), send_envelope(first.envelope(made, keyid=None))]
    redacted(indexes[1])
    assert [stored(index) for index in indexes] == [False] * 3


def test_what_went_wrong_and_what_was_decided_stays(graph: Follow) -> None:
    place, digest = f"file://{ROOT}/m.bin", factories.sha256("model")
    stated = send(
        factories.registered(), factories.statement(factories.artifact("model", downloadLocation=place))
    )
    good = observe(check(digest, place, "match", now_us()))
    bad = observe(check(digest, place, "mismatch", now_us()))
    lost = observe(check(digest, place, "inconclusive", now_us()))
    for index, says in (
        (0, "decision"),
        (stated - 1, "decision"),
        (bad, "not as expected"),
        (lost, "not as"),
    ):
        with pytest.raises(ConflictError, match=f"Entry {index} can't be redacted. .*{says}"):
            redacted(index)
        with pytest.raises(ConflictError):
            redacted(good, index)
    assert all(stored(index) for index in (good, bad, lost))
    redacted(good)
    assert not stored(good)
    assert status_at(f"sha256:{digest}", graph()) == ("failed", "copy-mismatch")
    the_same_after_a_rebuild()


def test_a_hold_keeps_what_it_names_until_it_is_released() -> None:
    who = factories.registered()
    held, free = (send(who, factories.statement(factories.artifact(name))) for name in ("held", "free"))
    placed = holds.place(
        Hold("case 7", "a court asked for it", subjects=(key_of("held"),)), person=PERSON
    ).receipt.index
    with pytest.raises(ConflictError, match=f"The hold of entry {placed} covers it"):
        redacted(held)
    redacted(free)
    assert [stored(held), stored(free)] == [True, False]
    with pytest.raises(ConflictError, match="stands already"):
        holds.place(Hold("case 7", "again", everything=True), person=PERSON)
    with pytest.raises(NotFoundError):
        holds.release(placed + 1, "no hold", person=PERSON)
    holds.release(placed, "the case is closed", person=PERSON)
    with pytest.raises(ConflictError, match="released already"):
        holds.release(placed, "again", person=PERSON)
    redacted(held)
    assert not stored(held)


@pytest.mark.parametrize(
    "hold",
    [
        Hold("", "why", everything=True),
        Hold("name", "", everything=True),
        Hold("name", "why"),
        Hold("name", "why", subjects=("a",), everything=True),
        Hold("name", "why", envelopes=("sha256:nothing",)),
    ],
    ids=["no name", "no reason", "nothing", "something and everything", "no digest"],
)
def test_a_hold_says_of_what_and_why(hold: Hold) -> None:
    with pytest.raises(MalformedError):
        holds.place(hold, person=PERSON)


@pytest.mark.parametrize("kind", ["signer", "predicate type", "envelope", "statement", "everything"])
def test_a_hold_names_entries_in_several_ways(kind: str) -> None:
    who = factories.registered()
    index = send(who, factories.statement())
    entry = Entry.objects.get(pk=index)
    hold = {
        "signer": Hold("h", "why", signers=(who.key_id,)),
        "predicate type": Hold("h", "why", predicate_types=(factories.GENERIC,)),
        "envelope": Hold("h", "why", envelopes=(envelope_of(index),)),
        "statement": Hold("h", "why", envelopes=(f"sha256:{entry.statement_digest}",)),
        "everything": Hold("h", "why", everything=True),
    }[kind]
    holds.place(hold, person=PERSON)
    with pytest.raises(ConflictError, match="hold of entry"):
        redacted(index)


def test_the_decision_comes_first_and_taking_away_is_taken_up_again(monkeypatch: pytest.MonkeyPatch) -> None:
    who = factories.registered()
    indexes = [send(who, factories.statement()) for _ in range(5)]
    monkeypatch.setattr(erasing, "CHUNK", 2)
    monkeypatch.setattr(erasing, "carry_out", lambda: 0)
    monkeypatch.setattr(redaction_effects, "hidden", lambda entries: {})
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
    from lineage.services import decide
    from lineage.trust import forgetting_decisions
    from lineage.trust.forgetting_decisions import Redact

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


def test_every_reader_says_so(graph: Follow) -> None:
    who, other = factories.registered(), factories.registered()
    made = factories.artifact("model")
    send(other, factories.provenance([factories.artifact("next")], [made], invocation="n"))
    gone = send(who, factories.provenance([made], [factories.artifact("only here")], invocation="r"))
    graph()
    decided = redacted(gone)
    now = as_of.resolve(str(graph()))
    digest = envelope_of(gone)
    with pytest.raises(RedactedError, match=f"Entry {decided} redacted it .*by {PERSON}: {WHY}"):
        records.envelope(digest)
    record = records.attestation(digest, now)
    assert record.redacted is not None
    assert (record.redacted.index, record.redacted.person, record.redacted.reason) == (decided, PERSON, WHY)
    assert (record.trust, record.signatures, bytes(record.payload)) == ("revoked", (), b"null")
    assert [(each.name, each.key) for each in record.subjects] == [("", key_of("model"))]
    assert [signer.name for signer in record.signers] == [who.name]
    assert record.skipped == f"Redacted by entry {decided}."
    listed = {each.index: each for each in records.listed(now).attestations}
    assert listed[gone].redacted == record.redacted
    assert all(each.redacted is None for index, each in listed.items() if index != gone)
    assert [each.index for each in records.listed(now, trust="revoked").attestations] == [gone]
    node = lineage.node(key_of("model"), now)
    assert (node.status, node.reasons) == ("unverified", ("no-attestation",))
    assert [(each.index, each.entry) for each in node.redacted] == [(decided, gone)]
    with pytest.raises(NotFoundError):
        lineage.node(key_of("only here"), now)  # it was a material: the index knows subjects alone
    alone = send(who, factories.statement(factories.artifact("alone")))
    redacted(alone)
    later = as_of.resolve(str(graph()))
    with pytest.raises(RedactedError, match="What was said of"):
        lineage.node(key_of("alone"), later)


def test_the_graph_must_have_followed(graph: Follow) -> None:
    index = send(factories.registered(), factories.statement())
    with pytest.raises(UnavailableError):
        redact.redact([envelope_of(index)], WHY, person=PERSON)
    graph()
    redact.redact([envelope_of(index)], WHY, person=PERSON)


def test_a_statement_that_says_where_a_bad_copy_lies_stays(graph: Follow) -> None:
    place, digest = f"file://{ROOT}/m.bin", factories.sha256("model")
    model = factories.artifact("model", downloadLocation=place)
    said = send(factories.registered(), factories.statement(model))
    observe(check(digest, place, "mismatch", now_us()))
    with pytest.raises(ConflictError, match=r"no longer be shown as failed \(copy-mismatch\)"):
        redacted(said)
    again = send(factories.registered(), factories.statement(model, predicate={"by": "another"}))
    redacted(said)
    assert status_at(f"sha256:{digest}", graph()) == ("failed", "copy-mismatch")
    with pytest.raises(ConflictError):
        redacted(again)


def test_a_contested_origin_stays_contested(graph: Follow) -> None:
    made = factories.artifact("model")
    first, second = (
        send(factories.registered(), factories.provenance([made], invocation=run)) for run in ("one", "two")
    )
    for index in (first, second):
        with pytest.raises(ConflictError, match="contested-origin"):
            redacted(index)
    assert status_at(key_of("model"), graph()) == ("unverified", "contested-origin")


def test_what_a_deployment_runs_stays_while_it_has_failed(graph: Follow) -> None:
    place, digest = f"file://{ROOT}/m.bin", factories.sha256("model")
    who = factories.registered()
    send(who, factories.statement(factories.artifact("model", downloadLocation=place)))
    deployed = send(who, deployment("production", factories.artifact("model")))
    observe(check(digest, place, "mismatch", now_us()))
    with pytest.raises(ConflictError, match=r"runs what is wrong|turned failed"):
        redacted(deployed)
    observe(check(digest, place, "match", now_us()))
    redacted(deployed)


def test_a_taint_stays(graph: Follow) -> None:
    thief, who, other = (factories.registered() for _ in range(3))
    data, model, final = (factories.artifact(name) for name in ("data", "model", "final"))
    stolen = send(thief, factories.statement(data))
    link = send(who, factories.provenance([model], [data], invocation="a"))
    on = send(who, factories.provenance([final], [model], invocation="b"))
    free = send(who, factories.statement(factories.artifact("free")))
    factories.revoke(thief, compromised=True)
    graph()
    for index in (stolen, link, on):
        with pytest.raises(ConflictError, match="tainted"):
            redacted(index)
    redacted(free)
    twin = factories.provenance([model], [data], invocation="a")
    twin["predicate"]["note"] = "without the person's name"
    send(other, twin)
    redacted(link)
    size = as_of.resolve(str(graph()))
    assert lineage.node(key_of("final"), size).tainted
    the_same_after_a_rebuild()


def test_a_hold_that_came_first_keeps_what_a_redaction_names(graph: Follow) -> None:
    """Both were decided at the same time, and the hold's entry is the earlier one."""
    from lineage.services import decide
    from lineage.trust import forgetting_decisions
    from lineage.trust.forgetting_decisions import Redact

    index = send(factories.registered(), factories.statement())
    digest = envelope_of(index)
    payload = forgetting_decisions.build_redact(PERSON, now_us(), Redact((digest,), WHY), {digest: index})
    holds.place(Hold("case", "why", envelopes=(digest,)), person=PERSON)
    decide.record(payload, lambda ring, at_us: None)
    assert erasing.carry_out() == 0
    assert stored(index)
    assert "covers it" in Redaction.objects.get().refused


@pytest.mark.parametrize("seed", range(3))
def test_nothing_that_went_wrong_is_hidden_whatever_is_redacted(graph: Follow, seed: int) -> None:
    """Of a random log all is redacted that may be: who had failed, was contested or tainted, still is."""
    RandomLog(seed).grow(40)
    graph()
    before = wrong()
    assert any(before.values())
    gone, order = 0, ("index", "-index")[seed % 2]
    for index in Entry.objects.exclude(kind="decision").order_by(order).values_list("index", flat=True):
        if stored(index):
            try:
                redacted(index)
                gone += 1
            except ConflictError:
                continue
    assert gone
    graph()
    after = wrong()
    for reason, keys in before.items():
        assert keys <= after[reason], reason
    the_same_after_a_rebuild()


def wrong() -> dict[str, set[str]]:
    """Keys of nodes by what is wrong with them now."""
    now = as_of.resolve(None)
    found: dict[str, set[str]] = {reason: set() for reason in ("failed", "contested-origin", "tainted")}
    for (key,) in _fetch("SELECT key FROM graph_node WHERE kind <> 'signer'"):
        node = lineage.node(key, now)
        if node.status == "failed":
            found["failed"].add(key)
        if "contested-origin" in node.reasons:
            found["contested-origin"].add(key)
        if node.tainted:
            found["tainted"].add(key)
    return found


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL's files are its operator's")
def test_nothing_of_it_is_left_in_the_file(graph: Follow) -> None:
    who, names = factories.registered(), [f"Ada Lovelace, patient {number}" for number in range(30)]
    gone = [
        send(who, factories.statement(factories.artifact(name), predicate={"note": name * 50}))
        for name in names
    ]
    kept = send(who, factories.statement(factories.artifact("Grace Hopper")))
    graph()
    assert b"Ada Lovelace" in in_files()
    redacted(*gone)
    graph()
    found = in_files()
    assert b"Grace Hopper" in found, "it would be found"
    assert b"Ada Lovelace" not in found
    assert stored(kept)


def in_files() -> bytes:
    """What stands in the database's file and its journal."""
    path = Path(connection.settings_dict["NAME"])
    journal = path.with_name(path.name + "-wal")
    return path.read_bytes() + (journal.read_bytes() if journal.exists() else b"")
