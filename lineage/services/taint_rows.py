"""The rows of what is tainted: written by a job, in parts, outside of every append; for lists and programs.

Owns: when they are made anew, and reading them. Does not own: the rows (`graph.sql_taint_rows`) or the walk
(`graph.sql_taint_spread`). Pages compute at reading what is tainted (`taint`): rows that are behind, or were
cut off half-way, make nothing look untainted.

A run that was killed leaves rows that aren't whole, and says so; the next one writes what is missing.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Mapping

import msgspec

from lineage.errors import FencedError
from lineage.graph import sql_bad_copies, sql_nodes, sql_taint, sql_taint_rows, sql_taint_spread
from lineage.graph.sql_moment import Moment
from lineage.graph.sql_taint_rows import State
from lineage.services import as_of, belief, storages
from lineage.services.as_of import AsOf
from lineage.services.belief import graph_version
from lineage.services.clock import now_us
from lineage.services.job_lease import Lease, Result
from lineage.services.lineage_records import TaintSource
from lineage.services.node_names import shown_name
from lineage.trust.leaf import rfc3339

KIND = "taint"
PAUSE_US = 20_000_000
"""Between two runs where entries came and nothing that taints has changed."""
MAX_SOURCES = 200


class SourceReach(msgspec.Struct, frozen=True):
    """A source of taint: of how much it is the nearest one, and how far away the farthest of that is."""

    source: TaintSource
    nearest_of: int
    farthest: int


class TaintRows(msgspec.Struct, frozen=True):
    """How the rows stand. `level`: they are the answer to the newest state of the graph.

    `size`: entries below it were looked at; `at`: when they were whole the last time, empty for never.
    `sources`: at most MAX_SOURCES, the farthest-reaching first.
    """

    level: bool
    size: int
    tainted: int
    at: str
    sources: tuple[SourceReach, ...]


def due(at_us: int) -> Iterable[tuple[str, Mapping[str, object]]]:
    """One job, where what taints has changed, or the graph has grown and something taints."""
    now = as_of.resolve(None)
    version, there = graph_version(now.size), sql_taint_rows.state()
    if version is None or (there is not None and _is_level(there, version[1], now)):
        return []
    moment = belief.moment(now)
    said = sql_taint.decided(moment)
    anything = moment.compromised or said.designated or sql_bad_copies.any_mismatch(moment.size)
    if there is None or (there.whole and there.rows == 0):
        return [("", {})] if anything else []
    same = there.whole and there.generation == version[1] and there.inputs == _inputs(moment, said)
    rested = not 0 <= at_us - there.done_us < PAUSE_US
    return [("", {})] if not same or rested else []


def _is_level(there: State, generation: int, now: AsOf) -> bool:
    """Nothing has come since, and no decision has ended by itself."""
    over = there.until_us and there.until_us <= now.at_us
    return there.whole and not over and (there.generation, there.size) == (generation, now.size)


def _inputs(moment: Moment, said: sql_taint.Decided) -> str:
    """Names all that a change of taint can begin with; new lineage alone leaves it as it is."""
    told = (
        sorted(said.designated),
        sorted(said.waived),
        sorted(moment.compromised.items()),
        sorted(moment.cutoffs.items()),
        sorted(moment.withdrawn),
        sql_bad_copies.newest_check(moment.size),
        [(root.name, root.uri) for root in storages.roots()],
    )
    return hashlib.sha256(repr(told).encode()).hexdigest()


def run(lease: Lease) -> Result:
    """The job: make the rows what the newest state of the graph says.

    Raises: FencedError where another has taken over; StoppedError where the worker is to end.
    """
    now = as_of.resolve(None)
    version = graph_version(now.size)
    if version is None:
        return {"tainted": 0, "changed": 0, "reason": "There is no graph yet."}
    moment = belief.moment(now)
    said = sql_taint.decided(moment)
    seeds = sql_taint_spread.seeds(moment, said, sql_bad_copies.runs(moment, storages.roots()))
    wanted = sql_taint_spread.nearest(seeds, moment.size, said.waived)
    until_us = sql_taint_rows.next_end(now.at_us, now.size)
    target = State(version[1], now.size, _inputs(moment, said), whole=False, until_us=until_us)
    writer = secrets.token_hex(8)
    sql_taint_rows.begin(writer, target)
    changed, parts = 0, list(sql_taint_rows.parts(wanted))
    for done, (start, end) in enumerate(parts):
        lease.progress(done, len(parts), "writing what is tainted")
        count = sql_taint_rows.write(writer, wanted, start, end)
        if count is None:
            raise FencedError("Another run writes what is tainted.")
        changed += count
    if not sql_taint_rows.finish(writer, target, now_us(), len(wanted.nodes)):
        raise FencedError("The graph was made anew, or another run writes what is tainted.")
    return {"tainted": len(wanted.nodes), "changed": changed}


def standing() -> TaintRows:
    """How the rows stand now, with the sources and how far each reaches."""
    there, now = sql_taint_rows.state(), as_of.resolve(None)
    version = graph_version(now.size)
    if there is None or version is None or there.generation != version[1]:
        return TaintRows(False, 0, 0, "", ())
    found = sql_taint_rows.by_source()
    return TaintRows(
        level=_is_level(there, version[1], now),
        size=there.size,
        tainted=sum(count for _, _, count, _ in found),
        at=rfc3339(there.done_us) if there.done_us else "",
        sources=_sources(found[:MAX_SOURCES], now),
    )


def _sources(found: list[tuple[int, str, int, int]], now: AsOf) -> tuple[SourceReach, ...]:
    ring = belief.ring(now)
    rows = {row.id: row for row in sql_nodes.load([row[0] for row in found], belief.moment(now))}
    return tuple(
        SourceReach(TaintSource(rows[source].key, shown_name(rows[source], ring), why, 0), count, farthest)
        for source, why, count, farthest in found
        if source in rows
    )
