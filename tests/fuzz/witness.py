"""What witnesses say, and by which keys: nothing counts that a witness did not sign for this tree."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Sequence
from functools import cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

from lineage.errors import LineageError, SignatureRefutedError, UnavailableError
from lineage.net import witness as asking
from lineage.trust import checkpoint, cosignature
from tests.fuzz.log import SIGNED
from tests.fuzz.target import REFUSALS, Target
from tests.unit.trust.test_tlog_proof import NOTE
from tests.witness_keys import Cosigner

SECONDS = 1_800_000_000
COSIGNERS = (
    Cosigner("witness.example/w1", b"\x01" * 32, 4),
    Cosigner("witness.example/w1", b"\x02" * 32, 6),
    Cosigner("witness.example/w2", b"\x03" * 32, 6),
)


@cache
def keys() -> tuple[cosignature.WitnessKey, ...]:
    return tuple(cosignature.parse_witness_key(each.verifier_key) for each in COSIGNERS)


@cache
def lines() -> tuple[bytes, ...]:
    """Everything that the cosigners ever signed."""
    at = (SECONDS, SECONDS + 1)
    return tuple(each.line(SIGNED, seconds) for each in COSIGNERS for seconds in at)


def signed_by(found: cosignature.Cosignature, body: bytes) -> None:
    """A second reader's opinion of a cosignature: fields by their places, keys by their bytes."""
    (cosigner,) = (each for each in COSIGNERS if each.verifier_key == found.witness.text)
    dash, name, encoded = found.line.decode().rstrip("\n").split(" ")
    blob = b64decode(encoded, validate=True)
    seconds = int.from_bytes(blob[4:12], "big")
    assert (dash, name, blob[:4]) == ("\u2014", cosigner.name, cosigner.hashed)
    assert found.at_us == seconds * 1_000_000 > 0
    raw = cosigner.typed[1:]
    try:
        if cosigner.kind == 4:
            message = b"cosignature/v1\ntime %d\n" % seconds + body
            Ed25519PublicKey.from_public_bytes(raw).verify(blob[12:], message)
        else:
            MLDSA44PublicKey.from_public_bytes(raw).verify(blob[12:], cosigner.subtree(body, seconds))
    except InvalidSignature as error:
        raise AssertionError("counted, though nobody signed it") from error
    assert found.line in lines(), "counted, though nobody ever wrote it"


def run_cosignature(data: bytes) -> bool:
    """A note with cosignatures. Ed25519 covers the whole text; ML-DSA-44 the tree, not extension lines."""
    try:
        found = cosignature.verified(data, keys())
    except (*REFUSALS, SignatureRefutedError):
        return False
    body, _ = data.decode().rsplit("\n\n", 1)
    text = f"{body}\n".encode()
    for each in found:
        signed_by(each, text)
        assert each.line in data[len(text) :], "counted, though it is not in the note"
        assert text.startswith(SIGNED)
        assert text == SIGNED or each.witness.kind == cosignature.ML_DSA_44
    assert len({each.witness.text for each in found}) == len(found) <= len(keys())
    return bool(found)


def run_answer(data: bytes) -> bool:
    """The first byte says which answer it is: cosignatures (HTTP 200), or another tree's size (409)."""
    if data[:1] == b"4":
        return _other_tree(data[1:])
    read = 0
    for key in keys():
        try:
            found = cosignature.answered(NOTE, data[1:], key)
        except LineageError:
            continue
        signed_by(found, SIGNED)
        checkpoint.signature_line(found.line.decode().rstrip("\n"))
        assert found.witness == key
        read += 1
    return read > 0


def _other_tree(body: bytes) -> bool:
    try:
        answer = asking._meant(asking.CONFLICT, body)
    except (*REFUSALS, UnavailableError):
        return False
    assert answer.size is not None
    assert body == b"%d\n" % answer.size
    return True


def cosigned() -> Sequence[bytes]:
    both = b"".join(lines())
    return [NOTE + each for each in lines()[::2]] + [NOTE + both, SIGNED + b"\n" + both]


def answers() -> Sequence[bytes]:
    return [b"2" + each for each in lines()[::2]] + [b"2" + b"".join(lines()[:2]), b"40\n", b"4123456789\n"]


COSIGNATURE = Target(name="cosignature", run=run_cosignature, seeds=cosigned, vectors=(), inputs=500)
ANSWER = Target(name="witness-answer", run=run_answer, seeds=answers, vectors=(), inputs=500)
TARGETS = (COSIGNATURE, ANSWER)
