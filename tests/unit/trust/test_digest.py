from __future__ import annotations

import hashlib

import pytest

from lineage.errors import MalformedError
from lineage.trust import digest


@pytest.mark.parametrize(
    ("algorithm", "value", "says"),
    [
        ("sha256", "", "not hexadecimal"),
        ("sha256", "zz" * 32, "not hexadecimal"),
        ("sha256", "ab" * 31 + " a", "not hexadecimal"),
        ("sha256", "ab" * 32 + "\n", "not hexadecimal"),
        ("sha256", "\u0660" * 64, "not hexadecimal"),  # digits, but not ASCII
        ("sha256", "sha256:" + "ab" * 32, "not hexadecimal"),
        ("sha256", "ab" * 31, "has 64 hex digits, this one has 62"),
        ("sha256", "ab" * 33, "has 64"),
        ("sha512", "ab" * 32, "has 128"),
        ("dirHash", "ab" * 20, "has 64"),
        ("gitCommit", "ab" * 19, "has 40 or 64"),
        ("md5", "ab" * 32, "has 32"),
    ],
)
def test_refused(algorithm: str, value: str, says: str) -> None:
    with pytest.raises(MalformedError, match=says) as caught:
        digest.parse_digest_set({algorithm: value}, where="$.subject[0].digest")
    assert caught.value.where == f"$.subject[0].digest.{algorithm}"


def test_known_values_are_lowercased_and_unknown_kept() -> None:
    raw = {
        "sha256": "AB" * 32,
        "gitCommit": "AB" * 20,
        "gce_image_id": "89700A",
        "SHA256": "Not Hex",
        "x": "",
    }
    assert digest.parse_digest_set(raw, where="") == {
        "sha256": "ab" * 32,
        "gitCommit": "ab" * 20,
        "gce_image_id": "89700A",
        "SHA256": "Not Hex",
        "x": "",
    }
    assert digest.parse_digest_set({"gitTag": "0" * 64}, where="") == {"gitTag": "0" * 64}
    assert digest.parse_digest_set({}, where="") == {}


@pytest.mark.parametrize("algorithm", sorted(set(digest.LENGTHS) & hashlib.algorithms_available))
def test_lengths_are_those_of_the_algorithms(algorithm: str) -> None:
    assert len(hashlib.new(algorithm, b"", usedforsecurity=False).hexdigest()) == digest.LENGTHS[algorithm]


def test_sha256_hex() -> None:
    assert digest.sha256_hex(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


A, B = "aa" * 32, "bb" * 32


@pytest.mark.parametrize(
    ("claimed", "found", "matches"),
    [
        ({"sha256": A}, {"sha256": A}, True),
        ({"sha256": A}, {"sha256": B}, False),
        ({"sha256": A}, {"sha512": A * 2}, False),
        ({}, {"sha256": A}, False),
        ({"sha256": A, "sha512": A * 2}, {"sha256": A}, True),
        ({"sha256": A, "sha512": A * 2}, {"sha256": A, "sha512": B * 2}, False),
        ({"sha256": A, "sha1": "a" * 40}, {"sha256": A, "sha1": "b" * 40}, False),
        ({"sha1": "a" * 40, "md5": "a" * 32}, {"sha1": "a" * 40, "md5": "a" * 32}, False),
        ({"gce_image_id": "1"}, {"gce_image_id": "1"}, False),
        ({"sha256": A, "gce_image_id": "1"}, {"sha256": A, "gce_image_id": "2"}, True),
        ({"dirHash": A}, {"dirHash": A}, True),
    ],
)
def test_match(claimed: dict[str, str], found: dict[str, str], matches: bool) -> None:
    assert digest.match(claimed, found) is matches
    assert digest.match(found, claimed) is matches
