"""Reading JSON members with their types, and times, in one strict way for every predicate.

Owns: turning a decoder's complaint into `MalformedError` with the member's path. Does not own: duplicate
keys, nesting and number forms, which `trust.strictjson` has refused before a predicate is read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import TypeVar

import msgspec

from lineage.errors import MalformedError, TooLargeError
from lineage.trust import leaf

MAX_REFERENCES = 20_000
"""Materials, sources, inputs … that one statement may list."""

_EPOCH = datetime(1970, 1, 1)  # UTC
_PLAIN = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", re.ASCII)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_WEB = re.compile(r"[Hh][Tt][Tt][Pp][Ss]?://[^\s/]\S*")
_PATH = re.compile(r" - at `(?:key in )?\$(.*)`$")


class Wire(msgspec.Struct, frozen=True, rename="camel"):
    """Base of the JSON objects read here: camelCase members, unknown members ignored."""


T = TypeVar("T", bound=Wire)


def read(decoder: msgspec.json.Decoder[T], raw: bytes, *, where: str = "$.predicate") -> T:
    """Decode one JSON value; `where` names it in errors.

    Raises:
        MalformedError: absent, not JSON, a member missing or of the wrong type.
    """
    if not raw:
        raise MalformedError("The statement has no predicate.", where=where)
    try:
        return decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise explained(error, where) from error


def explained(error: Exception, where: str) -> MalformedError:
    """The decoder's complaint with its path moved into `where`."""
    text = str(error)
    found = _PATH.search(text)
    if found is None:
        return MalformedError(f"{text}.", where=where)
    return MalformedError(f"{text[: found.start()]}.", where=where + found[1])


NO_MEMBERS = msgspec.Raw(b"{}")
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def object_only(raw: msgspec.Raw, *, where: str) -> None:
    """Raises MalformedError where the value is no object, as `members` does."""
    if bytes(memoryview(raw)[:1]) != b"{":
        members(raw, where=where)


def members(raw: msgspec.Raw, *, where: str) -> dict[str, msgspec.Raw]:
    """The members of an object of the emitter's own, which whoever does not show them need not read.

    Raises: MalformedError where it is none.
    """
    try:
        return _MEMBERS.decode(raw)
    except msgspec.DecodeError as error:
        raise explained(error, where) from error


def required(value: str, *, where: str) -> str:
    """`value`, which must not be empty. Raises MalformedError."""
    if not value:
        raise MalformedError("This member must not be empty.", where=where)
    return value


def limited(items: Sequence[object], limit: int, *, where: str) -> None:
    """Raises TooLargeError where there are more than `limit` items."""
    if len(items) > limit:
        raise TooLargeError(
            f"{len(items):,} items, and at most {limit:,} are allowed.", limit=limit, where=where
        )


def utc(text: str, *, where: str) -> str:
    """An RFC 3339 time in the log's one form of time, so that text order is time order; "" stays "".

    Raises:
        MalformedError: not RFC 3339, or outside the years 1 to 9999 once it is UTC.
    """
    if not text:
        return ""
    if _PLAIN.fullmatch(text):  # nearly all: a third of the time
        try:
            return f"{datetime.fromisoformat(text[:-1]).isoformat()}.000000Z"
        except ValueError:
            pass  # said below
    moment = _EPOCH + timedelta(microseconds=microseconds(text, where=where))
    return f"{moment.isoformat(timespec='microseconds')}Z"  # as leaf.rfc3339 does, in half the time


def microseconds(text: str, *, where: str) -> int:
    """An RFC 3339 time as microseconds since the epoch. Raises MalformedError as `utc` does."""
    try:
        return leaf.parse_rfc3339(text)
    except MalformedError as error:
        raise MalformedError(error.message, where=where) from None


def day(text: str, *, where: str) -> str:
    """A full-date of RFC 3339 (`2026-01-31`) as it is; "" stays "". Raises MalformedError."""
    if not text:
        return ""
    try:
        if _DAY.fullmatch(text):  # fromisoformat alone would read 20260131 and 2026-W05-6 too
            return date.fromisoformat(text).isoformat()
    except ValueError:
        pass  # the right form of a date that there never was
    raise MalformedError("This is not a date such as 2026-01-31.", where=where)


def web(url: str, *, where: str) -> str:
    """`url`, which must be http or https: it may become a link; "" stays "". Raises MalformedError."""
    if url and not _WEB.fullmatch(url):
        raise MalformedError("This is not an http or https address.", where=where)
    return url


def location(uri: str) -> str:
    """`uri` with its scheme in lower case, so that a location has one spelling to be a copy by.

    Source: RFC 3986 section 3.1.
    """
    scheme, separator, rest = uri.partition(":")
    return f"{scheme.lower()}{separator}{rest}"


def clean(text: str) -> str:
    """`text` without U+0000, which databases refuse; its visible symbol U+2400 stands in."""
    return text.replace("\0", "\u2400")
