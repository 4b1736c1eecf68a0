"""Proofs made over a small tree and judged offline; each part altered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import msgspec
import pytest

from lineage.errors import LineageError, MalformedError, SignatureRefutedError, SignerUnknownError
from lineage.trust import checkpoint, dsse, merkle, tlog_proof
from lineage.trust.checkpoint import Checkpoint
from lineage.trust.digest import sha256_hex
from lineage.trust.leaf import Leaf
from lineage.trust.tlog_proof import TlogProof
from lineage.trust.verify import Outcome
from lineage.trust.verify_file import Given, verify_file

from .builders import key, statement

LOG = key(7)
ORIGIN = "example.com/log"
KEY = checkpoint.verifier_key(ORIGIN, LOG.public)
SIGNER = key(1)
CONTENT = dsse.sign(dsse.INTOTO_PAYLOAD_TYPE, statement(), SIGNER)
LEAVES = [
    Leaf("attestation", sha256_hex(CONTENT + bytes([n])), "b" * 64, 1_700_000_000_000_000 + n, ("c" * 64,), 0)
    for n in range(5)
]
LEAVES[3] = msgspec.structs.replace(LEAVES[3], envelope_digest=sha256_hex(CONTENT))
HASHES = [merkle.leaf_hash(leaf.encode()) for leaf in LEAVES]


def tree(begin: int, end: int) -> bytes:
    """RFC 6962, by its definition."""
    if end - begin == 1:
        return HASHES[begin]
    split = 1
    while split * 2 < end - begin:
        split *= 2
    return merkle.node_hash(tree(begin, begin + split), tree(begin + split, end))


PATH = (HASHES[2], tree(0, 2), HASHES[4])
NOTE = checkpoint.sign(Checkpoint(ORIGIN, 5, tree(0, 5)), LOG)
PROOF = TlogProof(3, PATH, NOTE, LEAVES[3].encode())


def judged(data: bytes, **more: object) -> Outcome:
    given = {"at_us": 0, "log_keys": (KEY,), "content": CONTENT} | more
    return verify_file(data, Given(**given)).outcome  # type: ignore[arg-type]


def test_a_proof_is_read_back_and_verified() -> None:
    assert tlog_proof.read(PROOF.encode()) == PROOF
    signed, leaf = tlog_proof.verify(PROOF, [KEY])
    assert (signed.size, leaf) == (5, LEAVES[3])
    assert judged(PROOF.encode()) is Outcome.VERIFIED


@pytest.mark.parametrize(
    ("altered", "error"),
    [
        (replace(PROOF, index=2), SignatureRefutedError),
        (replace(PROOF, index=5), SignatureRefutedError),
        (replace(PROOF, hashes=PATH[:2]), SignatureRefutedError),
        (replace(PROOF, hashes=PATH[::-1]), SignatureRefutedError),
        (replace(PROOF, hashes=(*PATH, HASHES[0])), SignatureRefutedError),
        (replace(PROOF, extra=LEAVES[2].encode()), SignatureRefutedError),
        (replace(PROOF, extra=b""), MalformedError),
        (replace(PROOF, extra=LEAVES[3].encode() + b"\n"), MalformedError),
        (replace(PROOF, note=NOTE.replace(b"\n5\n", b"\n6\n")), SignatureRefutedError),
        (replace(PROOF, note=checkpoint.sign(Checkpoint(ORIGIN, 5, tree(0, 5)), key(8))), SignerUnknownError),
    ],
    ids=lambda value: "" if isinstance(value, TlogProof) else value.__name__,
)
def test_an_altered_proof(altered: TlogProof, error: type[LineageError]) -> None:
    with pytest.raises(error):
        tlog_proof.verify(altered, [KEY])
    assert judged(altered.encode()) is not Outcome.VERIFIED


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data.replace(b"index 3", b"index 03"),
        lambda data: data.replace(b"index 3", b"index -3"),
        lambda data: data.replace(b"index 3\n", b""),
        lambda data: data.replace(b"@v1", b"@v2"),
        lambda data: data.replace(b"\n\n", b"\n", 1),
        lambda data: data[: data.index(b"\n\n")],
        lambda data: b"\xff" + data,
        lambda data: data.replace(b"extra ", b"extra !"),
    ],
)
def test_a_damaged_file(damage: Callable[[bytes], bytes]) -> None:
    assert judged(damage(PROOF.encode())) is not Outcome.VERIFIED


def test_another_log_s_key_does_not_speak_for_this_one() -> None:
    """The same key under another name made a note for another origin."""
    other = checkpoint.sign(Checkpoint("example.com/other", 5, tree(0, 5)), LOG)
    line = other.rsplit(b"\n\n", 1)[1]
    mixed = NOTE.rsplit(b"\n\n", 1)[0] + b"\n\n" + line
    assert judged(replace(PROOF, note=mixed).encode()) is not Outcome.VERIFIED


def test_what_is_not_given_is_not_judged() -> None:
    data = PROOF.encode()
    assert judged(data, log_keys=()) is Outcome.INCONCLUSIVE
    assert judged(data, content=None) is Outcome.VERIFIED  # in that log; the envelope is named
    assert judged(data, content=CONTENT + b" ") is Outcome.REFUTED
    assert judged(data, keys=(SIGNER.public,)) is Outcome.VERIFIED
    assert judged(data, keys=(key(2).public,)) is Outcome.REFUTED


@pytest.mark.parametrize("signer", [1, 2], ids=["its-own", "a-stranger"])
def test_a_signer_is_not_judged_without_the_envelope(signer: int) -> None:
    """A key that nobody has compared with anything must not look as if it had been."""
    assert judged(PROOF.encode(), content=None, keys=(key(signer).public,)) is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    "spelled",
    [
        lambda data: data.replace(b"=", b""),
        lambda data: data.replace(b"/", b"_").replace(b"+", b"-"),
        lambda data: data.replace(b"index 3", b"extra \nindex 3"),
        lambda data: data.replace(b"extra ", b"extra  "),
    ],
    ids=["no-padding", "url-alphabet", "second-extra", "spaces"],
)
def test_a_proof_has_one_spelling(spelled: Callable[[bytes], bytes]) -> None:
    head, _, note = PROOF.encode().partition(b"\n\n")
    changed = spelled(head)
    assert changed != head
    with pytest.raises(MalformedError):
        tlog_proof.read(changed + b"\n\n" + note)


def test_no_empty_line_for_extra_data() -> None:
    with pytest.raises(MalformedError):
        tlog_proof.read(replace(PROOF, extra=b"").encode().replace(b"index", b"extra \nindex"))


@pytest.mark.parametrize("named", [-1, 3, 4], ids=["none", "itself", "later"])
def test_an_entry_that_rests_on_a_later_decision_can_t_be(named: int) -> None:
    leaf = msgspec.structs.replace(LEAVES[3], policy_index=named).encode()
    hashed = merkle.leaf_hash(leaf)
    root = merkle.node_hash(merkle.node_hash(PATH[1], merkle.node_hash(PATH[0], hashed)), PATH[2])
    note = checkpoint.sign(Checkpoint(ORIGIN, 5, root), LOG)
    with pytest.raises(SignatureRefutedError, match="rests on decision"):
        tlog_proof.verify(replace(PROOF, note=note, extra=leaf), [KEY])


@pytest.mark.parametrize("more", [{"log_keys": (KEY,)}, {"quorum": 1}], ids=["log", "witness"])
def test_a_good_signature_is_no_proof_of_the_log(more: dict[str, object]) -> None:
    """Whoever swaps the proof for an envelope that was never logged must not get the same answer."""
    asked: dict[str, object] = {"content": None, "log_keys": (), "keys": (SIGNER.public,)}
    assert judged(CONTENT, **asked) is Outcome.VERIFIED
    assert judged(CONTENT, **asked | more) is Outcome.INCONCLUSIVE
