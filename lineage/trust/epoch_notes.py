"""What a verifier is told of a checkpoint that goes by another epoch's name than the one that they pinned.

Nobody is led on by themselves: a new epoch is where the log admits that it lost what it had published, or
where its operator hides something behind that. So it is inconclusive until a person has pinned the new name.

Owns: telling that case from an unknown signer, and its words. Does not own: the names (`epochs`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lineage.errors import SignerUnknownError
from lineage.trust import checkpoint, epochs


@dataclass(frozen=True, slots=True)
class OtherEpoch:
    """The note is of epoch `number`, signed by a key that was given for epoch `given`.

    `verifier_key` is that key under the name that the note goes by.
    """

    number: int
    given: int
    origin: str
    verifier_key: str

    def sentence(self) -> str:
        """What it means, and what to do."""
        if self.number > self.given:
            return (
                f"The checkpoint is of epoch {self.number} of this log, {self.origin}, and the key that was"
                f" given is epoch {self.given}'s: an older state of the log was put back, and entries that it"
                " had published were lost. The log's decision new-epoch says which, who decided so and why."
                f" Whoever accepts that gives --root {self.verifier_key}"
            )
        return (
            f"The checkpoint is of epoch {self.number} of this log, {self.origin}, and the key that was given"
            f" is epoch {self.given}'s: an older state of the log was put back since, and the entry may be"
            " among those that were lost. To verify what the log said then, give --root"
            f" {self.verifier_key} as well"
        )


def other(note: bytes, verifier_keys: Sequence[str]) -> OtherEpoch | None:
    """Of which epoch the note is, where one of the keys (C2SP) signed it under another epoch's name.

    Raises: MalformedError for what is no checkpoint or no verifier key; SignatureRefutedError where a
        signature names such a key and fails.
    """
    origin = checkpoint.parse_body(checkpoint.split_note(note)[0]).origin
    log, number = epochs.split(origin)
    for text in verifier_keys:
        name, _, public = checkpoint.parse_verifier_key(text)
        pinned, given = epochs.split(name)
        if pinned != log or given == number:
            continue
        same = checkpoint.verifier_key(origin, public)
        try:
            checkpoint.verify(note, same)
        except SignerUnknownError:
            continue
        return OtherEpoch(number, given, origin, same)
    return None


def told(origin: str, verifier_keys: Sequence[str]) -> tuple[str, ...]:
    """What is to be added to a verified checkpoint of the name `origin`: sentences, none in a first epoch."""
    log, number = epochs.split(origin)
    names = (epochs.split(checkpoint.parse_verifier_key(text)[0]) for text in verifier_keys)
    newest = max((given for name, given in names if name == log), default=number)
    if newest > number:
        return (
            f"That was epoch {number} of this log; it is in epoch {newest} now, because an older state was"
            f" put back. Whether the entry is still there, only a proof of epoch {newest} shows.",
        )
    if number > 1:
        return (
            f"The log is in epoch {number}: an older state of it was put back, and entries that it had"
            " published were lost. Its decision new-epoch says which, who decided so and why.",
        )
    return ()
