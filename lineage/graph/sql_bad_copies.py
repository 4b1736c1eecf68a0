"""Taint by bad copies: the runs that may have read a copy while it was not known to differ.

Owns: the window of each mismatch, and which runs fall into it. Free while no check ever found a difference.
Does not own: what those runs taint in turn (`sql_taint`), or which locations are copies (`locations`).
"""

# ruff: noqa: S608  (only constants are formatted into SQL; every value is a parameter)

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from lineage.errors import MalformedError
from lineage.graph import sql_same
from lineage.graph.check_policy import CONTENT, STRENGTH
from lineage.graph.locations import Root, root_of, spelled
from lineage.graph.model import ClaimKind, EdgeType
from lineage.graph.sql_moment import Moment
from lineage.graph.sql_query import fetch, id_table
from lineage.trust.leaf import parse_rfc3339

_SEVERITY = {"match": 0, "inconclusive": 1, "mismatch": 2}


@dataclass(frozen=True, slots=True)
class Window:
    """Between its last match before (0: none) and the mismatch, the copy of `node` at `location` was bad.

    Microseconds, UTC, both ends included.
    """

    node: int
    location: str
    from_us: int
    until_us: int


def any_mismatch(size: int) -> bool:
    """Whether a check below the tree size ever found a difference."""
    sql = "SELECT 1 FROM graph_check WHERE outcome = 'mismatch' AND \"index\" < %s LIMIT 1"
    return bool(fetch(sql, [size]))


def newest_check(size: int) -> int:
    """The index of the newest entry below the tree size with a check of a node of which a copy once differed.

    -1: there is none. It moves whenever a check opens or closes the window of a bad copy.
    """
    sql = (
        'SELECT MAX(k."index") FROM graph_check k WHERE k."index" < %s AND k.node_id IN '
        "(SELECT m.node_id FROM graph_check m WHERE m.outcome = 'mismatch' AND m.\"index\" < %s)"
    )
    newest = fetch(sql, [size, size])[0][0]
    return -1 if newest is None else int(newest)


def runs(moment: Moment, roots: Sequence[Root]) -> Mapping[int, frozenset[int]]:
    """Node ids of the runs that may have read bad bytes → the artifacts whose copies those were."""
    found: dict[int, set[int]] = {}
    for window in windows(moment, roots):
        for run in _readers(window, moment):
            found.setdefault(run, set()).add(window.node)
    return {run: frozenset(artifacts) for run, artifacts in found.items()}


def windows(moment: Moment, roots: Sequence[Root]) -> list[Window]:
    """The window of every mismatch at a copy that somebody believed states, oldest first for each copy."""
    sql = "SELECT k.node_id, k.location FROM graph_check k WHERE k.outcome = 'mismatch' AND k.\"index\" < %s"
    found: list[Window] = []
    for node, location in sorted(set(fetch(sql, [moment.size]))):
        if root_of(location, tuple(roots)) and _stated(node, location, moment):
            found += _of_copy(node, location, moment)
    return found


def _stated(node: int, location: str, moment: Moment) -> bool:
    valid, revocations = moment.unrevoked("c")
    sql = (
        "SELECT 1 FROM graph_claim c WHERE c.node_id = %s AND c.kind = %s AND c.value = %s "
        f'AND c."index" < %s{valid} LIMIT 1'
    )
    return bool(fetch(sql, [node, ClaimKind.LOCATION, location, moment.size, *revocations]))


def _of_copy(node: int, location: str, moment: Moment) -> Iterable[Window]:
    sql = (
        'SELECT at_us, "index", outcome, strength, trust, signer_id FROM graph_check '
        'WHERE node_id = %s AND location = %s AND "index" < %s'
    )
    rows = [row for row in fetch(sql, [node, location, moment.size]) if not moment.revoked(row[5], row[1])]
    rows.sort(key=lambda row: (row[0], row[1], _SEVERITY[row[2]]))
    own = any(trust == "observed" for *_, trust, _ in rows)
    last_match, failing = 0, 0
    for at_us, _, outcome, strength, trust, _ in rows:
        if outcome == "mismatch":
            if not failing:
                yield Window(node, location, last_match, at_us)
            failing = max(failing, strength)
        # As in `status_copies`: what clears a mismatch, and whose word counts.
        elif _clears(outcome, strength, failing) and (trust == "observed" or not own):
            last_match, failing = at_us, 0


def _clears(outcome: str, strength: int, failing: int) -> bool:
    return outcome == "match" and strength >= max(failing, STRENGTH[CONTENT])


def _readers(window: Window, moment: Moment) -> set[int]:
    """The runs that used the artifact in the window, by whichever digest, and either read there or do not say
    where."""
    table, same = id_table(sql_same.group(window.node, moment))
    sql = (
        f"SELECT DISTINCT e.target_id FROM graph_edge e WHERE e.target_id IN {table} AND e.type = %s "
        "AND e.first_index < %s"
    )
    used = fetch(sql, [*same, EdgeType.USED, moment.size])
    return {run for (node,) in sorted(used) for run in _readers_of(node, window, moment)}


def _readers_of(node: int, window: Window, moment: Moment) -> set[int]:
    valid, revocations = moment.unrevoked("s")
    sql = (
        'SELECT e.source_id, s."index", s.signer_id, l.received_us FROM graph_edge e '
        "CROSS JOIN graph_support s CROSS JOIN log_entry l CROSS JOIN graph_node n "
        'WHERE e.target_id = %s AND e.type = %s AND s.edge_id = e.id AND s."index" < %s '
        'AND l."index" = s."index" AND n.id = e.source_id AND n.kind = \'run\''
        f"{valid}"
    )
    supports = fetch(sql, [node, EdgeType.USED, moment.size, *revocations])
    starts = _starts({run for run, *_ in supports}, moment)
    read_at = _read_at(node, moment)
    found = set()
    for run, index, signer, received_us in supports:
        places = read_at.get((index, signer))
        # Whoever says that it is still to begin has read all the same.
        in_time = min(starts.get(run, 0), received_us) <= window.until_us and received_us >= window.from_us
        if in_time and (not places or spelled(window.location) in places):
            found.add(run)
    return found


def _starts(run_ids: set[int], moment: Moment) -> dict[int, int]:
    """The earliest start that is claimed of each run (µs); a run that doesn't say has none."""
    if not run_ids:
        return {}
    table, listed = id_table(run_ids)
    valid, revocations = moment.unrevoked("c")
    sql = (
        f"SELECT c.node_id, c.value FROM graph_claim c WHERE c.node_id IN {table} AND c.kind = %s "
        f'AND c."index" < %s{valid}'
    )
    found: dict[int, int] = {}
    for run, text in fetch(sql, [*listed, ClaimKind.STARTED, moment.size, *revocations]):
        try:
            at = parse_rfc3339(text)
        except MalformedError:
            at = 0  # it can't be read, so it may be any time
        found[run] = min(at, found.get(run, at))
    return found


def _read_at(node: int, moment: Moment) -> dict[tuple[int, int], set[Hashable]]:
    """Where each statement says that the artifact lay (`spelled`), by (log index, signer's node id)."""
    sql = (
        'SELECT c."index", c.signer_id, c.value FROM graph_claim c '
        'WHERE c.node_id = %s AND c.kind = %s AND c."index" < %s'
    )
    found: dict[tuple[int, int], set[Hashable]] = {}
    for index, signer, location in fetch(sql, [node, ClaimKind.LOCATION, moment.size]):
        found.setdefault((index, signer), set()).add(spelled(location))
    return found
