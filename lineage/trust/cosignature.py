"""Cosignatures: a witness says when it saw a checkpoint, and that it extends all that the witness saw before.

Owns: a witness's verifier key, the message that it signs, which lines of a note are good cosignatures. Does
not own: asking for them (`services.witnesses`), or whether the log's own key signed (`checkpoint`).

Source: C2SP tlog-cosignature, v1 (Ed25519, signature type 0x04).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from lineage.errors import MalformedError, SignatureRefutedError
from lineage.trust import checkpoint
from lineage.trust.dsse import encode_base64
from lineage.trust.keys import PublicKey, load_public

_TYPE = b"\x04"
SIGNATURE_BYTES = 4 + 8 + 64
"""Key hash, seconds since the epoch (big-endian), Ed25519 signature."""
LAST_SECOND = 253_402_300_799
"""The end of the year 9999: a later time can't be written as a date."""
MAX_ANSWER_BYTES = 16_384
MAX_LINES = 16


@dataclass(frozen=True, slots=True)
class WitnessKey:
    """`name` and four-byte `key_hash` stand in each of its signature lines; `text` is the verifier key."""

    name: str
    key_hash: bytes
    public: PublicKey
    text: str


@dataclass(frozen=True, slots=True)
class Cosignature:
    """One that verified. `at_us` is the witness's own time (µs UTC), `line` the note's, with its end."""

    witness: WitnessKey
    at_us: int
    line: bytes


def key_hash(name: str, raw: bytes) -> bytes:
    """Four bytes; `raw` is the Ed25519 key's 32."""
    return hashlib.sha256(name.encode("utf-8") + b"\n" + _TYPE + raw).digest()[:4]


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
    if key[:1] != _TYPE or len(key) != 33:
        raise MalformedError("The witness's key is not an Ed25519 key for cosignatures (type 4).")
    found = key_hash(name, key[1:])
    if found.hex() != hash_hex:
        raise MalformedError("The witness key's hash does not belong to its name and key.")
    native = ed25519.Ed25519PublicKey.from_public_bytes(key[1:])
    spki = native.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return WitnessKey(name, found, load_public(spki), text.strip())


def message(body: bytes, seconds: int) -> bytes:
    """What a witness signs: `body` is the checkpoint's whole text, with extension lines."""
    return f"cosignature/v1\ntime {seconds}\n".encode() + body


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
        good = [_judged(body, signature, witness) for signature in dict.fromkeys(theirs)]
        found.extend(sorted(good, key=lambda each: each.at_us)[:1])
    return found


def _judged(body: bytes, signature: bytes, witness: WitnessKey) -> Cosignature:
    if len(signature) != SIGNATURE_BYTES:
        raise MalformedError(f"A cosignature by {witness.name} has another length than one has.")
    seconds = int.from_bytes(signature[4:12], "big")
    if not 0 < seconds <= LAST_SECOND:
        raise MalformedError(f"A cosignature by {witness.name} says no time.")
    if not witness.public.verify(message(body, seconds), signature[12:]):
        raise SignatureRefutedError(f"The cosignature by {witness.name} does not verify.")
    line = f"\u2014 {witness.name} {encode_base64(signature)}\n".encode()
    return Cosignature(witness, seconds * 1_000_000, line)


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
