"""One JSON object written in pieces, so that a long list in it is never in memory as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

_encoder = msgspec.json.Encoder()
_AT_ONCE = 200


def pieces(members: Mapping[str, object], lists: Mapping[str, Iterable[object]]) -> Iterator[bytes]:
    """`{…members, …lists}` in UTF-8, in this order, and a line break at the end."""
    opening = _encoder.encode(members)
    yield opening[:-1]
    first = len(opening) == 2
    for name, items in lists.items():
        yield (b"" if first else b",") + _encoder.encode(name) + b":["
        first = False
        yield from _list(items)
        yield b"]"
    yield b"}\n"


def _list(items: Iterable[object]) -> Iterator[bytes]:
    separator, held = b"", list[bytes]()
    for item in items:
        held.append(separator + _encoder.encode(item))
        separator = b",\n"
        if len(held) >= _AT_ONCE:
            yield b"".join(held)
            held.clear()
    yield b"".join(held)
