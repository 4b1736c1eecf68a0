"""The log's order, its leaves, idempotence, and many appenders at a time, on a real database file."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from lineage.config import current
from lineage.db.models import Entry, EntrySigner, EntrySubject, LogHead, Refusal
from lineage.errors import ConflictError, KeyNotValidError, LineageError, UnavailableError
from lineage.services import (
    append,
    as_of,
    decide,
    head_memory,
    intake,
    keyring,
    log_batch,
    log_connection,
    records,
)
from lineage.services.clock import now_us
from lineage.services.receipts import Submitted
from lineage.trust.decisions import DECISION_TYPE
from lineage.trust.digest import sha256_hex
from lineage.trust.dsse import INTOTO_PAYLOAD_TYPE
from lineage.trust.policy import Scopes
from tests import factories

pytestmark = pytest.mark.usefixtures("log")


@pytest.mark.usefixtures("check_log")
def test_the_same_bytes_are_the_same_entry() -> None:
    envelope = factories.registered().envelope(factories.statement())
    first = intake.submit(envelope, token="t")
    second = intake.submit(envelope, token="t")
    assert (first.created, second.created) == (True, False)
    assert first.receipt == second.receipt


@pytest.mark.usefixtures("check_log")
def test_other_wrapping_of_the_same_statement_is_an_entry_of_its_own() -> None:
    signer = factories.registered()
    statement = factories.statement()
    first = intake.submit(signer.envelope(statement), token="t").receipt
    second = intake.submit(signer.envelope(statement, keyid=None), token="t").receipt
    assert second.index == first.index + 1
    assert second.statement == first.statement
    assert second.digest != first.digest


@pytest.mark.usefixtures("check_log")
def test_the_same_bytes_twice_in_one_set_are_one_entry() -> None:
    envelope = factories.registered().envelope(factories.statement())
    first, second = intake.submit_set([envelope, envelope], token="t")
    assert not isinstance(first, LineageError)
    assert not isinstance(second, LineageError)
    assert (first.created, second.created) == (True, False)
    assert first.receipt.index == second.receipt.index


@pytest.mark.usefixtures("check_log")
def test_one_bad_line_harms_no_other() -> None:
    signer = factories.registered()
    good = [signer.envelope(factories.statement()) for _ in range(3)]
    answers = intake.submit_set([good[0], b"not json", good[1], good[2]], token="t")
    assert [isinstance(answer, LineageError) for answer in answers] == [False, True, False, False]
    assert Refusal.objects.get().slug == "malformed"


@pytest.mark.usefixtures("check_log")
@pytest.mark.parametrize("abreast", [1, 3, 100])
def test_each_line_is_answered_as_if_it_came_alone(abreast: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "ABREAST", abreast)
    signer, stranger = factories.registered(), factories.signer()
    narrow = factories.registered(Scopes(predicate_types=("https://example.com/none",)))
    good = [signer.envelope(factories.statement()) for _ in range(4)]
    decision = factories.statement(predicate_type=DECISION_TYPE)
    lines = {
        "malformed": b"not json",
        "signature-refuted": stranger.envelope(factories.statement(), keyid=signer.key_id),
        "signer-unknown": stranger.envelope(factories.statement()),
        "malformed ": signer.envelope(b"[]"),
        "not-allowed": signer.envelope(decision),
        "not-allowed ": narrow.envelope(factories.statement()),
        "too-large": b" " * (current().max_envelope_bytes + 1),
    }
    answers = intake.submit_set([good[0], *lines.values(), *good[1:]], token="t")
    told = [each.slug if isinstance(each, LineageError) else "" for each in answers]
    assert told == ["", *(slug.strip() for slug in lines), "", "", ""]
    for line, answer in zip(lines.values(), answers[1:], strict=False):
        with pytest.raises(LineageError) as alone:
            intake.submit(line, token="t")
        assert str(alone.value) == str(answer)
    digests = [each.receipt.digest for each in answers if not isinstance(each, LineageError)]
    assert digests == [f"sha256:{sha256_hex(each)}" for each in good]


@pytest.mark.usefixtures("check_log")
def test_many_threads_append_densely_and_once() -> None:
    signer = factories.registered()
    envelopes = [signer.envelope(factories.statement()) for _ in range(60)]
    before = LogHead.objects.get(pk=1).size
    seen: list[tuple[str, int]] = []

    def post(start: int) -> None:
        try:
            # Each envelope is sent by two threads.
            for envelope in envelopes[start::6] + envelopes[(start + 1) % 6 :: 6]:
                receipt = intake.submit(envelope, token="t").receipt
                seen.append((receipt.digest, receipt.index))
        finally:
            connection.close()

    threads = [threading.Thread(target=post, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 120
    assert len(set(seen)) == 60
    assert {index for _, index in seen} == set(range(before, before + 60))


@pytest.mark.usefixtures("check_log")
def test_a_key_revoked_between_verification_and_append_is_refused() -> None:
    signer = factories.registered()
    prepared = intake.prepare(signer.envelope(factories.statement()), keyring.current())
    factories.revoke(signer, now_us())
    (outcome,) = append.append([prepared])
    assert isinstance(outcome, KeyNotValidError)


@pytest.mark.usefixtures("check_log")
def test_a_key_registered_between_verification_and_append_is_named_in_the_leaf() -> None:
    first, second = factories.registered(), factories.signer()
    statement = factories.statement()
    payload = factories.as_payload(statement)
    envelope = factories.pack(
        payload, INTOTO_PAYLOAD_TYPE, [first.signature(statement), second.signature(statement)]
    )
    prepared = intake.prepare(envelope, keyring.current())
    assert prepared.key_ids == (first.key_id,)
    factories.register(second)
    appended = append.raise_first(append.append([prepared]))
    assert Entry.objects.get(pk=appended.index).key_ids.split(",") == sorted((first.key_id, second.key_id))


@pytest.mark.usefixtures("check_log")
def test_a_rolled_back_registration_is_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    before = keyring.current()
    signer = factories.signer()

    def fail(batch: log_batch.Batch) -> None:
        raise DatabaseError("disk full")

    monkeypatch.setattr(log_batch.Batch, "write", fail)
    with pytest.raises(UnavailableError):
        factories.register(signer)
    monkeypatch.undo()
    assert keyring.current() == before
    other = factories.registered()
    assert signer.key_id not in keyring.current().keys
    assert other.key_id in keyring.current().keys


@pytest.mark.usefixtures("check_log")
def test_a_failed_commit_promises_nothing_and_can_be_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    envelope = factories.registered().envelope(factories.statement())
    size = LogHead.objects.get(pk=1).size

    def fail(batch: log_batch.Batch) -> None:
        raise DatabaseError("database is locked")

    monkeypatch.setattr(log_batch.Batch, "write", fail)
    with pytest.raises(UnavailableError, match="could not be written"):
        intake.submit(envelope, token="t")
    assert LogHead.objects.get(pk=1).size == size
    assert Refusal.objects.count() == 0
    monkeypatch.undo()
    assert intake.submit(envelope, token="t").created


@pytest.mark.usefixtures("check_log")
def test_received_at_never_decreases_when_the_clock_steps_back(monkeypatch: pytest.MonkeyPatch) -> None:
    signer = factories.registered()
    first = intake.submit(signer.envelope(factories.statement()), token="t").receipt
    monkeypatch.setattr(log_batch, "now_us", lambda: 1)
    second = intake.submit(signer.envelope(factories.statement()), token="t").receipt
    received = dict(Entry.objects.values_list("index", "received_us"))
    assert received[second.index] == received[first.index]


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE log_entry SET kind = 3",
        "DELETE FROM log_entry",
        "UPDATE log_envelope SET content = content",
        "DELETE FROM log_envelope",
        "UPDATE log_entry_subject SET name = 'x'",
        "DELETE FROM log_entry_signer",
        "UPDATE log_signer SET id = 7",
        "DELETE FROM log_signer",
        "UPDATE log_predicate_type SET id = 7",
        "DELETE FROM log_predicate_type",
        "UPDATE log_head SET size = size - 1",
        "UPDATE log_head SET origin = 'other'",
        "DELETE FROM log_head",
    ],
)
@pytest.mark.usefixtures("check_log")
def test_the_database_refuses_to_rewrite_the_log(sql: str) -> None:
    intake.submit(factories.registered().envelope(factories.statement()), token="t")
    with (
        pytest.raises(DatabaseError, match=r"append-only|only moves forward"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(sql)


@pytest.mark.usefixtures("check_log")
def test_a_key_is_registered_once() -> None:
    signer = factories.registered()
    with pytest.raises(ConflictError, match="registered already"):
        factories.register(signer)


@pytest.mark.usefixtures("check_log")
def test_the_indexes_over_the_payload_are_complete() -> None:
    signer = factories.registered()
    subject = {"name": "m", "digest": {"sha256": "a" * 64, "sha512": "b" * 128, "gitCommit": "c" * 40}}
    index = intake.submit(signer.envelope(factories.statement(subject)), token="t").receipt.index
    rows = EntrySubject.objects.filter(entry=index).values_list("position", "digest", "name")
    assert set(rows) == {
        (0, "sha256:" + "a" * 64, "m"),
        (0, "sha512:" + "b" * 128, "m"),
        (0, "gitCommit:" + "c" * 40, "m"),
    }
    assert list(EntrySigner.objects.filter(entry=index).values_list("signer__key_id", flat=True)) == [
        signer.key_id
    ]


@pytest.mark.usefixtures("check_log")
def test_who_comes_while_the_head_is_locked_goes_with_who_waits_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    signer = factories.registered()
    known = signer.envelope(factories.statement())
    first = intake.submit(known, token="t").receipt.index
    waiting = append._line._waiting
    begun: list[int] = []
    real = log_batch.begin

    def begin(database: BaseDatabaseWrapper, digests: Sequence[str], wire: Any = None) -> log_batch.Batch:
        begun.append(len(digests))
        return real(database, digests, wire)

    def send(envelope: bytes) -> Submitted:
        try:
            return intake.submit(envelope, token="t")
        finally:
            connection.close()

    monkeypatch.setattr(append, "begin", begin)
    with ThreadPoolExecutor(5) as threads:
        with transaction.atomic():
            LogHead.objects.select_for_update().get(pk=1)
            sent = [threads.submit(send, signer.envelope(factories.statement()))]
            _until(lambda: append._line._led and not waiting)
            late = [known, *(signer.envelope(factories.statement()) for _ in range(3))]
            sent += [threads.submit(send, envelope) for envelope in late]
            _until(lambda: len(waiting) == 4)
        answers = [each.result() for each in sent]
    assert begun == [1], "one transaction for all of them, which began with the one that waited"
    assert [answer.created for answer in answers] == [True, False, True, True, True]
    assert sorted(answer.receipt.index for answer in answers) == list(range(first, first + 5))
    assert answers[1].receipt.index == first


def _until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_a_durable_append_refuses_an_outer_transaction() -> None:
    """A receipt is a promise: an outer transaction could still take it back."""
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        decide.register_key(factories.signer().private.public.spki, "n", factories.ANY, person="os:test")


@pytest.mark.usefixtures("durable")
def test_what_is_committed_has_reached_the_disk() -> None:
    intake.submit(factories.registered().envelope(factories.statement()), token="t")
    with log_connection.transaction() as (database, _), database.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT current_setting('fsync'), current_setting('synchronous_commit')")
            assert cursor.fetchone() == ("on", "on")
            return
        cursor.execute("PRAGMA journal_mode")
        journal = cursor.fetchone()
        cursor.execute("PRAGMA synchronous")
        assert (journal, cursor.fetchone()) == (("wal",), (2,))


@pytest.mark.usefixtures("check_log")
def test_text_that_no_index_takes_is_logged_and_found() -> None:
    """U+0000, and names that are longer than a database's index can hold: the others of the batch too."""
    signer = factories.registered()
    long = "urn:" + "ä" * 5_000
    odd = factories.statement({"name": "a\0b", "digest": {"odd\0": "v" * 9_000}}) | {"predicateType": long}
    answers = intake.submit_set([signer.envelope(odd), signer.envelope(factories.statement())], token="t")
    assert not [answer for answer in answers if isinstance(answer, LineageError)]
    now = as_of.resolve(None)
    assert [r.predicate_type for r in records.listed(now, predicate_type=long).attestations] == [long]
    assert not records.listed(now, predicate_type=long + "ä").attestations
    assert len(records.listed(now, subject="odd\0:" + "v" * 9_000).attestations) == 1
    assert not records.listed(now, subject="odd\0:" + "v" * 9_001).attestations


@pytest.mark.usefixtures("check_log")
@pytest.mark.parametrize("what", ["signers", "predicate_types"])
def test_what_is_wrongly_thought_to_be_listed_is_refused_once(what: str) -> None:
    """A signer or a predicate type without a number makes no row, and is given one at the next attempt."""
    signer = factories.registered()
    envelope = signer.envelope(factories.statement(predicate_type="urn:x"))
    head_memory.forget_listed()
    getattr(head_memory, what)().add({"signers": signer.key_id, "predicate_types": "urn:x"}[what])
    size = LogHead.objects.get(pk=1).size
    with pytest.raises(UnavailableError):
        intake.submit(envelope, token="t")
    assert LogHead.objects.get(pk=1).size == size
    assert not head_memory.signers() | head_memory.predicate_types()
    index = intake.submit(envelope, token="t").receipt.index
    assert index == size
    assert Entry.objects.get(pk=index).predicate_type == "urn:x"


def test_entries_are_found_by_their_predicate_type() -> None:
    """What no entry has is found nowhere, and takes nothing from what is not it."""
    signer = factories.registered()
    for name in ("urn:x", "urn:y", "urn:x"):
        intake.submit(signer.envelope(factories.statement(predicate_type=name)), token="t")
    every = Entry.objects.count()
    assert Entry.objects.filter(predicate_type="urn:x").count() == 2
    assert Entry.objects.filter(predicate_type__in=["urn:x", "urn:y", "urn:z"]).count() == 3
    assert EntrySubject.objects.filter(entry__predicate_type="urn:y").count() == 1
    assert not Entry.objects.filter(predicate_type="urn:z").exists()
    assert not Entry.objects.filter(kind="rumour").exists()
    assert Entry.objects.exclude(predicate_type="urn:z").count() == every
    assert Entry.objects.exclude(predicate_type__in=["urn:x", "urn:z"]).count() == every - 2
    assert list(Entry.objects.order_by("-index").values_list("predicate_type", "kind")[:2]) == [
        ("urn:x", "attestation"),
        ("urn:y", "attestation"),
    ]
