"""Whose signatures metadata has: the owners' under a layout, and those of a step's functionaries.

Owns: trying keys within a limit, and telling apart what is wrong from what could not be checked. Keys count
by what they are, not by their name in the layout: one key under two names is one functionary. One that the
key ring believes no more is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography import x509

from lineage.errors import TooLargeError
from lineage.trust import layouts_certificates
from lineage.trust.keys import PublicKey
from lineage.trust.layouts_belief import Belief
from lineage.trust.layouts_certificates import Holder
from lineage.trust.layouts_metadata import Metadata
from lineage.trust.layouts_model import Layout, Step

MAX_TRIALS = 2_000
"""Verifications for one verdict."""
MAX_LOOKS = 1_000_000
"""Signatures times keys that are looked at for one, most of which don't fit each other."""

_NONE: tuple[x509.Certificate, ...] = ()


@dataclass(slots=True)
class Trials:
    """The verifications that one verdict may still make, and what those made came to."""

    left: int = MAX_TRIALS
    looks: int = MAX_LOOKS
    _known: dict[tuple[str, int, str], bool] = field(default_factory=dict)

    def made(self, metadata: Metadata, number: int, key: PublicKey) -> bool:
        """Whether `key` made the metadata's signature with that number. Raises: TooLargeError."""
        signature = metadata.signatures[number]
        self.looks -= 1
        if self.looks < 0:
            raise TooLargeError("There are more signatures and keys than the limit.", limit=MAX_LOOKS)
        if signature.refused or not key.fits(signature.sig):
            return False
        place = (metadata.digest, number, f"{key.key_id} {key.encoding}")
        if place not in self._known:
            if self.left == 0:
                raise TooLargeError(
                    f"After {MAX_TRIALS:,} signatures not all are checked, the limit.", limit=MAX_TRIALS
                )
            self.left -= 1
            self._known[place] = key.verify(metadata.message, signature.sig)
        return self._known[place]


@dataclass(frozen=True, slots=True)
class Functionary:
    """Who may do a step, and did: `key_id` is that of the key, `name` for people."""

    key_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Signed:
    """Who of a step's functionaries signed; why others' signatures don't count; who could not be checked.

    `disbelieved`: the names of functionaries who did sign and are believed no more, each with why.
    """

    by: tuple[Functionary, ...]
    refuted: tuple[str, ...]
    unchecked: tuple[str, ...]
    disbelieved: tuple[tuple[str, str], ...] = ()


def missing(metadata: Metadata, owners: Sequence[PublicKey], trials: Trials) -> tuple[PublicKey, ...]:
    """The owners that did not sign. Raises: TooLargeError."""
    numbers = range(len(metadata.signatures))
    return tuple(
        owner for owner in owners if not any(trials.made(metadata, number, owner) for number in numbers)
    )


def functionaries(
    metadata: Metadata, layout: Layout, step: Step, at_us: int, trials: Trials, belief: Belief
) -> Signed:
    """Which of the step's functionaries signed the metadata. `at_us`: when the signatures were there already.

    Raises: TooLargeError.
    """
    by: dict[str, Functionary] = {}
    refuted: list[str] = []
    unchecked: list[str] = []
    disbelieved: list[tuple[str, str]] = []
    for number, signature in enumerate(metadata.signatures):
        named = layout.keys.get(signature.keyid) if signature.keyid in step.pubkeys else None
        if isinstance(named, str):
            unchecked.append(f"the key {signature.keyid[:12]} of the layout can't be used: {named}")
            continue
        found, certificates = _by_key(metadata, number, layout, step, trials), _NONE
        if found is None and signature.certificate:
            held = layouts_certificates.holder(signature.certificate, layout, step, at_us)
            if isinstance(held, Holder) and trials.made(metadata, number, held.key):
                found, certificates = Functionary(held.key.key_id, held.name), held.certificates
            elif isinstance(held, str):
                refuted.append(held)
                continue
        if found is not None and (why := belief.against(found.key_id, certificates, at_us)):
            disbelieved.append((found.name, why))
        elif found is not None:
            by.setdefault(found.key_id, found)
        elif signature.refused and signature.keyid in step.pubkeys:
            unchecked.append(signature.refused)
        elif named is not None:
            refuted.append(f"the signature fails under the key {signature.keyid[:12]} that it names")
    return Signed(tuple(by.values()), tuple(refuted), tuple(unchecked), tuple(disbelieved))


def _by_key(
    metadata: Metadata, number: int, layout: Layout, step: Step, trials: Trials
) -> Functionary | None:
    """The functionary whose key made the signature; the one that its key id names is tried first."""
    hint = metadata.signatures[number].keyid
    for name in sorted(step.pubkeys, key=lambda name: name != hint):
        key = layout.keys.get(name)
        if isinstance(key, PublicKey) and trials.made(metadata, number, key):
            return Functionary(key.key_id, f"key {name[:12]}")
    return None
