"""The closure index of this process: as new as the tables when it is asked for.

Owns: when it is read, brought up to date, written to its file, and given up. It is a cache: where it can't be
had at once, the tables answer. Does not own: any walk.

Each question looks at the projector's watermark, takes what came since into the snapshot's second part, and
gets a snapshot that nobody changes. When the second part is large, one process makes the file anew in the
background, and the others map it when they see it.
"""

from __future__ import annotations

import fcntl
import logging
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from threading import Lock, Thread

import numpy as np
from django.db import DatabaseError, connection

from lineage.config import current as config
from lineage.errors import LineageError, MalformedError
from lineage.graph.backend import Walk, Way
from lineage.graph.index import closures, file, marks, rows, walks
from lineage.graph.index.adjacency import Numbers
from lineage.graph.index.closures import Found
from lineage.graph.index.columns import Roles, Statuses
from lineage.graph.index.marks import Mark
from lineage.graph.index.snapshot import EdgeRows, NodeRows, Part, Snapshot, addition, whole
from lineage.graph.model import EdgeType

log = logging.getLogger(__name__)

MOST_SINCE = 50_000
"""Edges in the second part from which on it is worth while to make the first anew."""
_LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Ready:
    """All that entries below `mark.projected` say, and no more. Nodes are row ids.

    `came`: the rows that the graph's second part was made of.
    """

    mark: Mark
    graph: Snapshot
    came: tuple[NodeRows, EdgeRows] | None = None

    def closure(self, root: int, way: Way, depth: int) -> list[int]:
        """Row ids of all nodes within `depth` edges of the root, ascending, without it."""
        return list(self._closure(root, way, depth).tolist())

    def found(self, root: int, walk: Walk, place: int | None) -> Found:
        """What a walk finds and its filters keep, counted; `place` is the row id of the walk's place."""
        return closures.closure(self.graph, root, walk, self._filter(walk.size), place)

    def reach(self, seeds: Collection[int], way: Way, but: Collection[int]) -> set[int]:
        """Everything that the seeds reach without a wider first step, themselves included.

        What is in `but` is neither reached nor passed through.
        """
        start, stopped = _numbers(seeds), _numbers(but)
        return set(walks.reach(self.graph, start, way, self._filter(way.size), stopped).tolist())

    def levels(self, root: int, way: Way, depth: int, but: Collection[int]) -> list[set[int]]:
        """The root alone, then the nodes at 1, 2, … edges from it, each at its shortest distance.

        What is in `but` is neither reached nor passed through.
        """
        seen = np.zeros(self.graph.room, np.bool_)
        seen[_numbers(but)] = True
        found = walks.levels(self.graph, root, way, depth, self._filter(way.size), seen)
        return [set(level.tolist()) for level in found]

    def paths(self, effect: int, cause: int, size: int, limit: int) -> list[list[int]]:
        """At most `limit` simple paths of row ids from effect to cause, shortest first."""
        return walks.paths(self.graph, effect, cause, self._filter(size), limit)

    def links(
        self, nodes: Collection[int], types: Iterable[EdgeType], size: int
    ) -> list[tuple[int, str, int]]:
        """(effect, type, cause) of the edges among the nodes. Without `SAME_AS`: it has no direction here."""
        return walks.links(self.graph, _numbers(nodes), types, self._filter(size))

    def twins(self, nodes: Collection[int], size: int) -> list[int]:
        """Those of the nodes from or to which a `SAME_AS` leads."""
        return walks.twins(self.graph, _numbers(nodes), self._filter(size))

    def _closure(self, root: int, way: Way, depth: int) -> Numbers:
        return walks.closure(self.graph, root, way, depth, self._filter(way.size))

    def _filter(self, size: int) -> int | None:
        """None where a walk as of that tree size needn't look when each edge came."""
        return size if size < self.mark.projected else None


def _numbers(ids: Collection[int]) -> Numbers:
    return np.fromiter(ids, np.int64, len(ids))


class Index:
    """One process's. All methods may be called by several threads."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "closure-index"
        self._refreshing = Lock()
        self._making: Thread | None = None
        self._ready: Ready | None = None
        self._base: Mark | None = None  # of which the first part was made
        self._look_again = 0.0

    def ready(self, mark: Mark, size: int) -> Ready | None:
        """The index with at least the first `size` entries, or None where the tables have to answer.

        `mark` is that of the tables, as read just now. Nobody waits for another who brings the index up to
        date, if what is there is enough for him.
        """
        ready = self._ready
        if ready is not None and ready.mark == mark:
            return ready
        if ready is not None and ready.mark.projected >= size and self._refreshing.locked():
            return ready if marks.continues(ready.mark, mark) else None
        with self._refreshing:
            found = marks.now()  # somebody may have been here meanwhile, and gone further
            ready = None if found is None else self._refreshed(found[0])
        return ready if ready is not None and ready.mark.projected >= size else None

    def _refreshed(self, mark: Mark) -> Ready | None:
        ready = self._ready
        if ready is not None and _is_older(mark, ready.mark):
            return None  # a transaction that began before, or a database put back: the tables know
        if ready is not None and not marks.continues(ready.mark, mark):
            log.info("The graph was made anew: the closure index begins again.")
            self._ready = self._base = None
            self._look_again = 0.0
        since = None if self._ready is None else self._ready.graph.since
        if self._ready is None or (since is not None and since.edges > MOST_SINCE):
            self._look(mark)
        if self._ready is not None and self._ready.mark != mark:
            self._ready = _brought_up(self._ready, mark)
        return self._ready

    def _look(self, mark: Mark) -> None:
        """Take the file, if it is newer than what is here; else have it made."""
        if time.monotonic() < self._look_again:
            return
        self._look_again = time.monotonic() + _LOOK_SECONDS
        found = self._from_file(mark)
        if found is not None and (self._base is None or found.mark.projected > self._base.projected):
            self._ready, self._base = found, found.mark
        elif self._making is None or not self._making.is_alive():
            self._making = Thread(target=self._make_alone, name="closure-index", daemon=True)
            self._making.start()

    def _from_file(self, mark: Mark) -> Ready | None:
        try:
            made, graph = file.read(self._path)
        except FileNotFoundError:
            return None
        except MalformedError as error:
            log.warning("%s It is made anew.", error.message)
            return None
        return Ready(made, graph) if marks.continues(made, mark) else None

    def _make_alone(self) -> None:
        try:
            with _alone(self._path.with_suffix(".lock")) as alone:
                if alone:
                    make(self._path)
        except (OSError, DatabaseError, LineageError) as error:
            log.warning("The closure index can't be made, the tables answer meanwhile: %s", error)
        finally:
            self._look_again = 0.0
            connection.close()


def make(path: Path) -> Part | None:
    """Read all of the tables and write the file. None where they were emptied meanwhile.

    Everything is read as of one mark, however far the tables go on meanwhile.
    """
    begin, found = time.monotonic(), marks.now()
    if found is None:
        return None
    mark, _ = found
    edges = rows.edges_after(0).below(mark.projected)
    nodes = rows.nodes_after(0).below(mark.projected)
    statuses, roles = rows.statuses_between(0, mark.projected), rows.roles_since(0, mark.projected)
    if not marks.holds(mark):
        return None
    part = whole(nodes, edges)
    room = part.last_node + 1
    graph = Snapshot(
        part,
        None,
        Statuses.empty().with_rows(statuses, room),
        Roles.empty().with_rows(roles, part.first[roles.node], room),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    file.write(path, graph, mark)
    seconds = time.monotonic() - begin
    log.info("The closure index: %d nodes, %d edges, %.1f s.", part.last_node, part.edges, seconds)
    return part


def _brought_up(ready: Ready, mark: Mark) -> Ready | None:
    """With what the tables have since, up to the mark; None where they were emptied meanwhile.

    Rows are read after the mark, so that all of its entries' are there; what is newer is left for later.
    """
    graph, last = ready.graph, ready.graph.since or ready.graph.base
    edges = rows.edges_after(last.last_edge).below(mark.projected)
    nodes = rows.nodes_after(last.last_node).below(mark.projected)
    statuses = rows.statuses_between(ready.mark.projected, mark.projected)
    roles = rows.roles_since(graph.roles.last_claim, mark.projected)
    if not marks.holds(mark):
        return None
    if ready.came is not None:
        nodes, edges = ready.came[0].then(nodes), ready.came[1].then(edges)
    now = Snapshot(graph.base, addition(graph.base, nodes, edges), graph.statuses, graph.roles)
    now = replace(
        now,
        statuses=graph.statuses.with_rows(statuses, now.room),
        roles=graph.roles.with_rows(roles, now.firsts(roles.node), now.room),
    )
    return Ready(mark, now, (nodes, edges))


def _is_older(mark: Mark, than: Mark) -> bool:
    return mark.generation == than.generation and mark.projected < than.projected


@contextmanager
def _alone(path: Path) -> Iterator[bool]:
    """Whether no other process holds the lock; if so it is held until the end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


@cache
def index() -> Index:
    """This process's."""
    return Index(config().home / "cache")
