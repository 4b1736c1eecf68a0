"""ML-DSA-44 cosignatures beside Ed25519's; lines of kinds that nobody asked for mean nothing."""

from __future__ import annotations

import sys
from base64 import b64encode

import pytest

from lineage.errors import MalformedError, SignatureRefutedError
from lineage.trust import cosignature, mldsa
from tests.witness_keys import Cosigner

BODY = b"log.example\n1\n" + b64encode(bytes(range(32))) + b"\n"
SECONDS = 1_800_000_000
ONE = Cosigner("witness.example/w1", b"\x01" * 32, 6)
OLD = Cosigner("witness.example/w1", b"\x02" * 32, 4)
KEY = cosignature.parse_witness_key(ONE.verifier_key)


def verified(line: bytes, body: bytes = BODY) -> list[cosignature.Cosignature]:
    return cosignature.verified(body + b"\n" + line, [KEY])


def test_the_tree_its_time_and_the_witness_s_name_are_signed() -> None:
    line = ONE.line(BODY, SECONDS)
    (found,) = verified(line)
    assert (found.witness, found.at_us, found.line) == (KEY, SECONDS * 1_000_000, line)
    assert cosignature.answered(BODY + b"\n" + line, line, KEY) == found
    with pytest.raises(SignatureRefutedError):
        verified(ONE.line(BODY, SECONDS, said=SECONDS + 1))
    with pytest.raises(SignatureRefutedError):
        verified(ONE.line(BODY.replace(b"\n1\n", b"\n2\n"), SECONDS))
    named = Cosigner("witness.example/w2", ONE.seed, 6)
    signed = named.line(BODY, SECONDS)
    blob = ONE.hashed + named.private.sign(named.subtree(BODY, SECONDS))
    assert verified(signed) == []
    renamed = ONE.hashed + SECONDS.to_bytes(8, "big") + blob[4:]
    with pytest.raises(SignatureRefutedError):
        verified(f"\u2014 {ONE.name} {b64encode(renamed).decode()}\n".encode())


def test_extension_lines_are_not_in_it() -> None:
    assert verified(ONE.line(BODY, SECONDS), BODY + b"more\n")


def test_without_a_time_it_is_no_witness_s_and_does_not_count() -> None:
    assert verified(ONE.line(BODY, 0)) == []
    with pytest.raises(SignatureRefutedError):
        verified(ONE.line(BODY, SECONDS, said=0))
    with pytest.raises(MalformedError, match="no cosignature by its key"):
        cosignature.answered(BODY + b"\n" + ONE.line(BODY, 0), ONE.line(BODY, 0), KEY)


def test_a_signature_of_another_length_is_none() -> None:
    line = Cosigner(ONE.name, b"\x02" * 32, 4).line(BODY, SECONDS)
    blob = ONE.hashed + b"\0" * 72
    assert verified(line) == []
    with pytest.raises(MalformedError, match="another length"):
        verified(f"\u2014 {ONE.name} {b64encode(blob).decode()}\n".encode())


def test_lines_of_an_unknown_kind_are_ignored() -> None:
    """As the format asks: whoever verifies today may meet algorithms of tomorrow."""
    unknown = Cosigner("witness.example/w9", b"\x03" * 32, 4).hashed + b"\x99" * 3_000
    line = f"\u2014 witness.example/w9 {b64encode(unknown).decode()}\n".encode()
    assert len(verified(line + ONE.line(BODY, SECONDS) + line)) == 1
    assert verified(line) == []


@pytest.mark.parametrize("kind", [0, 1, 2, 5, 7, 255])
def test_a_key_of_an_unknown_kind_is_refused_with_a_word(kind: int) -> None:
    name, _, _ = ONE.verifier_key.split("+", 2)
    raw = bytes([kind]) + b"\x01" * 32
    text = f"{name}+00000000+{b64encode(raw).decode()}"
    with pytest.raises(MalformedError, match=r"Ed25519 \(type 4\) or ML-DSA-44 \(type 6\)"):
        cosignature.parse_witness_key(text)


@pytest.mark.parametrize("size", [0, 32, mldsa.KEY_BYTES - 1, mldsa.KEY_BYTES + 1])
def test_a_key_of_another_length_is_none(size: int) -> None:
    with pytest.raises(MalformedError, match="1,312 bytes"):
        mldsa.load(b"\x01" * size)


def test_where_the_library_is_too_old_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric.mldsa", None)
    monkeypatch.delattr("cryptography.hazmat.primitives.asymmetric.mldsa")
    with pytest.raises(MalformedError, match="too old for it"):
        cosignature.parse_witness_key(ONE.verifier_key)


def test_one_witness_is_told_from_another_by_name_and_key() -> None:
    """Two keys of one name, or two names of one key, are one witness, also by way of a third."""
    cosigners = [
        ONE,
        OLD,
        Cosigner("witness.example/alias", OLD.seed, 4),
        Cosigner("witness.example/w2", b"\x05" * 32, 4),
    ]
    keys = [cosignature.parse_witness_key(each.verifier_key) for each in cosigners]
    same = frozenset(each.text for each in keys[:3])
    for some in (keys, keys[::-1], [keys[2], keys[0], keys[3], keys[1]]):
        assert set(cosignature.told_apart(some)) == {same, frozenset({keys[3].text})}
    assert len(cosignature.told_apart([keys[0], keys[2]])) == 2
