"""Which copies a re-verification is about: storage by storage, in pages, so that a million are never held.

Owns: what a job's key stands for, and passing over what an earlier attempt has said. Does not own: reading
copies (`copies`), looking at them (`check_sweep`), what follows (`reverify`).
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, islice

from lineage.graph.check_policy import FULL
from lineage.services import copies, storages
from lineage.services.clock import now_us
from lineage.services.copies import Copy
from lineage.services.standing import Watch
from lineage.services.storages import Place

ALL, DUE, STORAGE = "all", "due", "storage:"
"""Keys of jobs: about every copy, those without a match that still counts, what is due in a storage."""
MAX_COPIES = 100_000
"""Of a storage in one turn of the schedule, which puts the rest in line again. `all` and `due` go on to the
end."""

Pages = Iterator[Sequence[Copy]]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for in one storage: `total` copies, more or fewer where some come or go meanwhile."""

    place: Place
    total: int
    pages: Pages


def asked(key: str, watch: Watch, method: str = "") -> list[Asked]:
    """By storage; none without a copy. `method`: by which to look, instead of the one that is due.

    Raises: NotFoundError for an unknown node; GraphBehindError, as do the pages, where the tables of `watch`
        stand no longer.
    """
    places = {place.name: place for place in storages.listed()}
    if key.startswith(STORAGE):
        found = _of_storage(places, key.removeprefix(STORAGE))
    elif key in (ALL, DUE):
        found = [_every(place, unsettled=key == DUE) for place in places.values()]
        method = method or (FULL if key == ALL else "")
    else:
        found = _of_node(places, key)
        method = method or FULL
    watch.check()
    return [replace(each, pages=_by(method, _whole(each.pages, watch))) for each in found if each.total]


def is_of_artifact(key: str) -> bool:
    """Whether a job with this key is about one artifact, all copies of which have the same size."""
    return key not in (ALL, DUE) and not key.startswith(STORAGE)


def _of_storage(places: dict[str, Place], name: str) -> list[Asked]:
    if name not in places:
        return []
    now = now_us()
    total = copies.count_due(name, now)
    return [Asked(places[name], total, iter([copies.due(name, limit=MAX_COPIES, at_us=now)]))]


def _every(place: Place, *, unsettled: bool) -> Asked:
    now = now_us()
    total = copies.count(place.name, unsettled=unsettled, at_us=now)
    return Asked(place, total, copies.pages(place.name, unsettled=unsettled, at_us=now))


def _of_node(places: dict[str, Place], key: str) -> list[Asked]:
    # By hand, and so once more from the start: the digest itself is what is asked for.
    found = sorted((copy for copy in copies.of_node(key) if copy.storage in places), key=_storage_of)
    groups = [(name, list(group)) for name, group in groupby(found, key=_storage_of)]
    return [Asked(places[name], len(group), iter([group])) for name, group in groups]


def _whole(pages: Pages, watch: Watch) -> Pages:
    """No page of a graph that is made anew, and no end for its sake."""
    for page in pages:
        watch.check()
        yield page
    watch.check()


def _storage_of(copy: Copy) -> str:
    return copy.storage


def _by(method: str, pages: Pages) -> Pages:
    for page in pages:
        yield [replace(copy, method=method) for copy in page] if method else page


def name_of(key: str, location: str) -> bytes:
    """16 bytes that stand for a copy: a million of them are kept where an attempt goes on."""
    return hashlib.blake2b(f"{key} {location}".encode("utf-8", "surrogatepass"), digest_size=16).digest()


class Line:
    """Copies that wait to be looked at, in order. Those of `said` are passed over, and told to `passed`."""

    def __init__(self, pages: Pages, said: Collection[bytes], passed: Callable[[Copy], None]) -> None:
        self._pages = pages
        self._said = said
        self._passed = passed
        self._here: deque[Copy] = deque()

    def first(self, count: int) -> list[Copy]:
        """At most so many, which stay in line; none: it is over."""
        while not self._here:
            page = next(self._pages, None)
            if page is None:
                break
            self._here.extend(self._left(page))
        return list(islice(self._here, count))

    def drop(self, count: int) -> None:
        """The first so many leave the line."""
        for _ in range(count):
            self._here.popleft()

    def _left(self, page: Iterable[Copy]) -> Iterator[Copy]:
        for copy in page:
            if self._said and name_of(copy.key, copy.location) in self._said:
                self._passed(copy)
            else:
                yield copy
