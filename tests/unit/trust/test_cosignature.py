"""Witnesses' cosignatures: the specification's form, and nothing that only looks like it."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lineage.errors import MalformedError, SignatureRefutedError
from lineage.trust import cosignature

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
RAW = KEY.public_key().public_bytes_raw()
NAME = "witness.example/w1"
BODY = b"log.example\n1\n" + b64encode(bytes(range(32))) + b"\nextension\n"
SECONDS = 1_800_000_000


def vkey(name: str = NAME, kind: bytes = b"\x04") -> str:
    hashed = sha256(name.encode() + b"\n" + kind + RAW).hexdigest()[:8]
    return f"{name}+{hashed}+{b64encode(kind + RAW).decode()}"


def line(body: bytes = BODY, seconds: int = SECONDS, said: int | None = None) -> bytes:
    signed = KEY.sign(b"cosignature/v1\ntime %d\n" % seconds + body)
    hashed = sha256(NAME.encode() + b"\n\x04" + RAW).digest()[:4]
    stamp = (seconds if said is None else said).to_bytes(8, "big")
    return f"\u2014 {NAME} {b64encode(hashed + stamp + signed).decode()}\n".encode()


WITNESS = cosignature.parse_witness_key(vkey())


def test_a_cosignature_covers_the_whole_text_and_its_time() -> None:
    (found,) = cosignature.verified(BODY + b"\n" + line(), [WITNESS])
    assert (found.witness, found.at_us, found.line) == (WITNESS, SECONDS * 1_000_000, line())


@pytest.mark.parametrize(
    ("made", "wrong"),
    [
        (line(said=SECONDS + 1), SignatureRefutedError),
        (line(BODY.replace(b"\n1\n", b"\n2\n")), SignatureRefutedError),
        (line(BODY.removesuffix(b"extension\n")), SignatureRefutedError),
        (line(seconds=0), MalformedError),
        (line(said=(1 << 64) - 1), MalformedError),
    ],
    ids=["another-time", "another-size", "without-extension", "no-time", "no-date"],
)
def test_what_was_not_cosigned_is_refused(made: bytes, wrong: type[Exception]) -> None:
    with pytest.raises(wrong):
        cosignature.verified(BODY + b"\n" + made, [WITNESS])


def test_every_single_bit_counts() -> None:
    good = BODY + b"\n" + line()
    for place in range(len(good)):
        for bit in range(8):
            bad = bytearray(good)
            bad[place] ^= 1 << bit
            try:
                assert cosignature.verified(bytes(bad), [WITNESS]) == []  # another's name or key hash
            except (MalformedError, SignatureRefutedError):
                continue


def test_lines_of_others_are_ignored_and_do_not_count() -> None:
    other = line().replace(NAME.encode(), b"witness.example/w2")
    assert cosignature.verified(BODY + b"\n" + other, [WITNESS]) == []
    with pytest.raises(MalformedError):
        cosignature.answered(BODY + b"\n" + other, other, WITNESS)


def test_the_earliest_of_two_counts_once() -> None:
    both = line(seconds=SECONDS + 5) + line()
    assert [each.at_us for each in cosignature.verified(BODY + b"\n" + both, [WITNESS])] == [
        SECONDS * 1_000_000
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "w",
        "w+00000000",
        vkey(kind=b"\x01"),
        vkey().replace("w1", "w2"),
        vkey()[:-4],
        vkey("a b"),
        vkey() + "=",
    ],
    ids=["empty", "name", "no-key", "log-key", "other-name", "short", "space", "padded"],
)
def test_other_keys_are_no_witness_keys(text: str) -> None:
    with pytest.raises(MalformedError):
        cosignature.parse_witness_key(text)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\n",
        line()[:-1],
        b"x" * 20_000,
        line() * 17,
        b"\n\n" + line(),
        b"\xff\n",
        line().replace(b" ", b"  "),
    ],
    ids=["empty", "blank", "no-end", "long", "many", "blank-lines", "not-text", "spaces"],
)
def test_an_answer_is_signature_lines(answer: bytes) -> None:
    if answer.startswith(b"\n\n"):
        answer = b"more\n" + answer
    with pytest.raises((MalformedError, SignatureRefutedError)):
        cosignature.answered(BODY + b"\n" + line(), answer, WITNESS)
