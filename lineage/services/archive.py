"""The index behind Archivista's API: gitoids of all attestations, and what Witness collections are about.

It is made once somebody uses that API, and follows the log from then on: a gitoid is a place anywhere in an
index for each entry, and receipts would wait for that where nobody ever asks.

Owns: when it is made; following the log, so that the tables hold whatever the log holds; what is in them
of one entry. Does not own: searching them (`archive_search`), the API's form. Any process may follow at
any time: who was overtaken meanwhile throws its work away.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec
from django.db import connection

from lineage.db import bulk, direct, prepared
from lineage.db.bulk import Row, Table
from lineage.db.models import ArchiveCollection, ArchiveGitoid, ArchiveSubject, Entry
from lineage.db.numbered_fields import PREDICATE_TYPE, kind_number
from lineage.db.packing import unpack
from lineage.errors import LineageError, UnavailableError
from lineage.graph import sql
from lineage.services import wake
from lineage.services.log_text import indexed
from lineage.trust import statement
from lineage.trust.opened import open_signed

COLLECTION_TYPES = ("https://witness.testifysec.com/attestation-collection/v0.1",)
MAX_ATTESTORS = 1_000
"""Types of one collection; one with more is found by its gitoid alone."""
BATCH = 500
MAX_BATCH_BYTES = 32 << 20
MAX_STEPS = 8
"""Batches that a reader makes up itself before it says that the index is not level yet."""

_ENTRIES = (
    f'SELECT e."index", {PREDICATE_TYPE}, v.content FROM log_entry e'  # noqa: S608 our own text
    ' JOIN log_envelope v ON v.entry_id = e."index"'
    ' WHERE e.kind = %s AND e."index" >= %s AND e."index" < %s ORDER BY e."index"'
)
_LOOK = "SELECT (SELECT indexed FROM archive_state WHERE id = 1), (SELECT size FROM log_head WHERE id = 1)"
_START = "INSERT INTO archive_state (id, indexed) VALUES (1, 0) ON CONFLICT (id) DO NOTHING"
_MOVE = "UPDATE archive_state SET indexed = %s WHERE id = 1 AND indexed = %s"
_GITOIDS = Table("archive_gitoid", (("entry_index", "int8"), ("gitoid", "text")))
_COLLECTIONS = Table("archive_collection", (("entry_index", "int8"), ("name", "text"), ("attestors", "text")))
_SUBJECTS = Table("archive_subject", (("value", "text"), ("entry_index", "int8")))


class _Attestor(msgspec.Struct):
    type: str


class _Collection(msgspec.Struct):
    name: str
    attestations: list[_Attestor]


_DECODER = msgspec.json.Decoder(_Collection)


@dataclass(slots=True)
class _Rows:
    gitoids: list[Row] = field(default_factory=list)
    collections: list[Row] = field(default_factory=list)
    subjects: list[Row] = field(default_factory=list)


def gitoid(data: bytes) -> str:
    """The gitoid of exact bytes, 64 hex digits without a prefix.

    Source: git's object format, with SHA-256; Archivista, pkg/server.
    """
    return hashlib.sha256(b"blob %d\0" % len(data) + data).hexdigest()


def want() -> None:
    """Somebody uses Archivista's API: from now on the index is to be made."""
    if watermark() is None:
        with direct.cursor(connection) as cursor:
            cursor.execute(_START)


def watermark() -> int | None:
    """Entries below this index are in the tables; None where nobody has wanted them yet."""
    return _look()[0]


def step(limit: int = BATCH) -> int:
    """Take in the next entries, at most `limit`; returns how many, 0 where none is missing or wanted."""
    while True:
        start, size = _look()
        if start is None or start >= size:
            return 0
        end, rows = _read(start, min(start + limit, size))
        if _write(start, end, rows):
            return end - start


def make_level() -> None:
    """Bring the tables up to the log as it is now, where little is missing.

    Raises: UnavailableError where much is: whoever asks now must not be told that there is nothing.
    """
    done, wanted = _look()
    if done is None:
        want()
        done = 0
    for _ in range(MAX_STEPS):
        if done >= wanted or step() == 0:
            return
        done = watermark() or 0
    if done < wanted:
        wake.soon()
        raise UnavailableError(
            f"The index of envelopes is still being made: {done:,} of {wanted:,} entries are in it.",
            hint="Ask again in a minute.",
        )


def erase(indexes: Iterable[int]) -> None:
    """Forget what the tables hold of redacted entries, in the caller's transaction."""
    listed = list(indexes)
    for table in (ArchiveGitoid, ArchiveCollection, ArchiveSubject):
        table.objects.filter(entry_index__in=listed).delete()


def _look() -> tuple[int | None, int]:
    """Below which index entries are in the tables, None where there is no index; and how many the log has."""
    ((indexed, size),) = prepared.fetch(_LOOK)
    return indexed, size or 0


def _read(start: int, end: int) -> tuple[int, _Rows]:
    """The rows of the entries from `start` on, and up to where: some large envelopes are a batch."""
    rows, size = _Rows(), 0
    with direct.cursor(connection) as cursor:
        cursor.execute(_ENTRIES, [kind_number(Entry.Kind.ATTESTATION), start, end])
        for index, predicate_type, stored in cursor:
            content = unpack(bytes(stored))
            if size and size + len(content) > MAX_BATCH_BYTES:
                return index, rows
            size += len(content)
            rows.gitoids.append((index, gitoid(content)))
            if predicate_type in COLLECTION_TYPES:
                _add_collection(rows, index, content)
    return end, rows


def _add_collection(rows: _Rows, index: int, content: bytes) -> None:
    """A collection's rows. A bundle has none: Witness reads plain envelopes alone."""
    try:
        opened = open_signed(content)
        said = statement.parse(opened.envelope.payload_type, opened.envelope.payload)
        found = _DECODER.decode(said.predicate)
    except (LineageError, msgspec.DecodeError, UnicodeDecodeError):
        return  # which its page says; nothing that reads collections could read it
    attestors = list(dict.fromkeys(each.type for each in found.attestations))
    if opened.bundle is not None or len(attestors) > MAX_ATTESTORS:
        return
    rows.collections.append((index, indexed(found.name), json.dumps([indexed(each) for each in attestors])))
    values = dict.fromkeys(indexed(v) for subject in said.subjects for v in subject.digests.values())
    rows.subjects += ((value, index) for value in values)


def _write(start: int, end: int, rows: _Rows) -> bool:
    """False where another process has moved the watermark meanwhile."""
    with sql.unsynced(connection, "main"):
        with direct.cursor(connection) as cursor:
            cursor.execute(_MOVE, [end, start])
            if cursor.rowcount != 1:
                return False
        bulk.insert(connection, _GITOIDS, rows.gitoids)
        bulk.insert(connection, _COLLECTIONS, rows.collections)
        bulk.insert(connection, _SUBJECTS, rows.subjects)
    return True
