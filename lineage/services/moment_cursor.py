"""Cursors of lists that are ordered anew at each question: they bring along the moment that the list is of.

`<tree size>~<how many were shown>`: whoever asked about now goes on in the list as it was, whatever came
since.
"""

from __future__ import annotations

from dataclasses import replace

from lineage.errors import ConflictError, MalformedError
from lineage.services.as_of import AsOf


def cursor(as_of: AsOf, shown: int) -> str:
    return f"{as_of.size}~{shown}"


def continued(as_of: AsOf, after: str | None) -> tuple[AsOf, int]:
    """The moment that a list is continued at, and how many of it were shown.

    Raises: MalformedError for what is no cursor; ConflictError for one of another moment.
    """
    if not after:
        return as_of, 0
    size, separator, shown = after.partition("~")
    if not (separator and _is_number(size) and _is_number(shown)):
        raise MalformedError("This cursor belongs to no page of this list.", where="after")
    if int(size) != as_of.size:
        if as_of.live and int(size) <= as_of.size:
            return replace(as_of, size=int(size), live=False), int(shown)
        raise ConflictError(
            f"This cursor is of the list as of tree size {size}.",
            hint="Ask with the same `as_of` as for the first page, or begin again without `after`.",
            where="after",
        )
    return as_of, int(shown)


def counted(after: str | None) -> int:
    """How many of a list were shown, where the count alone is its cursor: whoever asks names the moment.

    Raises: MalformedError for what is no cursor.
    """
    if not after:
        return 0
    if not (after.isascii() and after.isdigit() and len(after) < 10):
        raise MalformedError("This cursor belongs to no page of this list.", where="after")
    return int(after)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18
