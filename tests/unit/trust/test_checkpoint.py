from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.errors import LineageError, MalformedError, SignatureRefutedError, SignerUnknownError
from lineage.trust import checkpoint
from lineage.trust.checkpoint import Checkpoint
from lineage.trust.merkle import EMPTY_ROOT

from .builders import key
from .native_keys import private

ORIGIN = "lineage.example/0123abcd"
ROOT = hashlib.sha256(b"root").digest()
GOOD = Checkpoint(ORIGIN, 7, ROOT)
NOTE = checkpoint.sign(GOOD, key(1))
VKEY = checkpoint.verifier_key(ORIGIN, key(1).public)
BODY, LINE = NOTE.split(b"\n\n")
DASH = "\u2014 ".encode()


def note_over(body: bytes, name: str = ORIGIN) -> bytes:
    """A note with any text in it, really signed."""
    signer = key(1)
    raw = signer.public.raw_ed25519()
    key_hash = hashlib.sha256(name.encode() + b"\n\x01" + raw).digest()[:4]
    encoded = base64.b64encode(key_hash + signer.sign(body))
    return body + b"\n" + DASH + name.encode() + b" " + encoded + b"\n"


@pytest.mark.parametrize(
    ("origin", "size", "root"),
    [
        ("", 1, ROOT),
        ("a\nb", 1, ROOT),
        ("a\x7f", 1, ROOT),
        ("a", -1, ROOT),
        ("a", 1 << 63, ROOT),
        ("a", 1, ROOT[:31]),
        ("a", 1, b""),
        ("a", 0, ROOT),
    ],
)
def test_no_such_checkpoint(origin: str, size: int, root: bytes) -> None:
    with pytest.raises(MalformedError):
        Checkpoint(origin, size, root)


def test_body() -> None:
    assert GOOD.body() == f"{ORIGIN}\n7\n{base64.b64encode(ROOT).decode()}\n".encode()
    assert note_over(GOOD.body()) == NOTE


def test_round_trip() -> None:
    assert checkpoint.verify(NOTE, VKEY) == GOOD
    assert checkpoint.verify(NOTE, VKEY + "\n") == GOOD
    empty = Checkpoint(ORIGIN, 0, EMPTY_ROOT)
    assert checkpoint.verify(checkpoint.sign(empty, key(1)), VKEY) == empty


@given(st.integers(1, (1 << 63) - 1), st.binary(min_size=32, max_size=32))
def test_round_trips(size: int, root: bytes) -> None:
    value = Checkpoint(ORIGIN, size, root)
    assert checkpoint.verify(checkpoint.sign(value, key(1)), VKEY) == value


def test_foreign_signatures_are_ignored() -> None:
    foreign = DASH + b"witness.example " + base64.b64encode(b"\1\2\3\4" + bytes(72)) + b"\n"
    same_name = DASH + ORIGIN.encode() + b" " + base64.b64encode(b"\1\2\3\4" + bytes(64)) + b"\n"
    assert checkpoint.verify(BODY + b"\n\n" + foreign + same_name + LINE + foreign, VKEY) == GOOD


def test_the_key_s_name_may_differ_from_the_origin() -> None:
    """As in Go's checksum database. Whoever cares about the origin compares it."""
    named = checkpoint.verifier_key("sum.golang.org", key(1).public)
    note = note_over(GOOD.body(), name="sum.golang.org")
    assert checkpoint.verify(note, named) == GOOD
    with pytest.raises(SignerUnknownError):
        checkpoint.verify(note, VKEY)


def test_extension_lines_are_signed_and_ignored() -> None:
    assert checkpoint.verify(note_over(GOOD.body() + b"extension 1\n"), VKEY) == GOOD


@pytest.mark.parametrize(
    "verifier",
    [
        checkpoint.verifier_key(ORIGIN, key(2).public),
        checkpoint.verifier_key(ORIGIN + "x", key(1).public),
    ],
)
def test_another_key_did_not_sign(verifier: str) -> None:
    with pytest.raises(SignerUnknownError):
        checkpoint.verify(NOTE, verifier)


@pytest.mark.parametrize(
    "note",
    [
        NOTE.replace(b"\n7\n", b"\n8\n"),
        NOTE.replace(b"lineage.example/0123abcd\n", b"lineage.example/0123abcE\n"),
        BODY + b"\nextension\n\n" + LINE,
        BODY + b"\n\n" + LINE + LINE[:-10] + (b"A" if LINE[-10:-9] != b"A" else b"B") + LINE[-9:],
    ],
)
def test_a_signature_that_names_the_key_and_fails(note: bytes) -> None:
    with pytest.raises(SignatureRefutedError):
        checkpoint.verify(note, VKEY)


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"\n",
        b"\n\n",
        BODY,
        BODY + b"\n",
        BODY + b"\n\n",
        NOTE[:-1],
        NOTE + b"\n",
        NOTE + b"x",
        NOTE.replace(b"\n", b"\r\n"),
        NOTE.replace(DASH, b"- "),
        NOTE.replace(DASH, "\u2013 ".encode()),
        NOTE.replace(DASH + ORIGIN.encode(), DASH + b"a b"),
        NOTE.replace(DASH + ORIGIN.encode(), DASH + b"a+b"),
        NOTE.replace(DASH + ORIGIN.encode() + b" ", DASH + b" "),
        BODY + b"\n\n" + DASH + ORIGIN.encode() + b" AAAA\n",
        BODY + b"\n\n" + LINE[:-3] + b"\n",
        BODY + b"\n\n" + LINE.rstrip(b"=\n") + b"\n",
        BODY + b"\n\n" + LINE * 101,
        NOTE.replace(b"lineage", b"line\x01ge"),
        NOTE.replace(b"lineage", b"line\tge"),
        NOTE.replace(b"lineage", b"line\xffge"),
        b"x" * 1_000_001,
        note_over(b"only one line\n"),
        note_over(f"{ORIGIN}\n7\n".encode()),
        note_over(f"{ORIGIN}\n07\n{base64.b64encode(ROOT).decode()}\n".encode()),
        note_over(f"{ORIGIN}\n-7\n{base64.b64encode(ROOT).decode()}\n".encode()),
        note_over(f"{ORIGIN}\n7 \n{base64.b64encode(ROOT).decode()}\n".encode()),
        note_over(f"{ORIGIN}\n{'9' * 5000}\n{base64.b64encode(ROOT).decode()}\n".encode()),
        note_over(f"{ORIGIN}\n9999999999999999999\n{base64.b64encode(ROOT).decode()}\n".encode()),
        note_over(f"{ORIGIN}\n7\n{base64.b64encode(ROOT[:31]).decode()}\n".encode()),
        note_over(f"{ORIGIN}\n7\n{base64.b64encode(ROOT).decode()} \n".encode()),
        note_over(f"{ORIGIN}\n0\n{base64.b64encode(ROOT).decode()}\n".encode()),
        note_over(b"\n7\n" + base64.b64encode(ROOT) + b"\n"),
        note_over(GOOD.body() + b"\nafter a blank line\n"),
    ],
)
def test_malformed(note: bytes) -> None:
    with pytest.raises(MalformedError):
        checkpoint.verify(note, VKEY)


def test_text_can_not_pass_lines_off_as_signatures() -> None:
    """The last blank line counts: the forged signature line above it is just text."""
    forged = b"evil.example\n9\n" + base64.b64encode(ROOT) + b"\n\n" + LINE
    with pytest.raises((SignatureRefutedError, SignerUnknownError)):
        checkpoint.verify(forged + b"\n" + LINE, VKEY)
    with pytest.raises(SignatureRefutedError):
        checkpoint.verify(forged, VKEY)


def test_verifier_key_round_trip() -> None:
    name, key_hash, public = checkpoint.parse_verifier_key(VKEY)
    assert (name, public) == (ORIGIN, key(1).public)
    assert VKEY.split("+")[1] == key_hash.hex()


def test_verifier_key_is_the_specification_s_example() -> None:
    """Source: golang.org/x/mod/sumdb/note, the documentation's PeterNeumann key."""
    example = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    name, _, public = checkpoint.parse_verifier_key(example)
    assert checkpoint.verifier_key(name, public) == example
    note = (
        "If you think cryptography is the answer to your problem,\n"
        "then you don't know what your problem is.\n"
        "\n"
        "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZ"
        "SNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
    ).encode()
    # The signature is good; the text is no checkpoint.
    with pytest.raises(MalformedError, match="checkpoint"):
        checkpoint.verify(note, example)
    with pytest.raises(SignatureRefutedError):
        checkpoint.verify(note.replace(b"don't", b"do"), example)


def vkey(name: str, key_bytes: bytes, key_hash: str | None = None) -> str:
    if key_hash is None:
        key_hash = hashlib.sha256(name.encode() + b"\n" + key_bytes).digest()[:4].hex()
    return f"{name}+{key_hash}+{base64.b64encode(key_bytes).decode()}"


RAW = key(1).public.raw_ed25519()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name",
        "name+00000000",
        VKEY.upper(),
        vkey("", b"\1" + RAW),
        vkey("a b", b"\1" + RAW),
        vkey("a\u00a0b", b"\1" + RAW),
        vkey("name", b"\2" + RAW),
        vkey("name", b"\1" + RAW[:31]),
        vkey("name", b"\1" + RAW + b"\0"),
        vkey("name", b""),
        vkey("name", b"\1" + RAW, "00000000"),
        vkey("name", b"\1" + RAW, "0000000"),
        vkey("name", b"\1" + RAW, "0000000g"),
        vkey("name", b"\1" + b"\1" + bytes(31)),  # a point of small order
        vkey("name", b"\1" + RAW)[:-1] + "!",
    ],
)
def test_verifier_key_refused(text: str) -> None:
    with pytest.raises(MalformedError):
        checkpoint.parse_verifier_key(text)


def test_only_ed25519_and_good_names() -> None:
    with pytest.raises(MalformedError, match="Ed25519"):
        checkpoint.verifier_key(ORIGIN, private("rsa").public)
    with pytest.raises(MalformedError, match="Ed25519"):
        checkpoint.sign(GOOD, private("ecdsa-p256"))
    with pytest.raises(MalformedError, match="name"):
        checkpoint.sign(Checkpoint("go.sum database tree", 7, ROOT), key(1))
    with pytest.raises(MalformedError, match="name"):
        checkpoint.verifier_key("a+b", key(1).public)


@given(st.integers(0, len(NOTE) - 1), st.integers(1, 255))
def test_no_changed_byte_passes(at: int, change: int) -> None:
    damaged = bytearray(NOTE)
    damaged[at] ^= change
    with pytest.raises(LineageError) as caught:
        checkpoint.verify(bytes(damaged), VKEY)
    assert isinstance(caught.value, MalformedError | SignerUnknownError | SignatureRefutedError)
