"""Digests of subjects in their stored form come back as they were, and no other form is read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.db.digest_fields import packed, unpacked
from lineage.errors import LogIntegrityError

HEX = "0a" * 32
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


def test_a_sha256_takes_33_bytes() -> None:
    assert packed(f"sha256:{HEX}") == b"\x01" + bytes.fromhex(HEX)
    assert unpacked(packed(f"sha256:{HEX}")) == f"sha256:{HEX}"


@given(
    st.one_of(
        TEXTS, TEXTS.map("sha256:{}".format), st.text("0123456789abcdefABCDEF", min_size=64, max_size=64)
    )
)
def test_whatever_a_statement_names_comes_back(text: str) -> None:
    for digest in (text, f"sha256:{text}"):
        assert unpacked(packed(digest)) == digest


@given(TEXTS, TEXTS)
def test_no_two_are_stored_alike(one: str, other: str) -> None:
    assert (packed(one) == packed(other)) == (one == other)


@pytest.mark.parametrize(
    "stored",
    [
        b"",
        b"\x00",
        b"\x01",
        b"\x01" + bytes(31),
        b"\x01" + bytes(33),
        b"\x02" + bytes(32),
        b"\x00\xff",
        f"sha256:{HEX}".encode(),
        b"\x00" + f"sha256:{HEX}".encode(),
    ],
)
def test_no_other_form_is_read(stored: bytes) -> None:
    with pytest.raises(LogIntegrityError):
        unpacked(stored)
