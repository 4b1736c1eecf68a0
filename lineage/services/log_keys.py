"""The log's own keys and names over time, and which of them may be on a checkpoint of some size.

Whoever has an old key of the log, stolen or left over, makes no checkpoint with it that covers the decision
which ended it; nor does a checkpoint that covers the decision which began an epoch go by an older name.
Owns: that rule. Does not own: signing (`publish`), or the decisions (`trust.believed`, `trust.epochs`).
"""

from __future__ import annotations

from dataclasses import dataclass

from lineage.errors import LogIntegrityError, SignerUnknownError
from lineage.trust import believed, epochs
from lineage.trust import checkpoint as notes
from lineage.trust.checkpoint import Checkpoint
from lineage.trust.policy import KeyRing


@dataclass(frozen=True, slots=True)
class LogKey:
    """A key that signs checkpoints, with the name that it signs under: from the size after entry `since` on.

    `epoch`: the one whose name it is. `not_after_us`: until then it signs beside its successor; None for the
    key of now and for one that was replaced. `revoked` says why it is not to be believed, "" where it is.
    """

    verifier_key: str
    key_id: str
    since: int
    not_after_us: int | None
    revoked: str
    epoch: int = 1


class LogKeys:
    """Every key of the log named `origin` that the decisions in `ring` know."""

    def __init__(self, origin: str, ring: KeyRing) -> None:
        """Raises: LogIntegrityError where there is none."""
        self.origin = origin
        self._ring = ring
        self._held = believed.held_since(ring, "log")
        if not self._held:
            raise LogIntegrityError("the log names no log key of the platform")

    def name(self, size: int) -> str:
        """The name on a checkpoint of `size` entries: the log's origin, or its epoch's."""
        return epochs.at(self.origin, self._ring.epochs, size).origin

    def all(self) -> list[LogKey]:
        """Newest first: a verifier key for each key, and for each name that it has signed under."""
        begun = self._ring.epochs
        since = sorted({index for index, _ in self._held} | {each.from_size for each in begun}, reverse=True)
        return [self._told(index) for index in since]

    def _told(self, since: int) -> LogKey:
        """What signs from the size after entry `since` on."""
        epoch = epochs.at(self.origin, self._ring.epochs, since + 1)
        key = [key for index, key in self._held if index <= since][-1]
        registration = self._ring.keys[key.key_id]
        reasons = [each.reason for each in self._ring.effective.get(key.key_id, ())]
        return LogKey(
            notes.verifier_key(epoch.origin, key),
            key.key_id,
            since,
            registration.not_after_us,
            reasons[0] if reasons else "",
            epoch.number,
        )

    def verify(self, note: bytes, size: int) -> Checkpoint:
        """The checkpoint in a note that is said to be of `size` entries, signed under the name of that size.

        It may be signed by the key of that size, or by a later one where signing lagged behind the log. That
        it says that size, and that name within, is for the caller to compare.

        Raises: MalformedError, SignerUnknownError, SignatureRefutedError, as `checkpoint.verify`.
        """
        name = self.name(size)
        first = max((n for n, (since, _) in enumerate(self._held) if since < size), default=0)
        unknown = SignerUnknownError("No key of the log signed the checkpoint.")
        for _, key in self._held[first:]:
            try:
                return notes.verify(note, notes.verifier_key(name, key))
            except SignerUnknownError as error:
                unknown = error
        raise unknown


def overlapping(ring: KeyRing, at_us: int) -> list[str]:
    """Ids of earlier log keys that sign beside the one of now (µs), for clients who know only them."""
    holder = ring.holder("log")
    return [
        key_id
        for key_id, known in ring.own.items()
        if known.role == "log" and known.key != holder and ring.in_force(key_id, at_us) is None
    ]
