"""Cosignatures: a witness says when it saw a checkpoint, and that it extends all that the witness saw before.

Owns: a witness's verifier key, the message that it signs, which lines of a note are good cosignatures. Does
not own: asking for them (`services.witnesses`), or whether the log's own key signed (`checkpoint`).

There are two kinds, told apart by the verifier key: Ed25519 over the note's text, and ML-DSA-44 over the tree
alone. A key of any other kind is refused, and lines by keys that nobody gave are ignored.

Source: C2SP tlog-cosignature (Ed25519: signature type 0x04; ML-DSA-44: 0x06, of whole trees).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from lineage.errors import MalformedError, SignatureRefutedError
from lineage.trust import checkpoint, mldsa
from lineage.trust.dsse import encode_base64
from lineage.trust.keys import load_public

ED25519 = b"\x04"
ML_DSA_44 = b"\x06"
LAST_SECOND = 253_402_300_799
"""The end of the year 9999: a later time can't be written as a date."""
MAX_ANSWER_BYTES = 16_384
MAX_LINES = 16


class Verifier(Protocol):
    """A public key of either kind."""

    @property
    def key_id(self) -> str: ...

    def verify(self, message: bytes, signature: bytes) -> bool: ...


@dataclass(frozen=True, slots=True)
class WitnessKey:
    """`name` and four-byte `key_hash` stand in each of its signature lines; `text` is the verifier key.

    `kind` is the signature type: `ED25519` or `ML_DSA_44`.
    """

    name: str
    key_hash: bytes
    public: Verifier
    text: str
    kind: bytes = ED25519


@dataclass(frozen=True, slots=True)
class Cosignature:
    """One that verified. `at_us` is the witness's own time (µs UTC), `line` the note's, with its end."""

    witness: WitnessKey
    at_us: int
    line: bytes


def key_hash(name: str, raw: bytes, kind: bytes = ED25519) -> bytes:
    """Four bytes; `raw` is the public key's own, 32 of Ed25519."""
    return hashlib.sha256(name.encode("utf-8") + b"\n" + kind + raw).digest()[:4]


def parse_witness_key(text: str) -> WitnessKey:
    """The key in `name+hash+base64`.

    Raises: MalformedError where it is none, is not for cosignatures, or its hash is another key's.
    """
    parts = text.strip().split("+", 2)
    if len(parts) != 3:
        raise MalformedError("A witness's verifier key is name+hash+base64.")
    name, hash_hex, encoded = parts
    checkpoint.check_name(name)
    key = checkpoint.one_base64(encoded, "the witness's key")
    kind = _KINDS.get(key[:1])
    if kind is None:
        raise MalformedError(
            "The witness's key is not one for cosignatures: Ed25519 (type 4) or ML-DSA-44 (type 6)."
        )
    public = kind.load(key[1:])
    found = key_hash(name, key[1:], key[:1])
    if found.hex() != hash_hex:
        raise MalformedError("The witness key's hash does not belong to its name and key.")
    return WitnessKey(name, found, public, text.strip(), key[:1])


def _load_ed25519(raw: bytes) -> Verifier:
    if len(raw) != 32:
        raise MalformedError("An Ed25519 key has 32 bytes.")
    native = ed25519.Ed25519PublicKey.from_public_bytes(raw)
    return load_public(
        native.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


def message(body: bytes, seconds: int) -> bytes:
    """What a witness signs by Ed25519: `body` is the checkpoint's whole text, with extension lines."""
    return f"cosignature/v1\ntime {seconds}\n".encode() + body


def subtree_message(name: str, body: bytes, seconds: int) -> bytes:
    """What a witness called `name` signs by ML-DSA-44: the whole tree of the checkpoint `body`.

    Extension lines are not in it. Raises: MalformedError for a name or an origin of more than 255 bytes.
    """
    tree = checkpoint.parse_body(body)
    at, start, end = (number.to_bytes(8, "big") for number in (seconds, 0, tree.size))
    return b"subtree/v1\n\0" + _short(name) + at + _short(tree.origin) + start + end + tree.root


def _short(text: str) -> bytes:
    """After its length in one byte (RFC 8446 section 3.4)."""
    data = text.encode("utf-8")
    if not 0 < len(data) < 256:
        raise MalformedError("A name in an ML-DSA cosignature has at most 255 bytes.")
    return bytes([len(data)]) + data


@dataclass(frozen=True, slots=True)
class _Kind:
    """`signature_bytes`: after the key's hash and eight bytes of seconds since the epoch, big-endian."""

    signature_bytes: int
    load: Callable[[bytes], Verifier]
    message: Callable[[str, bytes, int], bytes]
    timeless: bool
    """Whether a line may say no time. Such a line is no witness's: it does not count."""


_KINDS = {
    ED25519: _Kind(64, _load_ed25519, lambda _, body, seconds: message(body, seconds), False),
    ML_DSA_44: _Kind(mldsa.SIGNATURE_BYTES, mldsa.load, subtree_message, True),
}


def verified(note: bytes, witnesses: Iterable[WitnessKey]) -> list[Cosignature]:
    """The good cosignatures in a note by these witnesses, one each, in the order of the witnesses.

    Lines of anybody else are ignored, as the format asks. Where a witness signed twice, its earliest counts.

    Raises:
        MalformedError: not a note, or a line of a witness that can't be a cosignature.
        SignatureRefutedError: a line names a witness and its signature fails.
    """
    body, lines = checkpoint.split_note(note)
    checkpoint.parse_body(body)
    found = []
    for witness in witnesses:
        theirs = [sig for name, sig in lines if (name, sig[:4]) == (witness.name, witness.key_hash)]
        judged = [_judged(body, signature, witness) for signature in dict.fromkeys(theirs)]
        good = [each for each in judged if each is not None]
        found.extend(sorted(good, key=lambda each: each.at_us)[:1])
    return found


def _judged(body: bytes, signature: bytes, witness: WitnessKey) -> Cosignature | None:
    kind = _KINDS[witness.kind]
    if len(signature) != 4 + 8 + kind.signature_bytes:
        raise MalformedError(f"A cosignature by {witness.name} has another length than one has.")
    seconds = int.from_bytes(signature[4:12], "big")
    if not 0 < seconds <= LAST_SECOND and not (seconds == 0 and kind.timeless):
        raise MalformedError(f"A cosignature by {witness.name} says no time.")
    if not witness.public.verify(kind.message(witness.name, body, seconds), signature[12:]):
        raise SignatureRefutedError(f"The cosignature by {witness.name} does not verify.")
    if seconds == 0:
        return None
    line = f"\u2014 {witness.name} {encode_base64(signature)}\n".encode()
    return Cosignature(witness, seconds * 1_000_000, line)


def told_apart(witnesses: Iterable[WitnessKey]) -> list[frozenset[str]]:
    """The witnesses that there are, each as the verifier keys that stand for it.

    One key under two names is one witness, and so is one name with two keys: nobody counts twice.
    """
    found: list[tuple[frozenset[str], frozenset[str]]] = []
    for each in witnesses:
        marks = frozenset((f"name {each.name}", f"key {each.public.key_id}"))
        same = [one for one in found if one[0] & marks]
        found = [one for one in found if one not in same]
        found.append(
            (marks.union(*(one[0] for one in same)), frozenset({each.text}).union(*(o[1] for o in same)))
        )
    return [texts for _, texts in found]


def answered(note: bytes, answer: bytes, witness: WitnessKey) -> Cosignature:
    """The cosignature in a witness's answer about `note`.

    Raises: MalformedError, SignatureRefutedError; MalformedError also where there is none of this witness.
    """
    if len(answer) > MAX_ANSWER_BYTES or answer.count(b"\n") > MAX_LINES:
        raise MalformedError("The witness's answer is longer than signature lines are.")
    body, _ = checkpoint.split_note(note)
    # Without the log's own lines: a witness answers with its signatures, and its lines must be lines.
    found = verified(body + b"\n" + answer, [witness])
    if not found:
        raise MalformedError("The witness's answer has no cosignature by its key.")
    return found[0]
