"""Changes to an input that get past the outer shell: in bytes, in JSON, and inside base64 within JSON.

Everything follows from the given `random.Random`, so a run can be repeated from its seed.
"""

from __future__ import annotations

import base64
import binascii
import json
import random
from collections.abc import Sequence
from typing import Any

TOKENS: tuple[bytes, ...] = (
    b"{", b"}", b"[", b"]", b'"', b":", b",", b"\\", b"\\ud800", b"\\u0000", b"null", b"NaN", b"-Infinity",
    b"1e999", b"9" * 40, b"-0", b"\xef\xbb\xbf", b"\xff", b"\x00", b"=", b"-_", b"+/",
    b"[" * 70, b'{"a":' * 70,
    b'"payload":', b'"signatures":', b'"digest":', b'"sha256":', b'"keyid":', b'"certificate":', b"----BEGIN",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1 << 63, 1 << 64, 10**30, 1.5, "", "\0", "x" * 300, "\u202e", "=", "AA==",
    "AA=", "-_+/", "sha256:" + "0f" * 32, "0f" * 32, "-1", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z",
    "link", [], {}, [[]], {"sha256": "0f" * 32}, [{}] * 33, ["a"] * 40,
)  # fmt: skip


def mutated(data: bytes, others: Sequence[bytes], chance: random.Random, max_size: int = 1 << 16) -> bytes:
    """`data` with one to four changes; pieces of `others` may be put into it."""
    for _ in range(chance.randint(1, 4)):
        data = _in_document(data, chance) if chance.random() < 0.6 else _in_bytes(data, others, chance)
    return data[:max_size]


def _in_bytes(data: bytes, others: Sequence[bytes], chance: random.Random) -> bytes:
    at = chance.randint(0, len(data))
    to = min(len(data), at + chance.randint(0, 16))
    kind = chance.randrange(6)
    if kind == 0 and data:
        at = chance.randrange(len(data))
        return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]
    if kind == 1:
        return data[:at] + data[to:]
    if kind == 2:
        return data[:at] + chance.choice(TOKENS) + data[at:]
    if kind == 3:
        return data[:to] + data[at:]
    if kind == 4:
        other = chance.choice(others)
        return data[:at] + other[chance.randint(0, len(other)) :]
    return data[:at]


def _in_document(data: bytes, chance: random.Random) -> bytes:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return _in_lines(data, chance)
    changed = _changed(document, chance)
    text = json.dumps(changed, ensure_ascii=chance.random() < 0.5, indent=chance.choice([None, None, 1]))
    return text.encode("utf-8", "surrogatepass")


def _in_lines(data: bytes, chance: random.Random) -> bytes:
    """Of a text of lines: one taken out, twice, at another place, or a word in it changed."""
    try:
        lines = data.decode("utf-8").split("\n")
    except UnicodeDecodeError:
        return data
    at, to = chance.randrange(len(lines)), chance.randrange(len(lines))
    act = chance.randrange(8)
    if act == 0:
        del lines[at]
    elif act == 1:
        lines.insert(to, lines[at])
    elif act == 2:
        lines[at], lines[to] = lines[to], lines[at]
    else:
        lines[at] = _in_words(lines[at], chance)
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def _in_words(line: str, chance: random.Random) -> str:
    mark = chance.choice([" ", " ", "+", ",", "/"])
    words = line.split(mark)
    at = chance.randrange(len(words))
    word = words[at]
    if word.isascii() and word.isdecimal() and len(word) < 40:
        number = int(word) + chance.choice([-1, 1, 256, 1 << 63])
        word = chance.choice([f"{number}", f"0{word}", f"+{word}", word.translate(_ARABIC)])
    elif len(word) > 8:
        word = _in_base64(word, chance)
    else:
        word = chance.choice(["", "-", word * 2, word.upper(), f"{word}\u00a0", "\u2014"])
    words[at] = word
    return mark.join(words)


_ARABIC = {ord("0") + digit: 0x0660 + digit for digit in range(10)}
"""Digits that `int` would take."""


def _changed(value: Any, chance: random.Random) -> Any:
    """The document with one value somewhere in it changed."""
    if isinstance(value, dict) and value and chance.random() < 0.85:
        return _changed_object(value, chance)
    if isinstance(value, list) and value and chance.random() < 0.85:
        return _changed_array(value, chance)
    if isinstance(value, str) and len(value) > 8 and chance.random() < 0.75:
        return _in_base64(value, chance)
    return chance.choice(VALUES)


def _changed_object(value: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    name = chance.choice(list(value))
    act = chance.randrange(8)
    if act == 0:
        return {k: v for k, v in value.items() if k != name}
    if act == 1:
        return value | {chance.choice([name.upper(), name + "\0", "", "x" * 300]): value[name]}
    return value | {name: _changed(value[name], chance)}


def _changed_array(value: list[Any], chance: random.Random) -> list[Any]:
    at = chance.randrange(len(value))
    act = chance.randrange(6)
    if act == 0:
        return value[:at] + value[at + 1 :]
    if act == 1:
        return value + [value[at]] * chance.choice([1, 2, 40])
    return [*value[:at], _changed(value[at], chance), *value[at + 1 :]]


def _in_base64(text: str, chance: random.Random) -> str:
    """What the text holds, changed, and packed again; or the text itself, cut or with a piece more."""
    try:
        inner = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        at = chance.randint(0, len(text))
        return (
            text[:at] + chance.choice(["", "<", "\0", "/../", "\n", "é"]) + text[at + chance.randint(0, 2) :]
        )
    inner = mutated(inner, (inner,), chance) if inner[:1] == b"{" else _in_bytes(inner, (inner,), chance)
    return base64.b64encode(inner).decode()
