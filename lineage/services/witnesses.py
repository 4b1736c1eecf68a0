"""Witnesses: who saw which checkpoint, so that nobody can show two logs under one name unseen.

Owns: asking configured witnesses for cosignatures of the newest checkpoint, verifying and keeping them, how
each one fares. Nothing waits for them: checkpoints are published, served and used in proofs without.
Does not own: the form (`trust.cosignature`), the request (`net.witness`).

Source: C2SP tlog-witness and tlog-cosignature.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from django.db import connection
from django.db.models import Max, QuerySet

from lineage.config import current
from lineage.db.models import Checkpoint, Cosignature, WitnessState
from lineage.errors import LineageError, LogIntegrityError, UnavailableError
from lineage.net import guard, witness
from lineage.services import epochs, log_hashes, publish
from lineage.services.clock import now_us
from lineage.services.job_lease import Lease, Result
from lineage.trust import cosignature, merkle
from lineage.trust.dsse import encode_base64
from lineage.witness_settings import Witness

KIND = "witness"
MAX_ASKS = 3
"""Of one witness in a row: the first answer tells which tree it knows."""
CLOCKS_APART_US = 600_000_000
"""A witness whose time is further from ours says nothing about now."""
FIRST_PAUSE_US, LONGEST_PAUSE_US = 5_000_000, 300_000_000
LATE_US = 900_000_000
"""A witness that is this far behind is told as behind."""
PREFER_WITNESSED_US = 600_000_000
"""In proofs a witnessed checkpoint is taken rather than a newer one, if it is at most this much older."""

_LINES = "SELECT line FROM log_cosignature WHERE size = %s ORDER BY witness, key_hash"


class Published(NamedTuple):
    """A checkpoint as it is stored."""

    size: int
    note: bytes
    published_us: int


class ContradictionError(LogIntegrityError):
    """A witness has seen another log under this name than this database holds."""


@dataclass(frozen=True, slots=True)
class State:
    """How one witness fares: `size` and `at_us` (its own time) of what it cosigned last, 0: nothing yet."""

    witness: Witness
    size: int
    at_us: int
    asked_us: int
    failures: int
    error: str
    contradicts: bool


# What is known


def cosignatures(size: int) -> list[bytes]:
    """The signature lines that are kept of the checkpoint of `size` entries, each with its newline."""
    with connection.cursor() as cursor:  # plain SQL: every proof asks where there are witnesses
        cursor.execute(_LINES, [size])
        return [bytes(line) for (line,) in cursor.fetchall()]


def cosigned(checkpoint: Checkpoint) -> bytes:
    """The checkpoint's note with the cosignatures that there are by now."""
    return bytes(checkpoint.note) + b"".join(cosignatures(checkpoint.size))


def newest_witnessed() -> tuple[int, list[str], int] | None:
    """Of the newest checkpoint with cosignatures: size, witnesses' names, the latest of their times (µs)."""
    size = Cosignature.objects.aggregate(size=Max("size"))["size"]
    if size is None:
        return None
    rows = list(Cosignature.objects.filter(size=size).order_by("witness").values_list("witness", "at_us"))
    return size, [name for name, _ in rows], max(at_us for _, at_us in rows)


def for_proof(newest: Published, size: int, since: int) -> Published:
    """The checkpoint by which an entry is proved.

    The newest; where that has no cosignature yet, one that has, covers the entry, and is hardly older.
    `size`: of the newest such. `since`: where the epoch of the newest began.
    """
    # Not one of an earlier name: who gets a proof now knows the log by the name that it has now.
    if size == newest.size or size <= since:
        return newest
    row = Checkpoint.objects.filter(pk=size).values_list("size", "note", "published_us").first()
    seen = newest if row is None else Published(row[0], bytes(row[1]), row[2])
    return newest if newest.published_us - seen.published_us > PREFER_WITNESSED_US else seen


def states() -> list[State]:
    """Of every configured witness, in the order of the setting."""
    told = {row.witness: row for row in WitnessState.objects.all()}
    return [_state(each, told.get(each.key)) for each in current().witnesses]


def _state(each: Witness, row: WitnessState | None) -> State:
    last = _theirs(each).order_by("-size").first()
    size, at_us = (0, 0) if last is None else (last.size, last.at_us)
    if row is None:
        return State(each, size, at_us, 0, 0, "", False)
    return State(each, size, at_us, row.asked_us, row.failures, row.error, row.contradicts)


def _theirs(each: Witness) -> QuerySet[Cosignature]:
    return Cosignature.objects.filter(witness=each.name, key_hash=each.key_hash)


def trouble(found: Iterable[State], published: int, at_us: int) -> list[str]:
    """What is wrong with each witness, a sentence each: contradictions first. Empty where nothing is."""
    told = sorted(found, key=lambda each: not each.contradicts)
    return [words for each in told if (words := _wrong(each, published, at_us))]


def _wrong(each: State, published: int, at_us: int) -> str:
    if each.contradicts:
        return f"{each.witness.name} contradicts this log: {each.error}"
    if each.size >= published or not (each.failures or each.asked_us):
        return ""
    if each.error and at_us - each.at_us > LATE_US:
        return f"{each.witness.name} has cosigned {each.size} of {published} entries: {each.error}"
    return ""


# Asking


def due(at_us: int) -> Iterable[tuple[str, Mapping[str, object]]]:
    """A job for each witness that has not cosigned the newest checkpoint and is not left alone for now."""
    size = publish.published_size()
    for state in states() if size and current().witnesses else ():
        pause = min(LONGEST_PAUSE_US, FIRST_PAUSE_US << min(state.failures, 10)) if state.failures else 0
        # A time that is still to come was written by a clock that was ahead.
        rested = state.asked_us + pause <= at_us or state.asked_us > at_us
        if state.size < size and rested:
            yield state.witness.key, {}


def run(lease: Lease) -> Result:
    """Ask the witness that the job's key names. What it lacks is told in its state, and asked for again."""
    for each in current().witnesses:
        if each.key == lease.key:
            size = ask(each)
            return {"cosigned": size} if size else {"cosigned": 0, "error": _told(each)}
    return {"cosigned": 0, "error": "The witness is configured no more."}


def _told(each: Witness) -> str:
    return WitnessState.objects.values_list("error", flat=True).get(pk=each.key)


def ask(each: Witness) -> int:
    """Ask for a cosignature of the newest checkpoint; its size, 0 where it was not given.

    Why not is told in the witness's state. Never raises for what a witness does.
    """
    newest = publish.newest()
    if newest is None:
        return 0
    try:
        found = _asked(each, newest)
    except LineageError as error:
        _fared(each, error)
        return 0
    Cosignature.objects.bulk_create(
        [
            Cosignature(
                size=newest.size,
                witness=each.name,
                key_hash=each.key_hash,
                line=found.line,
                at_us=found.at_us,
            )
        ],
        ignore_conflicts=True,  # another worker was given one a moment ago
    )
    _fared(each, None)
    return newest.size


def _asked(each: Witness, newest: Checkpoint) -> cosignature.Cosignature:
    key = cosignature.parse_witness_key(each.verifier_key)
    allowed = guard.networks(current().private_networks)
    # What it cosigned in an earlier epoch was another log to it, by its name.
    since = epochs.at(newest.size).from_size
    old = _theirs(each).filter(size__gt=since).aggregate(size=Max("size"))["size"] or 0
    for _ in range(MAX_ASKS):
        answer = witness.add_checkpoint(each.url, request(old, newest), allowed)
        if answer.inconsistent:
            raise ContradictionError(f"{each.name} says that this log does not extend what it saw at {old}.")
        if answer.size is None:
            found = cosignature.answered(bytes(newest.note), answer.lines, key)
            if abs(found.at_us - now_us()) > CLOCKS_APART_US:
                raise LogIntegrityError(
                    f"{each.name} says another time than it is here; its clock or ours is wrong."
                )
            return found
        if answer.size > newest.size:
            published = publish.published_size()
            if answer.size <= published:
                raise UnavailableError(f"{each.name} was asked about a newer checkpoint meanwhile.")
            raise ContradictionError(
                f"{each.name} has seen {answer.size} entries of this log; {published} are published here."
            )
        if answer.size == newest.size == old:
            raise ContradictionError(f"{each.name} has cosigned another tree of {old} entries of this log.")
        old = answer.size
    raise LogIntegrityError(f"{each.name} names another tree each time it is asked.")


def request(old: int, newest: Checkpoint) -> bytes:
    """The body of add-checkpoint: that the tree of `newest` extends the one of `old` entries."""
    hashes: tuple[bytes, ...] = ()
    if 0 < old < newest.size:
        hashes = merkle.consistency_proof(old, newest.size, log_hashes.reader(newest.size))
    proof = "".join(f"{encode_base64(each)}\n" for each in hashes)
    return f"old {old}\n{proof}\n".encode() + bytes(newest.note)


def _fared(each: Witness, error: LineageError | None) -> None:
    row = WitnessState.objects.filter(pk=each.key).first()
    failures = 0 if error is None else 1 + (0 if row is None else row.failures)
    WitnessState.objects.update_or_create(
        witness=each.key,
        defaults={
            "asked_us": now_us(),
            "failures": failures,
            "error": "" if error is None else error.message[:500],
            # Only a cosignature takes it back: a witness that is away has not changed its mind.
            "contradicts": error is not None
            and (isinstance(error, ContradictionError) or (row is not None and row.contradicts)),
        },
    )
