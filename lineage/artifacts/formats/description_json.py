"""A Description as JSON: how it is kept, and read back.

Owns: the form, which is canonical (RFC 8785). Does not own: where it is kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import rfc8785

from lineage.artifacts.formats.base import MAX_PARTS, Description, Part
from lineage.errors import MalformedError, TooLargeError

_SHA256 = re.compile(r"[0-9a-f]{64}")
_MEMBERS = frozenset({"format", "digests", "parts", "facts", "unsafe"})


def to_values(description: Description) -> dict[str, Any]:
    """The description as JSON values. A part is a list: kind, name, digest, and detail where it has one."""
    parts = [[p.kind, p.name, p.digest, *([p.detail] if p.detail else [])] for p in description.parts]
    values: dict[str, Any] = {
        "format": description.format,
        "digests": dict(description.digests),
        "parts": parts,
        "facts": dict(description.facts),
    }
    if description.unsafe:
        values["unsafe"] = list(description.unsafe)
    return values


def from_values(values: object) -> Description:
    """Undo `to_values`.

    Raises:
        MalformedError: the values are something else.
        TooLargeError: more than MAX_PARTS parts.
    """
    if not isinstance(values, dict) or not values.keys() <= _MEMBERS:
        raise MalformedError("This is not the description of a file.")
    parts, unsafe = values.get("parts"), values.get("unsafe", [])
    if not isinstance(parts, list) or not isinstance(unsafe, list):
        raise MalformedError("A description's parts and unsafe are lists.")
    if len(parts) > MAX_PARTS:
        raise TooLargeError(f"A description has at most {MAX_PARTS:,} parts.", limit=MAX_PARTS)
    read = tuple(_part(part, number) for number, part in enumerate(parts))
    if len({(part.kind, part.name) for part in read}) != len(read):
        raise MalformedError("A description has a part twice.")
    return Description(
        _text(values.get("format"), "format"),
        _texts(values.get("digests"), "digests"),
        read,
        _texts(values.get("facts"), "facts"),
        tuple(_text(why, "unsafe") for why in unsafe),
    )


def to_json(description: Description) -> bytes:
    """The description as canonical JSON (RFC 8785): the same bytes for the same description."""
    return rfc8785.dumps(to_values(description))


def from_json(content: bytes | str) -> Description:
    """Undo `to_json`. Raises: MalformedError, TooLargeError as `from_values`."""
    try:
        values = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise MalformedError("The description of a file is no JSON.") from error
    return from_values(values)


def _part(values: object, number: int) -> Part:
    if not isinstance(values, list) or len(values) not in (3, 4):
        raise MalformedError("A part is a list of kind, name, digest and detail.", where=f"parts[{number}]")
    part = Part(*(_text(value, f"parts[{number}]") for value in values))
    if not _SHA256.fullmatch(part.digest):
        raise MalformedError("A part's digest is a SHA-256 in lowercase hex.", where=f"parts[{number}]")
    return part


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise MalformedError("A text is missing in the description of a file.", where=where)
    return value


def _texts(value: object, where: str) -> Mapping[str, str]:
    if not isinstance(value, dict):
        raise MalformedError("An object is missing in the description of a file.", where=where)
    return {name: _text(text, where) for name, text in value.items()}
