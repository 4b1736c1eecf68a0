"""The one spelling of a JSON value (RFC 8785), and its SHA-256.

Owns: canonical bytes, and which numbers and texts have to be written as other texts before they have any.
Does not own: what a record holds.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

import rfc8785

from lineage.errors import MalformedError
from lineage.trust.digest import sha256_hex

LARGEST = 2**53 - 1
"""Beyond it JSON numbers are not the same integers to every reader (RFC 7493 section 2.2)."""

_ENCODER = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))
_SURROGATE = re.compile("[\ud800-\udfff]")


def encode(value: object) -> bytes:
    """`value` in its canonical form, UTF-8.

    Raises:
        MalformedError: NaN, infinities, integers over `LARGEST`, half a surrogate pair, keys that are not
            texts, or nested too deeply: such a value has no canonical form.
    Source: RFC 8785.
    """
    try:
        if _written_alike(value):
            return _ENCODER.encode(value).encode()
        return rfc8785.dumps(value)  # type: ignore[arg-type]
    except (rfc8785.CanonicalizationError, UnicodeEncodeError, RecursionError) as error:
        raise MalformedError("The value has no canonical form (RFC 8785).") from error


def _written_alike(value: object) -> bool:
    """Whether `json` writes the canonical form too, at a tenth of the cost: no floats, and simple names.

    Names are sorted by UTF-16 code units there and by code points here, which differ above U+D7FF alone.
    """
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return True
    if kind is int:
        return -LARGEST <= value <= LARGEST  # type: ignore[operator]
    if kind is dict:
        return all(
            type(name) is str and (name.isascii() or max(name) < "\ud800") and _written_alike(member)
            for name, member in value.items()  # type: ignore[attr-defined]
        )
    return kind is list and all(map(_written_alike, value))  # type: ignore[call-overload]


def digest(value: object) -> str:
    """SHA-256 of the canonical form, in hex. Raises as `encode`."""
    return sha256_hex(encode(value))


def plain(value: Any) -> Any:
    """`value` with what has no canonical form replaced by texts: numbers by `number`, texts by `text`."""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        return number(value)
    if isinstance(value, dict):
        return {text(name): plain(member) for name, member in value.items()}
    return [plain(item) for item in value]


def number(value: int | float) -> int | float | str:
    """`value`, or its digits as a text: `NaN`, `Infinity`, `-Infinity`, and whatever is over `LARGEST`.

    Floats over `LARGEST` too, because they are written with an integer's digits and read back as one.
    """
    if isinstance(value, int):
        return value if -LARGEST <= value <= LARGEST else str(value)
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value if -LARGEST <= value <= LARGEST else repr(value)


def text(value: str) -> str:
    """`value` without U+0000 (U+2400 stands in), half a surrogate pair written as `\\udXXX`."""
    if "\0" in value:
        value = value.replace("\0", "\u2400")
    if not value.isascii():
        value = _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", value)
    return value
