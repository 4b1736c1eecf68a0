"""The collector's observations of MLflow as they stand in the log: one by one, and back from each.

Owns: reading entries, and walking from a thing's newest record to the ones before. Does not own: which
entries a page wants (`observations`, `registered_models`), what an observation means (`lineage.predicates`).

Whether a record is its subject's was checked when the entry was signed and when it was projected; here only
the members that pages show are read, because a record may have megabytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from lineage.db.models import Entry, Envelope
from lineage.errors import LineageError
from lineage.graph.model import artifact_key, run_key
from lineage.predicates import wire
from lineage.predicates.artifact_refs import Descriptor
from lineage.predicates.mlflow_observation import TYPE, builder_id
from lineage.predicates.mlflow_reading import Change, Previous
from lineage.predicates.wire import Wire
from lineage.services import belief, trust_cutoffs, withdrawals
from lineage.services.as_of import AsOf
from lineage.trust import dsse, statement
from lineage.trust.leaf import rfc3339

MAX_STEPS = 2_000
"""Records that are walked back over from one thing's newest."""

OF_RUNS = frozenset({"run", "run-files", "run-lineage"})
_CHUNK = 100

Thing = tuple[str, str, str]
"""Source, kind, MLflow's id."""


class Observed(msgspec.Struct, frozen=True):
    """One observation. `at` is RFC 3339: when it was looked at.

    Attributes:
        index, digest: the log entry, and its envelope (`sha256:…`).
        key: node key of the run or artifact that it is about; "" where it is about none.
        first: there was no record before.
        changes: what was another in the record before; `after_end`: that one was of something finished.
        readable: False where the envelope is no longer stored or not understood: the other members are empty
            then, `at` is when the entry was received.
    """

    index: int
    digest: str
    at: str
    source: str = ""
    kind: str = ""
    id: str = ""
    state: str = ""
    name: str = ""
    key: str = ""
    run: str = ""
    first: bool = False
    changes: tuple[Change, ...] = ()
    after_end: bool = False
    gaps: tuple[str, ...] = ()
    readable: bool = True


class _Object(Wire, frozen=True):
    kind: str
    id: str
    state: str
    name: str = ""


class _Told(Wire, frozen=True):
    """The members of the predicate that are read here."""

    source: str
    object: _Object
    observed_at: str
    record: msgspec.Raw
    previous: Previous | None = None
    changes: tuple[Change, ...] = ()
    after_end: bool = False
    gaps: tuple[str, ...] = ()
    about: tuple[Descriptor, ...] = ()
    run: str = ""


class Read(msgspec.Struct, frozen=True):
    """An observation with what a walk needs.

    `believed`: its signer's key was not revoked for it, and nobody took it back. `record` is JSON; `before`
    the log index of the record before, None for the first.
    """

    observed: Observed
    believed: bool
    record: bytes = b"{}"
    before: int | None = None


_DECODER = msgspec.json.Decoder(_Told)


def content(read: Read) -> dict[str, Any]:
    """The record; empty where it cannot be read."""
    found = msgspec.json.decode(read.record)
    return found if isinstance(found, dict) else {}


def load(indexes: Iterable[int], as_of: AsOf) -> dict[int, Read]:
    """Those of these entries that are observations by our collector. The caller sees to the tree size."""
    cutoffs = trust_cutoffs.cutoffs(belief.ring(as_of))
    withdrawn = withdrawals.entries(as_of.size)
    wanted = sorted(set(indexes))
    found: dict[int, Read] = {}
    for start in range(0, len(wanted), _CHUNK):
        rows = Entry.objects.filter(
            index__in=wanted[start : start + _CHUNK], kind=Entry.Kind.OBSERVATION, predicate_type=TYPE
        )
        entries = list(rows)
        stored = Envelope.objects.in_bulk([entry.index for entry in entries])
        for entry in entries:
            envelope = stored.get(entry.index)
            read = _read(entry, bytes(envelope.content) if envelope else None, cutoffs)
            if entry.index in withdrawn:
                read = msgspec.structs.replace(read, believed=False)
            found[entry.index] = read
    return found


def back(starts: Mapping[Thing, int], as_of: AsOf, *, most: int, floor: int = 0) -> dict[Thing, list[Read]]:
    """For each thing its observations as of the moment, newest first, at most `most` and none below `floor`.

    `starts` are the newest entries that are known of each, which may be later than the moment. What is not
    believed is walked over. An entry that cannot be read ends its thing's walk, and stands there as the last.
    """
    found: dict[Thing, list[Read]] = {thing: [] for thing in starts}
    pending = dict(starts)
    for _ in range(MAX_STEPS):
        if not pending:
            break
        reads = load(pending.values(), as_of)
        following: dict[Thing, int] = {}
        for thing, index in pending.items():
            read = reads.get(index)
            if read is None:
                continue
            if index < as_of.size and read.believed:
                found[thing].append(read)
            before = read.before
            if before is not None and floor <= before < index and len(found[thing]) < most:
                following[thing] = before
        pending = following
    return found


def _read(entry: Entry, envelope: bytes | None, cutoffs: Mapping[str, int]) -> Read:
    digest = f"sha256:{entry.envelope_digest}"
    believed = any(entry.index < cutoffs.get(key, entry.index + 1) for key in entry.key_ids.split(","))
    told = _told(envelope) if envelope is not None else None
    if told is None:
        unread = Observed(entry.index, digest, rfc3339(entry.received_us), readable=False)
        return Read(unread, believed)
    observed = Observed(
        index=entry.index,
        digest=digest,
        at=told.observed_at,
        source=told.source,
        kind=told.object.kind,
        id=told.object.id,
        state=told.object.state,
        name=told.object.name or told.object.id,
        key=_key(told),
        run=told.run or (told.object.id if told.object.kind in OF_RUNS else ""),
        first=told.previous is None,
        changes=told.changes,
        after_end=told.after_end,
        gaps=told.gaps,
    )
    before = told.previous.entry if told.previous else None
    return Read(observed, believed, bytes(told.record), before)


def _told(envelope: bytes) -> _Told | None:
    try:
        parsed = dsse.parse(envelope)
        said = statement.parse(parsed.payload_type, parsed.payload)
        return wire.read(_DECODER, said.predicate)
    except LineageError:
        return None


def _key(told: _Told) -> str:
    if told.object.kind in OF_RUNS:
        return run_key(builder_id(told.source), told.object.id, "")
    keys = (artifact_key(each.digest or {}) for each in told.about)
    return next((key for key in keys if key), "")
