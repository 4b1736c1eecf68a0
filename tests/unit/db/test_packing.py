"""Envelopes packed and unpacked: exact again, old rows readable, hostile frames refused before they grow."""

from __future__ import annotations

import base64
import json
import struct
from concurrent.futures import ThreadPoolExecutor

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from lineage.db import packing
from lineage.db.models import Envelope
from lineage.db.packing import HEADER_BYTES, MAX_UNPACKED_BYTES, pack, unpack, unpacked_length
from lineage.errors import LogIntegrityError
from lineage.trust.digest import sha256_hex

ENVELOPE = json.dumps({"payload": "A" * 3000, "payloadType": "application/vnd.in-toto+json"}).encode()


OPENED = b"\x01"


@given(
    st.binary(max_size=2000)
    | st.binary(max_size=50).map(lambda part: OPENED + part)
    | st.binary(max_size=50).map(lambda part: zstandard.FRAME_HEADER + part)
)
def test_any_bytes_come_back(content: bytes) -> None:
    stored = pack(content)
    assert unpack(stored) == content
    assert unpacked_length(stored[:HEADER_BYTES], len(stored)) == len(content)


def test_envelopes_get_smaller_and_bytes_that_would_not_stay() -> None:
    assert len(pack(ENVELOPE)) < len(ENVELOPE) // 10
    assert pack(b"{}") == b"{}"


@given(st.binary(min_size=1, max_size=700), st.integers(0, 3))
def test_an_envelope_with_any_payload_comes_back(payload: bytes, indent: int) -> None:
    encoded = base64.b64encode(payload).decode()
    content = json.dumps(
        {"payloadType": "a/b", "payload": encoded, "more": "x"}, indent=indent or None
    ).encode()
    stored = pack(content)
    assert pack(content, payload) == pack(content, payload + b"x") == stored, (
        "what is supposed changes nothing"
    )
    known = pack(content, payload, content.index(f'"{encoded}"'.encode()) + 1)
    assert known == stored, "nor does what is known"
    assert unpack(stored) == content
    assert unpacked_length(stored[:HEADER_BYTES], len(stored)) == len(content)
    whole, start, found = packing.opened(stored)
    assert whole == content
    # Opened to be stored or not at all: whoever reads the payload from here has the one of these bytes.
    assert (start, found) in {(0, b""), (content.index(f'"{encoded}"'.encode()) + 1, payload)}
    if stored.startswith(OPENED):
        assert found == payload


@pytest.mark.parametrize("last", ["Y", "Y=", "YR==", "YQ==", "Y===", "YQ"], ids=str)
def test_base64_that_is_written_otherwise_comes_back(last: str) -> None:
    content = json.dumps({"payload": "QUJD" * 200 + last}).encode()
    assert unpack(pack(content)) == content


def test_many_threads_at_once() -> None:
    contents = [
        json.dumps({"payload": base64.b64encode(bytes([n]) * 40_000).decode()}).encode() for n in range(99)
    ]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda content: unpack(pack(content)), contents)) == contents


def test_what_has_packed_a_large_content_is_not_kept() -> None:
    kept = list(packing._compressors)
    pack(bytes(packing.LARGE_BYTES))
    pack(b"{}" * 200)
    pack(b"{}" * 200)
    assert len(packing._compressors) == max(1, len(kept) - 1)


def test_a_payload_is_packed_as_what_it_says() -> None:
    said = json.dumps([{"name": f"n{i}", "digest": sha256_hex(bytes([i]))} for i in range(40)]).encode()
    content = json.dumps({"payload": base64.b64encode(said).decode()}).encode()
    assert len(pack(content)) < 0.85 * len(zstandard.ZstdCompressor().compress(content))


def test_rows_from_before_packing_are_read_as_they_are() -> None:
    assert unpack(ENVELOPE) == ENVELOPE
    assert unpacked_length(ENVELOPE[:HEADER_BYTES], len(ENVELOPE)) == len(ENVELOPE)


def test_a_content_over_the_limit_is_stored_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "MAX_UNPACKED_BYTES", 1000)
    assert pack(ENVELOPE) == ENVELOPE


def _plain() -> bytes:
    """A frame as such, of an envelope without a payload."""
    return pack(ENVELOPE.replace(b"payload", b"padding"))


def _opened(start: int, length: int) -> bytes:
    return OPENED + struct.pack(">II", start, length) + zstandard.ZstdCompressor().compress(ENVELOPE)


def _without_length() -> bytes:
    return zstandard.ZstdCompressor(write_content_size=False).compress(ENVELOPE)


def _bomb() -> bytes:
    """A frame that truly holds one byte more than the limit, of the same byte."""
    return zstandard.ZstdCompressor().compress(bytes(MAX_UNPACKED_BYTES + 1))


def _says_more() -> bytes:
    frame = bytearray(_plain())
    frame[5] ^= 1  # in the length that the header says
    return bytes(frame)


@pytest.mark.parametrize(
    "make",
    [
        _without_length,
        _bomb,
        _says_more,
        lambda: OPENED,
        lambda: OPENED + bytes(8),
        lambda: _opened(len(ENVELOPE), 1),
        lambda: _opened(0, 2**32 - 1),
        lambda: _opened(2**32 - 1, 0),
        lambda: _plain()[:-1],
        lambda: _plain() + b"x",
        lambda: pack(ENVELOPE)[:-1],
        lambda: pack(ENVELOPE) + b"x",
        lambda: pack(ENVELOPE) * 2,
        lambda: zstandard.FRAME_HEADER,
        lambda: zstandard.FRAME_HEADER + b"\xff" * 30,
    ],
    ids=[
        *(
            "no-length",
            "bomb",
            "other-length",
            "opened-only",
            "opened-no-frame",
            "opened-over",
            "opened-huge",
        ),
        *("opened-far", "plain-cut", "plain-trailing"),
        "cut",
        "trailing",
        "two-frames",
        "magic-only",
        "noise",
    ],
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
