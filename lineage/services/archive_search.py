"""Finding envelopes as Archivista's clients do: by gitoid, by a subject's digest, by a collection's name.

Owns: the queries, and that nothing comes back that is not believed: Witness gives up its whole search over
one collection that it can't read, so whoever lost their key must not be able to end everybody's.
Does not own: the tables (`archive`), GraphQL.
"""

# ruff: noqa: S608  (only constants are formatted into SQL; every value is a parameter)

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from lineage.db.digest_fields import packed
from lineage.db.models import ArchiveGitoid, Entry, EntrySigner, Envelope, LogHead
from lineage.errors import MalformedError, NotFoundError, TooLargeError
from lineage.graph.sql_query import Sql, fetch, text_table
from lineage.services import archive, keyring, records, trust_cutoffs, withdrawals
from lineage.services.log_text import indexed
from lineage.trust import statement
from lineage.trust.opened import open_signed
from lineage.trust.policy import KeyRing

MAX_VALUES = 100_000
"""Digests or gitoids that one question names."""
MAX_FOUND = 100_000
"""Envelopes of one answer, which has no pages."""
_CHUNK = 500
_GITOID = re.compile(r"[0-9a-f]{64}", re.ASCII)

_COLLECTIONS = (
    "SELECT g.entry_index, g.gitoid, c.name, c.attestors FROM archive_collection c"
    " JOIN archive_gitoid g ON g.entry_index = c.entry_index WHERE "
)
_ANY = (
    "SELECT g.entry_index, g.gitoid, c.name, c.attestors FROM archive_gitoid g"
    " LEFT JOIN archive_collection c ON c.entry_index = g.entry_index WHERE "
)
_SUBJECT = "{}.entry_index IN (SELECT s.entry_index FROM archive_subject s JOIN {} w ON s.value = w.value)"
_DIGEST = "g.entry_index IN (SELECT s.entry_id FROM log_entry_subject s WHERE s.digest = %s)"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a question asks for; None asks nothing. All that is said must hold, lists mean any of them.

    Attributes:
        gitoids, excluded: that are wanted, and that are not.
        collection: the name of a Witness collection; "" any collection. None: whatever statement.
        attestors: types of which the collection has one.
        values: of a subject's digest, whatever its algorithm: of collections alone.
        digest: `<algorithm>:<value>` of a subject.
    """

    gitoids: Sequence[str] | None = None
    excluded: Collection[str] = ()
    collection: str | None = None
    attestors: Sequence[str] | None = None
    values: Sequence[str] | None = None
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """One envelope. `collection` is None where it is no collection."""

    index: int
    gitoid: str
    predicate_type: str
    collection: str | None
    attestors: tuple[str, ...]


def search(wanted: Wanted) -> list[Found]:
    """What is believed of what is asked for, in log order.

    Raises: MalformedError where nothing narrows it; TooLargeError; UnavailableError while the index is made.
    """
    for named in (wanted.gitoids, wanted.values, wanted.excluded, wanted.attestors):
        if named is not None and len(named) > MAX_VALUES:
            raise TooLargeError(f"A question names at most {MAX_VALUES:,} values.", limit=MAX_VALUES)
    query, params = _query(wanted)
    archive.make_level()
    rows = fetch(f"{query} ORDER BY g.entry_index LIMIT {MAX_FOUND + 1}", params)
    if len(rows) > MAX_FOUND:
        raise TooLargeError(f"More than {MAX_FOUND:,} envelopes are meant: ask for less.", limit=MAX_FOUND)
    excluded, attestors = frozenset(wanted.excluded), frozenset(map(indexed, wanted.attestors or ()))
    kept = []
    for index, gitoid, name, types in rows:
        listed = tuple(json.loads(types)) if types else ()
        if gitoid not in excluded and (not wanted.attestors or not attestors.isdisjoint(listed)):
            kept.append((index, gitoid, name, listed))
    believed = {entry.index: entry for entry in _believed([row[0] for row in kept])}
    return [
        Found(index, gitoid, believed[index].predicate_type, name, listed)
        for index, gitoid, name, listed in kept
        if index in believed
    ]


def _query(wanted: Wanted) -> Sql:
    conditions: list[str] = []
    params: list[object] = []
    of_collections = wanted.collection is not None
    if wanted.gitoids is not None:
        table, value = text_table([each for each in wanted.gitoids if _GITOID.fullmatch(each)])
        conditions.append(f"g.gitoid IN (SELECT value FROM {table} w)")
        params += value
    if wanted.digest is not None:
        conditions.append(_DIGEST)
        params.append(packed(indexed(wanted.digest)))
    if wanted.values is not None:
        if not of_collections:
            raise MalformedError("Name the digest's algorithm, or ask for collections.", where="valueIn")
        table, value = text_table(
            sorted({indexed(v) for each in wanted.values for v in (each, each.lower())})
        )
        conditions.append(_SUBJECT.format("c", table))
        params += value
    if wanted.collection:
        conditions.append("c.name = %s")
        params.append(indexed(wanted.collection))
    if not conditions:
        raise MalformedError("Say what is meant: a gitoid, a subject's digest, or a collection's name.")
    return (_COLLECTIONS if of_collections else _ANY) + " AND ".join(conditions), params


def envelope(gitoid: str) -> bytes:
    """The exact bytes with this gitoid.

    Raises: NotFoundError; RedactedError where a decision took them away; UnavailableError while the index is
        made; LogIntegrityError where they are others.
    """
    index = _index(gitoid)
    if index is None and _GITOID.fullmatch(gitoid):
        archive.make_level()
        index = _index(gitoid)
    if index is None:
        raise NotFoundError(f"No attestation has the gitoid {gitoid[:100]}.")
    digest = Entry.objects.values_list("envelope_digest", flat=True).get(pk=index)
    return records.envelope(f"sha256:{digest}")


def subjects(gitoid: str) -> tuple[statement.ResourceDescriptor, ...]:
    """What the statement with this gitoid is about; nothing where none is believed. Raises: as `search`."""
    found = search(Wanted(gitoids=[gitoid]))
    if not found:
        return ()
    return _parsed(Entry.objects.get(pk=found[0].index)).subjects


def _index(gitoid: str) -> int | None:
    if not _GITOID.fullmatch(gitoid):
        return None
    return ArchiveGitoid.objects.filter(gitoid=gitoid).values_list("entry_index", flat=True).first()


def _believed(indexes: Sequence[int]) -> Iterator[Entry]:
    """The entries that a signer stands for now: nobody withdrew, revoked or redacted them."""
    size = LogHead.objects.values_list("size", flat=True).get(pk=1)
    ring = keyring.current()
    withdrawn = {each.statement for each in withdrawals.below(size)}
    for start in range(0, len(indexes), _CHUNK):
        chunk = indexes[start : start + _CHUNK]
        entries = list(Entry.objects.filter(index__in=chunk))
        stored = set(Envelope.objects.filter(pk__in=chunk).values_list("pk", flat=True))
        suspected = _suspected(chunk, ring)
        for entry in entries:
            if entry.index not in stored or entry.statement_digest in withdrawn:
                continue
            if entry.index not in suspected or _still_believed(entry, ring):
                yield entry


def _suspected(indexes: Iterable[int], ring: KeyRing) -> set[int]:
    """Those with a signer of whom there is a revocation, whenever that was."""
    if not ring.effective:
        return set()
    rows = EntrySigner.objects.filter(entry_id__in=list(indexes), signer__key_id__in=list(ring.effective))
    return set(rows.values_list("entry_id", flat=True))


def _still_believed(entry: Entry, ring: KeyRing) -> bool:
    return trust_cutoffs.entry_trust(entry, _parsed(entry), ring) != trust_cutoffs.REVOKED


def _parsed(entry: Entry) -> statement.Statement:
    """Raises: RedactedError, LogIntegrityError as `records.envelope`."""
    opened = open_signed(records.envelope(f"sha256:{entry.envelope_digest}")).envelope
    return statement.parse(opened.payload_type, opened.payload)
