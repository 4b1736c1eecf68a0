"""The log's tables in their older forms, filled, become today's, with every row, and back."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.migrations.executor import MigrationExecutor

from lineage.db.models import Entry, EntrySubject, Envelope, Redaction
from lineage.errors import LogIntegrityError
from lineage.services import erasing, graph_check, log_audit, project, publish, redact
from tests import factories
from tests.factories import PERSON
from tests.integration.projections import RandomLog, send
from tests.integration.redacting import in_files, stored
from tests.integration.test_publish import lifted

pytestmark = pytest.mark.usefixtures("log")
OLDEST = "0021_archive"
"""The newest migration before the log's tables were made anew."""
BEFORE_ENTRIES = "0024_subjects"
TABLES = {
    # A predicate type's number depends on what was written together.
    "log_entry": '"index", received_us, policy_index, kind, envelope_digest, statement_digest, key_ids,'
    " leaf_hash, (SELECT name FROM log_predicate_type WHERE id = predicate_type_id)",
    "log_predicate_type": "name",
    "log_envelope": "*",
    "log_entry_subject": "entry_id, position, digest, name",
    "log_entry_signer": "*",
    "log_signer": "*",
    "log_redaction": "*",
}
ENTRY = (
    "index", "kind", "envelope_digest", "statement_digest", "received_us", "key_ids", "policy_index",
    "leaf_hash", "predicate_type",
)  # fmt: skip
QUOTED = ", ".join(f'"{name}"' for name in ENTRY)
REDACTION = ("id", "envelope_digest", "entry_index", "refused", "done_us")
OLD_SIGNERS = "SELECT entry_id, key_id FROM log_entry_signer ORDER BY entry_id, key_id"
OLD_ENVELOPES = "SELECT digest, content FROM log_envelope ORDER BY digest"
OLD_SUBJECTS = (
    "SELECT entry_id, position, digest, name FROM log_entry_subject ORDER BY entry_id, position, digest"
)
OLD_WRITES = (
    "UPDATE log_entry SET kind = 'decision'",
    "DELETE FROM log_entry",
    "UPDATE log_redaction SET refused = 'x'",
    "DELETE FROM log_redaction",
    "UPDATE log_entry_subject SET name = ''",
    "DELETE FROM log_entry_subject",
    "UPDATE log_envelope SET digest = 'x'",
    "DELETE FROM log_envelope",
    "UPDATE log_entry_signer SET key_id = 'x'",
    "DELETE FROM log_entry_signer",
)
WRITES = (
    "UPDATE log_entry SET kind = 3",
    "DELETE FROM log_entry",
    "UPDATE log_predicate_type SET name = 'x'",
    "DELETE FROM log_predicate_type",
    "UPDATE log_redaction SET refused = 'x'",
    "DELETE FROM log_redaction",
    "UPDATE log_entry_subject SET name = ''",
    "DELETE FROM log_entry_subject",
    "UPDATE log_envelope SET entry_id = 900",
    "DELETE FROM log_envelope",
    "UPDATE log_entry_signer SET signer_id = 1",
    "DELETE FROM log_entry_signer",
    "UPDATE log_signer SET key_id = 'x'",
    "DELETE FROM log_signer",
)


def migrate(name: str) -> None:
    executor = MigrationExecutor(connection)
    executor.migrate([("lineage_db", name)])


def newest() -> str:
    leaves = MigrationExecutor(connection).loader.graph.leaf_nodes("lineage_db")
    return str(leaves[0][1])


@pytest.fixture
def older() -> Iterator[None]:
    """Whatever happens, the next test finds today's tables."""
    yield
    migrate(newest())


def rows(sql: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return [
            tuple(bytes(value) if isinstance(value, memoryview) else value for value in row)
            for row in cursor.fetchall()
        ]


def everything() -> dict[str, list[tuple[Any, ...]]]:
    return {table: sorted(rows(f"SELECT {columns} FROM {table}")) for table, columns in TABLES.items()}


def shape() -> list[tuple[Any, ...]]:
    """Tables, indexes and triggers of the log, and on PostgreSQL how each column compares."""
    if connection.vendor == "sqlite":
        return rows("SELECT type, name, sql FROM sqlite_master WHERE tbl_name GLOB 'log_*' ORDER BY 1, 2")
    return [
        *rows("SELECT tablename, indexdef FROM pg_indexes WHERE tablename LIKE 'log%' ORDER BY 1, 2"),
        *rows(
            "SELECT tgrelid::regclass::text, tgname, tgenabled, pg_get_triggerdef(oid) FROM pg_trigger"
            " WHERE NOT tgisinternal ORDER BY 1, 2"
        ),
        *rows(
            "SELECT table_name, column_name, data_type, collation_name, is_nullable"
            " FROM information_schema.columns WHERE table_name LIKE 'log%' ORDER BY 1, 2"
        ),
    ]


def refused(writes: tuple[str, ...]) -> None:
    for sql in writes:
        with (
            pytest.raises(DatabaseError, match="append-only"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(sql)


def test_a_filled_log_goes_to_its_old_form_and_comes_again(older: None) -> None:
    log = RandomLog(7)
    log.grow(60)
    who, digests = factories.registered(), {"sha256": factories.sha256("cv"), "person": "ädä@example.com"}
    send(who, factories.statement({"name": "cv", "digest": digests}))
    gone = send(who, factories.statement({"name": "Ada", "digest": digests}, predicate={"of": "Ada"}))
    while project.project_pending():
        pass
    digest = Entry.objects.values_list("envelope_digest", flat=True).get(pk=gone)
    redact.redact([f"sha256:{digest}"], "asked for", person=PERSON)
    erasing.carry_out()
    while publish.publish_once() is not None:
        pass
    before, form = everything(), shape()
    signers = rows(
        "SELECT e.entry_id, s.key_id FROM log_entry_signer e JOIN log_signer s ON s.id = e.signer_id"
        " ORDER BY e.entry_id, s.key_id"
    )
    envelopes = [
        (bytes(digest).hex(), content)
        for digest, content in rows(
            "SELECT e.envelope_digest, v.content FROM log_entry e"
            ' JOIN log_envelope v ON v.entry_id = e."index" ORDER BY e.envelope_digest'
        )
    ]
    entries = sorted(Entry.objects.values_list(*ENTRY))
    redactions = sorted(Redaction.objects.values_list(*REDACTION))
    subjects = sorted(
        EntrySubject.objects.values_list("entry_id", "position", "digest", "name"),
    )
    migrate(OLDEST)
    assert rows(OLD_SIGNERS) == signers
    assert rows(f"SELECT {QUOTED} FROM log_entry ORDER BY 1") == entries
    assert rows(f"SELECT {', '.join(REDACTION)} FROM log_redaction ORDER BY 1") == redactions
    assert rows(OLD_SUBJECTS) == subjects
    assert rows(OLD_ENVELOPES) == envelopes
    refused(OLD_WRITES)
    migrate(newest())
    assert everything() == before
    assert shape() == form
    refused(WRITES)
    assert log_audit.audit().wrong == ""
    log.grow(5)
    while publish.publish_once() is not None:
        pass
    while project.project_pending():
        pass
    report = log_audit.audit()
    assert (report.wrong, report.redacted) == ("", 1)
    assert graph_check.check("sql").differences == 0


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL's files are its operator's")
def test_no_older_copy_outlives_a_redaction(older: None) -> None:
    """Of bytes that lay in tables of an older form, and were taken away after these were made anew."""
    who = factories.registered()
    gone = [
        send(who, factories.statement(factories.artifact(f"Ada Lovelace {number}"), predicate={"note": note}))
        for number in range(100)
        for note in [random.Random(number).randbytes(700).hex()]
    ]
    kept = send(who, factories.statement(factories.artifact("Grace Hopper")))
    while project.project_pending():
        pass
    marks = [
        content[200:260]
        for entry, content in rows("SELECT entry_id, content FROM log_envelope")
        if entry in gone
    ]
    migrate(OLDEST)
    migrate(newest())
    rows("PRAGMA wal_checkpoint(TRUNCATE)")
    found = in_files()
    assert {found.count(mark) for mark in marks} == {1}
    assert b"Ada Lovelace" in found
    digests = Entry.objects.filter(pk__in=gone).values_list("envelope_digest", flat=True)
    redact.redact([f"sha256:{digest}" for digest in digests], "asked for", person=PERSON)
    erasing.carry_out()
    while project.project_pending():
        pass
    found = in_files()
    assert b"Grace Hopper" in found, "it would be found"
    assert b"Ada Lovelace" not in found
    assert not any(mark in found for mark in marks)
    assert stored(kept)


def test_a_row_of_no_entry_stops_it(older: None) -> None:
    """It would be lost, and the next audit would find nothing any more."""
    with lifted("log_envelope"):
        Envelope.objects.create(pk=900, content=b"{}")
    with pytest.raises(LogIntegrityError, match="of which 1 belong to entries"):
        migrate(OLDEST)
    assert Envelope.objects.count() == 2, "nothing has happened"
    with lifted("log_envelope"):
        Envelope.objects.filter(pk=900).delete()


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("envelope_digest", "AB" * 32),
        ("statement_digest", "ab" * 31),
        ("key_ids", "ab" * 32 + ","),
        ("kind", "rumour"),
    ],
)
def test_what_no_entry_can_hold_stops_it(older: None, column: str, value: str) -> None:
    """It would be put right, or become another thing, and the next audit would find that or nothing."""
    migrate(BEFORE_ENTRIES)
    (before,) = rows(f'SELECT {column} FROM log_entry WHERE "index" = 0')[0]
    rewrite = f"UPDATE log_entry SET {column} = '{{}}' WHERE \"index\" = 0"
    with lifted("log_entry"), connection.cursor() as cursor:
        cursor.execute(rewrite.format(value))
    with pytest.raises(LogIntegrityError, match="entry 0 has a kind, a digest or a key that is none"):
        migrate(newest())
    assert rows(f'SELECT {column} FROM log_entry WHERE "index" = 0') == [(value,)], "nothing has happened"
    with lifted("log_entry"), connection.cursor() as cursor:
        cursor.execute(rewrite.format(before))
