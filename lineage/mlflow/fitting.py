"""Making a record fit into an envelope, whatever users wrote: long texts and lists stand as their digests.

Owns: what is cut, and that the digest covers what was cut. The same value is always cut in the same way.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeGuard

from lineage.trust import canonical
from lineage.trust.digest import sha256_hex

MAX_TEXT = 1_000
"""Characters of a text that stands in a record as it is."""

BEGINS = 200
"""Characters that are shown of a longer one."""

MAX_RECORD_BYTES = 2 << 20
"""Canonical bytes of a record; an envelope (8 MiB, in base64) holds changes and descriptors beside it."""

MAX_FILES_BYTES = 4 << 20
"""The same for a list of files, which has hardly anything beside it."""

FIRST = 200
"""Members or items that are shown of a longer list."""

_HEADING = frozenset({"kind", "id", "state", "name", "ended", "last"})


def short(text: str, most: int = 500) -> str:
    """A name of at most `most` characters; a longer one ends in its SHA-256, so that no two become one."""
    if len(text) <= most:
        return text
    return f"{text[:BEGINS]}… sha256:{sha256_hex(text.encode())}"


def folded(text: str, most: int = MAX_TEXT) -> str | dict[str, Any]:
    """`text`, or its digest, length and beginning where it is longer than `most` characters."""
    if len(text) <= most:
        return text
    return {"sha256": sha256_hex(text.encode()), "characters": len(text), "begins": text[: min(most, BEGINS)]}


def fitted(content: dict[str, Any], most: int) -> dict[str, Any]:
    """`content` with long texts folded, and as much more as it takes to have at most `most` bytes.

    First texts over 1,000 characters, then over 200, then over 64; then the largest maps and lists become
    `{"count", "sha256", "first"}`, one by one.
    """
    found = content
    for limit in (MAX_TEXT, 200, 64):
        found = {name: value if name in _HEADING else _fold(value, limit) for name, value in content.items()}
        if _small(found, most):
            return found
    sizes = {name: len(canonical.encode(value)) for name, value in found.items() if name not in _HEADING}
    total = sum(sizes.values())
    for name in sorted(sizes, key=lambda name: -sizes[name]):
        if total <= most // 2:
            break
        found[name] = _first(found[name])
        total += len(canonical.encode(found[name])) - sizes[name]
    return found


def _small(value: dict[str, Any], most: int) -> bool:
    """Whether its canonical form surely has at most `most` bytes; counting is cheaper than encoding."""
    counted = 0
    for size in _sizes(value):
        counted += size
        if counted > most // 6:  # six bytes a character at most, as \\u001f
            return len(canonical.encode(value)) <= most
    return True


def _sizes(value: Any) -> Iterator[int]:
    if isinstance(value, str):
        yield len(value) + 3
    elif isinstance(value, dict):
        for name, member in value.items():
            yield len(name) + 4
            yield from _sizes(member)
    elif isinstance(value, list):
        for item in value:
            yield from _sizes(item)
    else:
        yield 25


def _fold(value: Any, limit: int) -> Any:
    if isinstance(value, str):
        return folded(value, limit) if len(value) > limit else value
    if isinstance(value, dict):
        return {name: _fold(member, limit) for name, member in value.items()}
    if isinstance(value, list):
        return [_fold(item, limit) for item in value]
    return value


def is_cut(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether this is what stands for a long map or list. Users' own names may be `count`, `sha256`, `first`,
    but then their values are texts or objects, never a number and a digest."""
    return (
        isinstance(value, dict)
        and set(value) == {"count", "sha256", "first"}
        and isinstance(value["count"], int)
        and isinstance(value["sha256"], str)
    )


def _first(value: Any) -> Any:
    """A long map or list as how many, the digest of all, and the first of them."""
    if isinstance(value, dict):
        first: Any = {name: value[name] for name in sorted(value)[:FIRST]}
    elif isinstance(value, list):
        first = value[:FIRST]
    else:
        return value
    return {"count": len(value), "sha256": canonical.digest(value), "first": first}
