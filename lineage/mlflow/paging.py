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
    at, token, again = since, "", False
    given: dict[str, int] = {}
    for _ in range(MAX_PAGES):
        found, next_token = search(at, token)
        if news := [each for each in found if given.get(name(each)) != value(each)]:
            yield news
        given |= {name(each): value(each) for each in news}
        again |= bool(news and token)
        last = value(found[-1]) if found else at
        if last <= at and next_token:
            token = next_token  # more of this very value
        elif again:
            # Something that went meanwhile may have hidden one of this value: until a look shows no news.
            token, again = "", False
        elif last <= at:
            return
        else:
            if len(found) < page and not next_token:
                return
            # From here on anew; what has this very value is found a second time, and is left out.
            at, token = last, ""
            given = {key: least for key, least in given.items() if least >= last}
    raise SourceError("bad-answer", "The listing does not end.")


def by_token(
    call: Callable[[str], Mapping[str, Any] | None], member: str, name: Callable[[Found], str] | None = None
) -> Iterator[list[Found]]:
    """Pages of a listing that can only be followed by its token.

    With `name` each thing is given once, and a listing of several pages is followed again until that shows no
    news: something that went between two pages may have hidden another.

    Raises: SourceError.
    """
    token, again = "", False
    given: set[str] = set()
    for _ in range(MAX_PAGES):
        answer = call(token)
        found = listed(answer, member)
        if name is not None:
            found = [each for each in found if name(each) not in given]
            given |= {name(each) for each in found}
            again |= bool(found and token)
        if found:
            yield found
        token = str((answer or {}).get("next_page_token") or "")
        if not token:
            if not again:
                return
            again = False
    raise SourceError("bad-answer", "The listing does not end.")


def listed(answer: Mapping[str, Any] | None, member: str) -> list[Found]:
    """A list of objects. Raises: SourceError where it is something else, or there is nothing to list."""
    if answer is None:
        raise SourceError("bad-answer", "The server says that what is listed is not there; it may have gone.")
    found = answer.get(member, [])
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise SourceError("bad-answer", f"The answer's {member} is not a list of objects.")
    return found


def sets(items: Sequence[str], size: int) -> Iterator[list[str]]:
    """`items` in sets of `size`."""
    for at in range(0, len(items), size):
        yield list(items[at : at + size])
