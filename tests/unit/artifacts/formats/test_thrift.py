"""Thrift's compact protocol."""

from __future__ import annotations

import struct

import pytest

from lineage.artifacts.formats import thrift
from lineage.errors import MalformedError, TooLargeError


def test_each_kind_of_value() -> None:
    content = (
        b"\x11"  # 1: true
        b"\x12"  # 2: false
        b"\x13\x05"  # 3: a byte
        b"\x15\x03"  # 4: the number -2
        b"\x17" + struct.pack("<d", 1.5) +  # 5
        b"\x18\x02hi"  # 6
        b"\x19\x25\x02\x04"  # 7: the numbers 1, 2
        b"\x19\x21\x01\x02"  # 8: true, false
        b"\x1c\x15\x02\x00"  # 9: a struct with 1: 1
        b"\x05\xc8\x01\x02"  # 100: 1
        b"\x00rest"
    )  # fmt: skip
    assert thrift.parse(content) == {
        1: True, 2: False, 3: 5, 4: -2, 5: 1.5, 6: b"hi", 7: [1, 2], 8: [True, False], 9: {1: 1}, 100: 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x18\x7f",
        b"\x15\xff",
        b"\x15" + b"\xff" * 10,
        b"\x19\xf5\xff\xff\xff\x7f",
        b"\x1b",
        b"\x1d",
        b"\x11\x01\x02",
    ],
    ids=["empty", "text", "number", "long-number", "long-list", "map", "no-type", "twice"],
)
def test_what_is_malformed(content: bytes) -> None:
    with pytest.raises(MalformedError):
        thrift.parse(content)


def test_what_is_too_deep() -> None:
    with pytest.raises(TooLargeError):
        thrift.parse(b"\x1c" * 100)
    with pytest.raises(TooLargeError):
        thrift.parse(b"\x19" * 100)
