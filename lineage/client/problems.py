"""From a server's problem document (RFC 9457) back to the error that was raised there.

Owns: the mapping by slug; both sides share `lineage.errors`, so a program catches the same class here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from lineage.errors import LineageError, ProposedError, RateLimitedError, TooLargeError, UnavailableError

_TYPE_PREFIX = "urn:lineage:problem:"
_SHOWN_BYTES = 200
_OWN_MEMBERS = {"type", "title", "status", "detail", "hint", "where", "instance"}


def problem_error(status: int, body: bytes) -> LineageError:
    """The error that an answer of HTTP `status` with `body` tells of. Never raises."""
    try:
        members: Any = json.loads(body)
    except ValueError:
        members = None
    if not isinstance(members, dict) or not str(members.get("type", "")).startswith(_TYPE_PREFIX):
        shown = body[:_SHOWN_BYTES].decode("utf-8", "replace").strip()
        return LineageError(f"The server answered {status} without saying why: {shown or 'nothing'}")
    slug = str(members["type"]).removeprefix(_TYPE_PREFIX)
    title, detail = str(members.get("title", "")), str(members.get("detail", ""))
    message = f"{title.rstrip('.')}: {detail}" if title and detail else title or detail or slug
    return _raised_as(slug, message, members)


def _raised_as(slug: str, message: str, members: dict[str, Any]) -> LineageError:
    hint, where = str(members.get("hint", "")), str(members.get("where", ""))
    extra = {name: value for name, value in members.items() if name not in _OWN_MEMBERS}
    if slug == TooLargeError.slug:
        limit = members.get("limit")
        return TooLargeError(message, limit=limit if isinstance(limit, int) else 0, hint=hint, where=where)
    if slug == UnavailableError.slug:
        return UnavailableError(message, hint=hint)
    if slug == RateLimitedError.slug:
        return RateLimitedError(message, hint=hint)
    for known in _tree(LineageError):
        if known.slug == slug and known is not ProposedError:
            return known(message, hint=hint, where=where, extra=extra)
    return LineageError(message, hint=hint, where=where, extra=extra)


def _tree(base: type[LineageError]) -> Iterator[type[LineageError]]:
    yield base
    for below in base.__subclasses__():
        yield from _tree(below)
