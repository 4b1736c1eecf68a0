"""Whole listings of things that change while they are listed.

Owns: how a search goes on without missing a run that was there all the time. MLflow's page token is an
offset, so that a run that leaves the listing between two pages hides another. A search is therefore asked
anew from the last value of what it is ordered by, and its token is used within equal values only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from lineage.mlflow.errors import SourceError

Found = dict[str, Any]
Search = Callable[[int, str], tuple[list[Found], str]]
"""From a least value and a page token to the things in ascending order, and the token of the next page."""

PAGE = 1000
MAX_PAGES = 1_000_000


def from_value(
    search: Search, since: int, value: Callable[[Found], int], name: Callable[[Found], str], page: int = PAGE
) -> Iterator[list[Found]]:
    """Pages of everything whose value is `since` or more, ascending; each thing once for each value.

    Raises: SourceError.
    """
    at, token = since, ""
    given: set[str] = set()
    for _ in range(MAX_PAGES):
        found, next_token = search(at, token)
        if news := [each for each in found if name(each) not in given]:
            yield news
        if not found or (len(found) < page and not next_token):
            return
        last = value(found[-1])
        if last > at:
            # From here on anew; what has this very value may be given a second time, and is left out.
            at, token = last, ""
            given = {name(each) for each in found if value(each) == last}
        elif next_token:
            given |= {name(each) for each in found}
            token = next_token
        else:
            return
    raise SourceError("bad-answer", "The listing does not end.")


def by_token(call: Callable[[str], Mapping[str, Any] | None], member: str) -> Iterator[list[Found]]:
    """Pages of a listing that is followed by its token.

    Raises: SourceError.
    """
    token = ""
    for _ in range(MAX_PAGES):
        answer = call(token) or {}
        found = listed(answer, member)
        if found:
            yield found
        token = str(answer.get("next_page_token") or "")
        if not token:
            return
    raise SourceError("bad-answer", "The listing does not end.")


def listed(answer: Mapping[str, Any], member: str) -> list[Found]:
    """A list of objects. Raises: SourceError where it is something else."""
    found = answer.get(member, [])
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise SourceError("bad-answer", f"The answer's {member} is not a list of objects.")
    return found


def sets(items: Sequence[str], size: int) -> Iterator[list[str]]:
    """`items` in sets of `size`."""
    for at in range(0, len(items), size):
        yield list(items[at : at + size])
