"""What the graph would no longer show if entries had said nothing: a failure, a contested origin, a taint.

Owns: comparing each node that the entries speak of with what it were without them, whether they once turned
one to failed, and whether they alone bind what is wrong to another digest. Whatever would be hidden keeps its
entry. Does not own: what the entries themselves say (`redactable`), or the status rules (`graph.status`).
"""

# ruff: noqa: S608  (only constants are formatted into SQL; every value is a parameter)

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from django.db import connection

from lineage.db.models import Entry
from lineage.errors import GraphBehindError
from lineage.graph import sql_facts, sql_same, sql_taint, status
from lineage.graph.backend import OPENING_EDGES
from lineage.graph.model import LINEAGE_EDGES, EdgeType, NodeKind, signer_key
from lineage.graph.sql_facts import Belief, NodeState
from lineage.graph.sql_moment import Moment
from lineage.graph.sql_query import fetch, one_of
from lineage.graph.status import Reason, Status
from lineage.services import as_of as moments
from lineage.services import (
    belief,
    check_policies,
    entry_signers,
    erasing,
    keyring,
    project,
    standing,
    storages,
    taint,
    withdrawals,
)
from lineage.services.as_of import AsOf
from lineage.services.lineage_nodes import Reader

STAYS = frozenset(
    {Reason.CONTESTED_ORIGIN, Reason.OBSERVED_DIFFERS, Reason.COPY_MISMATCH, Reason.UNSAFE_FORMAT}
)
"""Reasons that a redaction takes away from no node, whatever its status is besides."""
_TURNED = (
    "SELECT n.key FROM graph_status s JOIN graph_node n ON n.id = s.node_id WHERE s.from_index = %s "
    "AND s.status = 'failed' AND NOT EXISTS (SELECT 1 FROM graph_status b WHERE b.node_id = s.node_id "
    "AND b.to_index = s.from_index AND b.status = 'failed') ORDER BY n.key LIMIT 1"
)
_Nodes = Mapping[int, set[int]]
"""By log index the ids of the nodes that the entry speaks of."""


def hidden(
    entries: Sequence[Entry], size: int, also: Collection[int] = (), *, wait_seconds: float = 0.0
) -> dict[int, str]:
    """Why some of these entries may not be redacted together, by index: what the graph would hide, as the
    log's first `size` entries have it.

    `also`: log indexes of what is decided already, and not yet carried out.

    Raises: GraphBehindError where the graph does not tell all of those entries within `wait_seconds`, or not
        yet what was redacted before.
    """
    with standing.whole(max([size, *(entry.index + 1 for entry in entries)]), wait_seconds):
        if not also and erasing.pending():
            raise GraphBehindError("What was redacted before is still kept.", hint="Ask again in a moment.")
        return _hidden(entries, also)


def _hidden(entries: Sequence[Entry], also: Collection[int]) -> dict[int, str]:
    moment = moments.resolve(None)
    found: dict[int, str] = {}
    for entry in entries:
        for (key,) in fetch(_TURNED, [entry.index]):
            found[entry.index] = f"With it {key} turned failed. What went wrong is never erased."
    signers = _signer_ids(entries)
    spoken = {entry.index: _spoken_of(entry.index, signers[entry.index]) for entry in entries}
    left = [entry for entry in entries if entry.index not in found]
    while left:
        news = _changed(spoken, [entry.index for entry in left], also, moment)
        news |= _untainted(left, also, spoken, signers, moment)
        news |= _parted(left, also, signers, moment)
        found |= news
        if not news:
            break
        left = [entry for entry in left if entry.index not in found]
    return found


def _signer_ids(entries: Iterable[Entry]) -> dict[int, list[int]]:
    """By log index the node ids of who signed the entry."""
    ring = keyring.current()
    keys = {entry.index: [signer_key(s) for s in entry_signers.of_entry(entry, ring)] for entry in entries}
    every = sorted({key for several in keys.values() for key in several})
    rows = fetch(f"SELECT key, id FROM graph_node WHERE key IN {one_of(every)}", every) if every else []
    ids: dict[str, int] = dict(rows)
    return {index: [ids[key] for key in several if key in ids] for index, several in keys.items()}


def _spoken_of(index: int, signers: Iterable[int]) -> set[int]:
    with connection.cursor() as cursor:
        return {
            node for signer in signers for node in sql_facts.supported_by(cursor, signer, index, index + 1)
        }


def _changed(spoken: _Nodes, indexes: Sequence[int], also: Collection[int], moment: AsOf) -> dict[int, str]:
    """What would be hidden of nodes' statuses, by the indexes of all that speak of the node."""
    by_node: dict[int, list[int]] = {}
    for index in indexes:
        for node in spoken[index]:
            by_node.setdefault(node, []).append(index)
    cutoffs = belief.cutoffs(keyring.as_of(moment.size))
    withdrawn = withdrawals.entries(moment.size)
    rules = replace(project.rules(), policy=check_policies.as_of(moment.size))
    with connection.cursor() as cursor:
        now = sql_facts.by_ids(cursor, sorted(by_node), Belief(cutoffs, withdrawn))
        gone = Belief(cutoffs, withdrawn | frozenset(indexes) | frozenset(also))
        after = {state.id: state for state in sql_facts.by_ids(cursor, sorted(by_node), gone)}
    found: dict[int, str] = {}
    for state in now:
        why = _hides(state, after[state.id], rules, moment.at_us)
        for index in by_node[state.id] if why else ():
            found.setdefault(index, why)
    return found


def _hides(now: NodeState, then: NodeState, rules: status.Rules, at_us: int) -> str:
    """Why a node may not become what it were without the entries; empty where nothing is hidden."""
    facts = now.facts
    if facts.kind is NodeKind.DEPLOYMENT:
        piece = status.at(now.pieces, at_us) if now.pieces else None
        bad = piece is not None and (piece.status is Status.FAILED or bool(STAYS & set(piece.reasons)))
        dropped = bad and facts.deployed.keys() - then.facts.deployed.keys()
        return f"Without it nothing would say that {facts.key} runs what is wrong." if dropped else ""
    if facts.kind not in (NodeKind.ARTIFACT, NodeKind.RUN):
        return ""
    before = status.at(status.evaluate(facts, rules, {}), at_us)
    after = status.at(status.evaluate(then.facts, rules, {}), at_us)
    lost = sorted((set(before.reasons) - set(after.reasons)) & STAYS)
    if lost or (before.status is Status.FAILED and after.status is not Status.FAILED):
        why = ", ".join(lost or before.reasons)
        return f"Without it {facts.key} would no longer be shown as {before.status.value} ({why})."
    return ""


def _untainted(
    entries: Iterable[Entry],
    also: Collection[int],
    spoken: _Nodes,
    signers: Mapping[int, Sequence[int]],
    moment: AsOf,
) -> dict[int, str]:
    """What alone passes a taint on, or is one."""
    believed = belief.moment(moment)
    roots = storages.roots()
    tainted = taint.tainted_ids(believed, roots)
    if not tainted:
        return {}
    bad = _Bad(believed, tainted, sql_taint.decided(believed).openers, taint.misled(believed, roots))
    left = list(entries)
    going = {entry.index for entry in left} | set(also)
    found: dict[int, str] = {}
    for entry in left:
        source = any(signer in believed.compromised for signer in signers[entry.index])
        if source and spoken[entry.index] & tainted:
            found[entry.index] = "What a compromised key vouched for is tainted, and stays so."
        elif _passes_on(entry.index, signers[entry.index], going, bad):
            found[entry.index] = "Without it something would no longer be shown as tainted."
    return found


class _Bad(NamedTuple):
    """Node ids: of all that is tainted; of bad suppliers, places and machines; of runs that may have read bad
    copies, with whose copies those are."""

    moment: Moment
    tainted: Collection[int]
    openers: Collection[int]
    misled: Mapping[int, frozenset[int]]

    def passes(self, kind: EdgeType, source: int, target: int) -> bool:
        """Whether an edge from effect to cause may be what taints its effect, or one of two twins."""
        if kind is EdgeType.WAS_ATTRIBUTED_TO:
            return target in self.openers  # a supplier in a bad place is tainted and passes it on to nothing
        if target in self.tainted or (kind is EdgeType.SAME_AS and source in self.tainted):
            return True
        read = self.misled.get(source) if kind is EdgeType.USED else None
        return read is not None and not read.isdisjoint(sql_same.group(target, self.moment))


def _passes_on(index: int, signers: Sequence[int], going: Collection[int], bad: _Bad) -> bool:
    """Whether an edge that taints something rests on entries that are all to go."""
    if not signers:
        return False
    types = sorted((*LINEAGE_EDGES, *OPENING_EDGES))
    edges = fetch(
        "SELECT DISTINCT e.id, e.type, e.source_id, e.target_id "
        "FROM graph_support s JOIN graph_edge e ON e.id = s.edge_id "
        f'WHERE s.signer_id IN {one_of(signers)} AND s."index" = %s AND e.type IN {one_of(types)}',
        [*signers, index, *types],
    )
    for edge, kind, source, target in edges:
        if bad.passes(EdgeType(kind), source, target):
            others = fetch('SELECT DISTINCT "index" FROM graph_support WHERE edge_id = %s', [edge])
            if all(other in going for (other,) in others):
                return True
    return False


def _parted(
    entries: Iterable[Entry], also: Collection[int], signers: Mapping[int, Sequence[int]], moment: AsOf
) -> dict[int, str]:
    """What alone says that bytes are those which went wrong under another digest."""
    ends = {entry.index: _bound(entry.index, signers[entry.index]) for entry in entries}
    every = {end for several in ends.values() for end in several}
    believed = belief.moment(moment)
    wrong = _wrong(sql_same.joined(every, believed), moment) if every else set()
    if not wrong:
        return {}
    without = replace(believed, withdrawn=believed.withdrawn | frozenset(ends) | frozenset(also))

    def hides(end: int) -> bool:
        told = wrong & sql_same.group(end, believed)
        return bool(told) and not wrong & sql_same.group(end, without)

    why = "Without it the same bytes would not be known as what went wrong under another digest."
    return {index: why for index, several in ends.items() if any(map(hides, several))}


def _bound(index: int, signers: Sequence[int]) -> set[int]:
    """Node ids of the digests that the entry binds to others."""
    if not signers:
        return set()
    rows = fetch(
        "SELECT e.source_id, e.target_id FROM graph_support s JOIN graph_edge e ON e.id = s.edge_id "
        f'WHERE s.signer_id IN {one_of(signers)} AND s."index" = %s AND e.type = %s',
        [*signers, index, EdgeType.SAME_AS],
    )
    return {end for row in rows for end in row}


def _wrong(ids: Iterable[int], moment: AsOf) -> set[int]:
    """Those of the nodes that are shown as failed or contested."""
    found = Reader(moment).summaries(sorted(ids))
    return {
        number for number, node in found.items() if node.status == Status.FAILED or STAYS & set(node.reasons)
    }
