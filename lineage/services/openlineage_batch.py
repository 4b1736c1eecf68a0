"""Cutting a batch of OpenLineage events, a JSON array, into the texts of its events.

Each is then read by itself, so that one that is wrong harms no other. Does not own: what is an event.
"""

from __future__ import annotations

import json
import re

from lineage.errors import MalformedError, TooLargeError

MAX_PARTS = 500_000
"""Objects and lists in a batch: each takes some hundred bytes of memory once it is read."""

_SPACE = re.compile(r"[ \t\n\r]*+")
_DECODER = json.JSONDecoder(parse_int=len, parse_float=len)  # no number is converted, none can be too long


def few_parts(data: bytes, most: int) -> None:
    """Raises: TooLargeError for more than `most` objects and lists, before any of them is made."""
    if data.count(b"{") + data.count(b"[") > most:
        raise TooLargeError(f"More than {most:,} objects and lists, the limit.", limit=most)


def items(data: bytes, most: int) -> list[bytes]:
    """The items of a JSON array, each as it was sent; cut one by one, and at most `most`.

    Raises: MalformedError where it is no array; TooLargeError.
    """
    few_parts(data, MAX_PARTS)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise MalformedError("The batch is not UTF-8.", where=f"byte {error.start}") from None
    at = _space(text, 0)
    if text[at : at + 1] != "[":
        raise MalformedError("A batch is a JSON array of events.")
    found: list[bytes] = []
    at = _space(text, at + 1)
    empty = text[at : at + 1] == "]"
    while not empty:
        end = _item_end(text, at)
        found.append(text[at:end].encode())
        if len(found) > most:
            raise TooLargeError(f"More than {most:,} events in a batch, the limit.", limit=most)
        at = _space(text, end)
        if text[at : at + 1] == "]":
            break
        if text[at : at + 1] != ",":
            raise MalformedError("The batch is not valid JSON.", where=f"character {at}")
        at = _space(text, at + 1)
    if _space(text, at + 1) != len(text):
        raise MalformedError("Something follows the batch.", where=f"character {at + 1}")
    return found


def _space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    assert found is not None  # it matches nothing, too
    return found.end()


def _item_end(text: str, at: int) -> int:
    try:
        return _DECODER.raw_decode(text, at)[1]
    except (json.JSONDecodeError, RecursionError) as error:
        raise MalformedError("The batch is not valid JSON.", where=f"character {at}") from error
