"""Envelopes packed and unpacked: exact again, old rows readable, hostile frames refused before they grow."""

from __future__ import annotations

import json

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from lineage.db import packing
from lineage.db.models import Envelope
from lineage.db.packing import HEADER_BYTES, MAX_UNPACKED_BYTES, pack, unpack, unpacked_length
from lineage.errors import LogIntegrityError

ENVELOPE = json.dumps({"payload": "A" * 3000, "payloadType": "application/vnd.in-toto+json"}).encode()


@given(st.binary(max_size=2000) | st.binary(max_size=50).map(lambda part: zstandard.FRAME_HEADER + part))
def test_any_bytes_come_back(content: bytes) -> None:
    stored = pack(content)
    assert unpack(stored) == content
    assert unpacked_length(stored[:HEADER_BYTES], len(stored)) == len(content)


def test_envelopes_get_smaller_and_bytes_that_would_not_stay() -> None:
    assert len(pack(ENVELOPE)) < len(ENVELOPE) // 10
    assert pack(b"{}") == b"{}"


def test_rows_from_before_packing_are_read_as_they_are() -> None:
    assert unpack(ENVELOPE) == ENVELOPE
    assert unpacked_length(ENVELOPE[:HEADER_BYTES], len(ENVELOPE)) == len(ENVELOPE)


def test_a_content_over_the_limit_is_stored_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "MAX_UNPACKED_BYTES", 1000)
    assert pack(ENVELOPE) == ENVELOPE


def _without_length() -> bytes:
    return zstandard.ZstdCompressor(write_content_size=False).compress(ENVELOPE)


def _bomb() -> bytes:
    """A frame that truly holds one byte more than the limit, of the same byte."""
    return zstandard.ZstdCompressor().compress(bytes(MAX_UNPACKED_BYTES + 1))


def _says_more() -> bytes:
    frame = bytearray(pack(ENVELOPE))
    frame[5] ^= 1  # in the length that the header says
    return bytes(frame)


@pytest.mark.parametrize(
    "make",
    [
        _without_length,
        _bomb,
        _says_more,
        lambda: pack(ENVELOPE)[:-1],
        lambda: pack(ENVELOPE) + b"x",
        lambda: pack(ENVELOPE) * 2,
        lambda: zstandard.FRAME_HEADER,
        lambda: zstandard.FRAME_HEADER + b"\xff" * 30,
    ],
    ids=["no-length", "bomb", "other-length", "cut", "trailing", "two-frames", "magic-only", "noise"],
)
def test_broken_frames_are_refused(make) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(LogIntegrityError):
        unpack(make())


@given(st.integers(0, 10_000), st.integers(0, 7))
def test_a_flipped_bit_never_raises_anything_else(place: int, bit: int) -> None:
    stored = bytearray(pack(ENVELOPE))
    stored[place % len(stored)] ^= 1 << bit
    try:
        unpacked = unpack(bytes(stored))
    except LogIntegrityError:
        return
    assert unpacked != ENVELOPE or bytes(stored) != pack(ENVELOPE)


def test_a_migration_sees_a_plain_column_of_bytes() -> None:
    assert Envelope._meta.get_field("content").deconstruct()[1] == "django.db.models.BinaryField"
