"""The decision that begins an epoch of the log: writing its statement, reading it, what it does to the ring.

It names the published checkpoint that was lost, with the note as it was signed, so that whoever holds that
checkpoint finds in the log itself that it was given up, by whom, and why.

Owns: the body of new-epoch. Does not own: names (`epochs`), whether something was lost
(`services.high_water`), who may decide, or the form around the body (`decision_form`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import msgspec

from lineage.errors import MalformedError
from lineage.trust import checkpoint, decision_form, epochs, platform_decisions
from lineage.trust.decision_form import Decision
from lineage.trust.digest import sha256_hex
from lineage.trust.epochs import Began, Lost
from lineage.trust.policy import KeyRing
from lineage.trust.statement import Statement

NEW_EPOCH = "new-epoch"
MAX_NOTE_BYTES = 65_536
MAX_REASON = 2_000
_HEX = frozenset("0123456789abcdef")


class LostBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The newest published checkpoint that the log lacks; `root` is lowercase hex, `note` as signed."""

    origin: str
    size: int
    root: str
    note: str


class NewEpoch(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Epoch `epoch` follows `before`: the log goes on from `from_size` entries, which is this one's index."""

    epoch: int
    before: int
    from_size: int
    lost: LostBody
    reason: str

    def began(self) -> Began:
        """Raises: ValueError where the root is no hex, which `read` excludes."""
        lost = Lost(self.lost.origin, self.lost.size, bytes.fromhex(self.lost.root))
        return Began(self.epoch, self.from_size, lost)


_BODY = msgspec.json.Decoder(NewEpoch)


def build(person: str, at_us: int, body: NewEpoch) -> bytes:
    """The decision's payload. Its subject is the lost checkpoint, by the SHA-256 of its note."""
    return decision_form.build(
        NEW_EPOCH, person, at_us, body=msgspec.to_builtins(body), subjects=[(_called(body), _digest(body))]
    )


def read(decision: Decision, statement: Statement) -> NewEpoch:
    """The body of a decision whose action is `NEW_EPOCH`, in the statement `statement`.

    Raises: MalformedError as `read_body`, or for a subject that is not the lost checkpoint.
    """
    body = read_body(decision.body)
    if [dict(subject.digests) for subject in statement.subjects] != [_digest(body)]:
        raise MalformedError(
            "The lost checkpoint is not the decision's only subject.", where="$.predicate.body.lost.note"
        )
    return body


def read_body(data: bytes) -> NewEpoch:
    """Raises: MalformedError for another form, numbers out of bounds, no reason, or a note of another tree.

    Who signed the note is not asked: its key may be one that was lost with the entries.
    """
    body = decision_form.read_body(_BODY, data)
    if not 1 <= body.before < body.epoch <= epochs.MAX_NUMBER:
        raise MalformedError(
            f"An epoch's number is over that of the one before, and at most {epochs.MAX_NUMBER:,}.",
            where="$.predicate.body.epoch",
        )
    if not 1 <= body.from_size < 1 << 63:
        raise MalformedError(
            "An epoch begins at an entry after the first.", where="$.predicate.body.fromSize"
        )
    if not body.reason.strip() or len(body.reason) > MAX_REASON:
        raise MalformedError("The decision says why.", where="$.predicate.body.reason")
    _check_lost(body.lost)
    return body


def _check_lost(lost: LostBody) -> None:
    where = "$.predicate.body.lost"
    if len(lost.root) != 64 or not set(lost.root) <= _HEX:
        raise MalformedError("A root is 64 lowercase hex digits.", where=f"{where}.root")
    note = lost.note.encode("utf-8")
    if len(note) > MAX_NOTE_BYTES:
        raise MalformedError(f"A note has at most {MAX_NOTE_BYTES:,} bytes here.", where=f"{where}.note")
    text, _ = checkpoint.split_note(note)
    said = checkpoint.parse_body(text)
    if (said.origin, said.size, said.root.hex()) != (lost.origin, lost.size, lost.root) or said.size < 1:
        raise MalformedError("The note is of another checkpoint than the one named.", where=f"{where}.note")


def told(decision: Decision, statement: Statement) -> tuple[tuple[str, str], ...]:
    """The decision as rows (label, text) for people. Raises: MalformedError."""
    body = read(decision, statement)
    return (
        ("New epoch", f"{body.epoch}, after epoch {body.before}, from {body.from_size:,} entries on"),
        ("Lost", f"what {body.lost.origin} had published: {body.lost.size:,} entries"),
        ("Lost root", body.lost.root),
        ("Reason", body.reason),
    )


def _apply(ring: KeyRing, data: bytes, index: int, received_us: int) -> KeyRing:
    body = read_body(data)
    if body.from_size != index:
        raise MalformedError(f"The epoch goes on from {body.from_size} entries, but there are {index}.")
    before = ring.epochs[-1].number if ring.epochs else 1
    if body.before != before:
        raise MalformedError(f"The epoch follows epoch {body.before}, but the log is in epoch {before}.")
    origin = platform_decisions.origin_of(ring.past)
    lost = epochs.number_of(origin, body.lost.origin)
    if lost is None:
        raise MalformedError(f"What was lost is of the log {body.lost.origin}, which is another one.")
    if body.epoch <= lost:
        # Its name has a tree already that is not this one.
        raise MalformedError(f"Epoch {lost} had published already; the next is {lost + 1} at least.")
    began = body.began()
    if any(each.lost == began.lost for each in ring.epochs):
        raise MalformedError("That checkpoint was given up as lost already.")
    return ring.begin(began, index)


_Apply = Callable[[KeyRing, bytes, int, int], KeyRing]
APPLY: Mapping[str, _Apply] = MappingProxyType({NEW_EPOCH: _apply})
"""Action → the ring after it. Raises MalformedError for a wrong body, or one that the ring forbids."""


def _called(body: NewEpoch) -> str:
    return f"checkpoint of {body.lost.origin} at {body.lost.size} entries"


def _digest(body: NewEpoch) -> dict[str, str]:
    return {"sha256": sha256_hex(body.lost.note.encode("utf-8"))}
