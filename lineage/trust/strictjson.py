"""A strict scan of JSON bytes before they are decoded, for what decoders let through silently.

`msgspec` keeps the last of two equal keys and skips raw parts without reading them; `json` accepts NaN and
lone surrogates. Both can make two readers of one signed document see two documents. Gives no values back.
"""

from __future__ import annotations

import json
import re
from itertools import accumulate

import msgspec

from lineage.errors import MalformedError, TooLargeError

MAX_NESTING = 64
_LARGE_BYTES = 1 << 13

_STEP = {ord("{"): 1, ord("["): 1, ord("}"): -1, ord("]"): -1}
_NOT_STRUCTURE = bytes(set(range(256)) - set(b'"{}[]'))
_MAYBE_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


class _RefusedError(Exception):
    """Carries the sentence out of the callbacks of `json`."""


def check(data: bytes, *, what: str, max_nesting: int = MAX_NESTING) -> None:
    """Refuse anything that is not one strict JSON text in UTF-8. `what` names the document in the message.

    Numbers are not converted, so their size does not matter here.

    Raises:
        MalformedError: not UTF-8, a byte order mark, not JSON, bytes after the text, equal keys in an
            object, NaN or Infinity, half a surrogate pair.
        TooLargeError: arrays and objects nested deeper than `max_nesting`.
    Source: RFC 8259, RFC 7493 (I-JSON) section 2.
    """
    if opens_more(data, max_nesting):  # fewer can't nest too deeply
        _check_nesting(data, what, max_nesting)
    if _is_as_written(data):
        return
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedError(f"The {what} is not UTF-8.", where=f"byte {error.start}") from None
    if text.startswith("\ufeff"):
        raise MalformedError(f"The {what} begins with a byte order mark.", where="byte 0")
    _check_text(text, what)
    if _MAYBE_SURROGATE.search(data):
        _check_surrogates(text, what)


def mismatch(error: msgspec.DecodeError, sentence: str) -> MalformedError:
    """The error to raise where strict JSON has not the members that it should, with the path in `where`."""
    reason, _, path = str(error).partition(" - at `")
    return MalformedError(f"{sentence}: {reason}.", where=path.rstrip("`"))


def _is_as_written(data: bytes) -> bool:
    """True where the encoder writes back these very bytes: what it writes has none of the faults.

    The usual case, because programs sign compact JSON, or Python's with a space after each comma and colon;
    a third of the cost of looking at each object.
    """
    try:
        compact = msgspec.json.encode(msgspec.json.decode(data))
        return compact == data or msgspec.json.format(compact, indent=0) == data
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError):
        return False


def _check_text(text: str, what: str) -> None:
    try:
        _DECODER.decode(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise MalformedError(f"The {what} is not valid JSON: {error.msg}.", where=where) from None
    except _RefusedError as refusal:
        raise MalformedError(f"The {what} {refusal}.") from None


def opens_more(data: bytes, most: int) -> bool:
    """Whether it has more than so many opening brackets, strings included."""
    if len(data) < _LARGE_BYTES:
        return data.count(b"{") + data.count(b"[") > most
    for bracket in (b"{", b"["):  # counting looks at each byte by itself, finding at dozens at once
        at = data.find(bracket)
        while at >= 0:
            most -= 1
            if most < 0:
                return True
            at = data.find(bracket, at + 1)
    return False


def _check_nesting(data: bytes, what: str, max_nesting: int) -> None:
    """Count levels in one pass over the brackets alone, before a decoder recurses into them.

    Strings are cut out first. Where brackets don't pair up the text is no JSON, which the decoder says.
    """
    if b"\\" in data:
        # Pairs first: of a run of backslashes only the odd last one escapes what follows.
        data = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    brackets = b"".join(data.translate(None, _NOT_STRUCTURE).split(b'"')[::2])
    if max(accumulate(map(_STEP.__getitem__, brackets)), default=0) > max_nesting:
        raise TooLargeError(
            f"The {what} is nested deeper than the limit of {max_nesting} levels.", limit=max_nesting
        )


def _unique_keys(pairs: list[tuple[str, object]]) -> None:
    if len(dict(pairs)) != len(pairs):
        keys = iter(pairs)
        seen: set[str] = set()
        while (key := next(keys)[0]) not in seen:
            seen.add(key)
        shown = key.encode("unicode_escape").decode("ascii")[:80]
        raise _RefusedError(f'has the key "{shown}" twice in one object')


def _no_constant(name: str) -> None:
    raise _RefusedError(f"contains {name}, which JSON does not have")


def _check_surrogates(text: str, what: str) -> None:
    # Rare, so the plain way: whatever can't be written as UTF-8 holds half a pair.
    try:
        json.dumps(json.loads(text, parse_int=len, parse_float=len), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise MalformedError(f"The {what} contains half of a surrogate pair.") from None


# `len` takes the digits and gives something back: no number is converted, none can be too long.
_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique_keys, parse_int=len, parse_float=len, parse_constant=_no_constant
)
