"""Folding entries into the graph, in memory: rows to write, and each node's status after every entry.

Owns: which rows an entry makes, which nodes it touches, how a change of status reaches other nodes. Reads
the tables as they were before the batch; writes nothing. Does not own: the status rules (`graph.status`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from enum import StrEnum

from django.db.backends.utils import CursorWrapper

from lineage.giving_way import give_way
from lineage.graph import sql, sql_facts, status
from lineage.graph.check_policy import CONTENT, FULL, QUICK, CheckPolicy, overdue_us
from lineage.graph.locations import root_of
from lineage.graph.model import CheckResult, Claim, ClaimKind, Edge, EdgeType, NodeKind, signer_id, signer_key
from lineage.graph.sql_facts import Belief, NodeState, place
from lineage.graph.sql_plain import Plain, StatusRow, status_row
from lineage.graph.status import Facts, KeyLife, Piece, Rules
from lineage.graph.status_copies import copies, next_check, schedule, strength
from lineage.graph.status_facts import CLAIMS_READ, EDGES_READ, NOTHING, CheckFact, Support, capped
from lineage.services.project_entries import Contribution, Judged
from lineage.trust.policy import KeyRing

REJUDGE_CHUNK = 20_000
"""Plain nodes looked at by one set of queries."""

LOAD_CHUNK = 2_000
"""Nodes loaded by one set of queries when a revocation reaches many."""


_TEXTS: Mapping[StrEnum, str] = {
    each: each.value for kind in (NodeKind, EdgeType, ClaimKind) for each in kind
}
"""What the tables say for each: `value` of an enumeration takes a fifth of a microsecond, a million times."""

_USED = EdgeType.USED
_ARTIFACT, _DEPLOYMENT, _SIGNER = NodeKind.ARTIFACT, NodeKind.DEPLOYMENT, NodeKind.SIGNER


class Batch:
    """Consecutive entries, folded in order. `cutoffs` are those after the last of them.

    A revocation or withdrawal must be the only entry of its batch, because facts belong to one belief; so
    must a check policy, because it reaches the copies that are in the tables.

    `kept`: nodes by key as the tables have them under the same belief. They are changed, not read again.
    """

    def __init__(
        self,
        cursor: CursorWrapper,
        entries: Iterable[Judged],
        rules: Rules,
        cutoffs: Mapping[str, int],
        kept: Mapping[str, NodeState] = NOTHING,
    ) -> None:
        self.rows = sql.Rows()
        self._cursor = cursor
        self._entries = tuple(entries)
        self._rules = rules
        self._belief = Belief(cutoffs, self._entries[-1].withdrawn if self._entries else frozenset())
        self._kept = kept
        self._states: dict[str, NodeState] = {}
        self._unwritten: dict[int, NodeState] = {}  # whose open status no row has yet
        self._copied: dict[int, NodeState] = {}  # artifacts whose copies may stand differently now
        self._users: dict[str, set[str]] = {}  # artifact → deployments that this batch says use it
        self._rejudged: dict[int, tuple[Piece, ...]] = {}  # what plain nodes of the tables are now
        self._last_node, self.last_edge = self._last_ids()
        self._stored_nodes = self._last_node  # ids up to here were in the table before the batch

    def fold(self) -> sql.Rows:
        """All rows of the batch."""
        self._prepare()
        for entry in self._entries:
            if entry.skipped:
                self.rows.skipped.append((entry.index, entry.skipped))
            _Fold(self, entry).fold()
            give_way()
        self._finish()
        return self.rows

    def _last_ids(self) -> tuple[int, int]:
        return sql.last_ids(self._cursor)

    def _finish(self) -> None:
        """Rows of what is only known when the last entry is folded."""
        for state in self._unwritten.values():
            self._add_status(state, None)
            state.stored = True
        for state in self._copied.values():
            self._add_copies(state)
        self._unwritten.clear()
        self._copied.clear()

    def _mentioned(self) -> set[str]:
        """Keys of the nodes that the entries name."""
        keys = {key for entry in self._entries for each in entry.contributions for key in each.delta.nodes}
        keys.update(signer_key(key) for entry in self._entries for key in entry.changed_keys)
        keys.update(signer for entry in self._entries for signer, _ in entry.withdraws or ())
        return keys

    def _prepare(self) -> None:
        """Bring in what the entries name, as far as it is in the tables."""
        self.load_keys(self._mentioned())
        deltas = [c.delta for entry in self._entries for c in entry.contributions]
        known = {key: state.id for key, state in self._states.items()}
        edges = {
            (known[edge.source], _TEXTS[edge.type], known[edge.target])
            for delta in deltas
            for edge in delta.edges
            if edge.source in known
            and edge.target in known
            and place(edge.type, known[edge.target]) not in self._states[edge.source].edges
        }
        by_id = {state.id: state for state in self._states.values()}
        for (source, kind, target), edge in sql_facts.edge_ids(self._cursor, edges).items():
            by_id[source].leads(place(kind, target), edge)

    def load_keys(self, keys: Iterable[str]) -> None:
        """Bring in the nodes that exist and are not here yet, with what deployments among them deploy."""
        states, kept = self._states, self._kept
        wanted = [key for key in keys if key not in states]
        while wanted:
            found = [kept[key] for key in wanted if key in kept]
            unknown = [key for key in wanted if key not in kept]
            wanted = self._take(found + sql_facts.by_keys(self._cursor, unknown, self._belief))

    def load_ids(self, ids: list[int]) -> list[NodeState]:
        """The nodes with these ids, brought in where they are not here yet."""
        here = {state.id for state in self._states.values()}
        missing = [node for node in ids if node not in here]
        for start in range(0, len(missing), LOAD_CHUNK):
            chunk = missing[start : start + LOAD_CHUNK]
            self.load_keys(self._take(sql_facts.by_ids(self._cursor, chunk, self._belief)))
        wanted = set(ids)
        return [state for state in self._states.values() if state.id in wanted]

    def _take(self, found: list[NodeState]) -> list[str]:
        """Keep loaded nodes; returns the keys that their deployments need."""
        for state in found:
            # What was rejudged has its rows already: nothing else of its batch touches it.
            state.pieces = self._rejudged.get(state.id, state.pieces)
            self._states.setdefault(state.facts.key, state)
        return [key for state in found for key in state.facts.deployed if key not in self._states]

    @property
    def states(self) -> Mapping[str, NodeState]:
        """The nodes that are here, by key."""
        return self._states

    def unknown(self, contribution: Contribution) -> list[str]:
        """Keys of the nodes that it names and that were not there before; the others are here afterwards."""
        states = self._states
        return [key for key in contribution.delta.nodes if key not in states]

    def node(self, key: str, kind: NodeKind, index: int) -> NodeState:
        """Make a node that was not there before this entry."""
        self._last_node += 1
        state = NodeState(self._last_node, Facts(key, kind, self._belief.cutoffs))
        self._states[key] = state
        self.rows.nodes.append((state.id, key, _TEXTS[kind], index))
        return state

    def used(self, artifact: str, deployment: str) -> None:
        """Remember which deployment (a node key) uses the artifact (another)."""
        self._users.setdefault(artifact, set()).add(deployment)

    def deployments_of(self, artifacts: list[NodeState], plain: list[int]) -> list[NodeState]:
        """The deployments, stored or of this batch, that use any of these artifacts (`plain`: their ids)."""
        keys = {user for state in artifacts for user in self._users.get(state.facts.key, ())}
        stored = plain + [state.id for state in artifacts if state.id <= self._stored_nodes]
        if stored:
            keys.update(sql_facts.deployments_of(self._cursor, stored))
        self.load_keys(keys)
        return [self._states[key] for key in sorted(keys)]

    def supported_by(self, signer: str) -> list[int]:
        """Ids of the nodes of which the signer said anything that is not believed any more."""
        state = self._states.get(signer)
        if state is None or signer not in self._belief.cutoffs:
            return []
        return sql_facts.supported_by(self._cursor, state.id, self._belief.cutoffs[signer])

    def said_by(self, signer: str) -> list[int]:
        """Ids of the nodes of which the signer said anything."""
        state = self._states.get(signer)
        return [] if state is None else sql_facts.supported_by(self._cursor, state.id, 0)

    def told_of(self, signer: str, index: int) -> list[int]:
        """Ids of the nodes of which the signer said anything in that entry."""
        state = self._states.get(signer)
        if state is None:
            return []
        return sql_facts.supported_by(self._cursor, state.id, index, index + 1)

    def rejudge(self, ids: Iterable[int], index: int) -> tuple[list[int], list[NodeState]]:
        """Set the statuses of those of the nodes that are plain, as of the entry at `index`.

        Returns the ids of the artifacts that have another one now, and the nodes that are left.
        """
        here = {state.id for state in self._states.values()}
        wanted = sorted(set(ids) - here)
        plain = Plain(self._cursor, self._belief, self._rules)
        artifacts, left = list[int](), [node for node in ids if node in here]
        alike: dict[tuple[StatusRow, ...], list[int]] = {}
        for start in range(0, len(wanted), REJUDGE_CHUNK):
            changed, others = plain.rejudge(wanted[start : start + REJUDGE_CHUNK])
            left += others
            for one in changed:
                self._rejudged[one.id] = one.pieces
                alike.setdefault(one.rows, []).append(one.id)
                if one.kind == NodeKind.ARTIFACT:
                    artifacts.append(one.id)
        self.rows.turned.extend(sql.Turned(index, rows, nodes) for rows, nodes in alike.items())
        return artifacts, self.load_ids(left)

    def with_copies(self) -> list[NodeState]:
        """The artifacts that have copies in the tables."""
        return self.load_ids(sql_facts.with_copies(self._cursor))

    def adopt(self, policy: CheckPolicy) -> None:
        """From the next evaluation on the policy is this."""
        if policy is not self._rules.policy:
            self._rules = replace(self._rules, policy=policy)

    def evaluate(self, state: NodeState, index: int) -> bool:
        """Set the node's status as of the entry at `index`; returns whether it changed."""
        facts = state.facts
        if facts.locations:
            self._copied[state.id] = state
        deployed = facts.deployed
        used = {key: self._states[key].pieces or () for key in deployed} if deployed else NOTHING
        pieces = status.evaluate(facts, self._rules, used)
        if pieces is state.pieces or pieces == state.pieces:
            return False
        if state.stored:
            self.rows.closed.append((index, state.id, state.opened))
        elif state.pieces is not None:
            self._add_status(state, index)
        state.pieces, state.opened, state.stored = pieces, index, False
        self._unwritten[state.id] = state
        return True

    def _add_status(self, state: NodeState, to_index: int | None) -> None:
        for piece in state.pieces or ():
            self.rows.statuses.append((state.id, state.opened, to_index, *status_row(piece)))

    def _add_copies(self, state: NodeState) -> None:
        """How the artifact's copies stand after the batch, instead of what the table says of them."""
        facts, rules = state.facts, self._rules
        self.rows.recopied.append(state.id)
        for location, copy in copies(facts, rules).items():
            asked = schedule(facts, rules, location)
            due, method = next_check(copy, asked, f"{facts.key} {location}")
            last = copy.last.at_us if copy.last else 0
            matches = (copy.matches[QUICK], copy.matches[CONTENT], copy.matches[FULL])
            storage = root_of(location, rules.roots)
            row = (state.id, location, storage, copy.outcome, last, *matches, copy.bytes, due, method)
            self.rows.copies.append((*row, overdue_us(asked, copy.matches)))


class _Fold:
    """One entry: first all that it says, then the status of all that it touches."""

    def __init__(self, batch: Batch, entry: Judged) -> None:
        self._batch = batch
        self._entry = entry
        self._index = entry.index
        self._trust = entry.trust.value
        self._touched: dict[str, NodeState] = {}
        self._plain: list[int] = []  # artifacts that have another status now, beside those touched

    def fold(self) -> None:
        self._batch.adopt(self._entry.policy)
        for contribution in self._entry.contributions:
            self._take(contribution)
        if self._entry.adopts:
            for state in self._batch.with_copies():
                self._touch(state)
        for key_id in self._entry.changed_keys:
            self._touch(self._batch.states.get(signer_key(key_id)))
        self._disbelieve()
        self._settle()

    def _disbelieve(self) -> None:
        """Whose word the entry takes away or gives back: all of a revoked key's, or one that is withdrawn."""
        entry, batch = self._entry, self._batch
        if not entry.alone:
            return
        ids = set[int]()
        for signer, index in entry.withdraws or ():
            ids.update(batch.told_of(signer, index))
        for key_id in entry.changed_keys if entry.revokes else ():
            ids.update(batch.supported_by(signer_key(key_id)))
        for key_id in entry.believed_again:
            ids.update(batch.said_by(signer_key(key_id)))
        if ids:
            self._plain, left = batch.rejudge(ids, self._index)
            for state in left:
                self._touch(state)

    def _touch(self, state: NodeState | None) -> None:
        if state is not None:
            self._touched[state.facts.key] = state

    def _take(self, contribution: Contribution) -> None:
        delta, batch, nodes = contribution.delta, self._batch, self._batch.states
        for key in batch.unknown(contribution):
            self._touched[key] = batch.node(key, delta.nodes[key], self._index)
        signer = nodes[contribution.signer]
        said = {(signer.facts.key, self._trust): self._index}
        self._take_edges(delta.edges, nodes, signer, said)
        self._take_claims(delta.claims, nodes, signer, said)
        for check in dict.fromkeys(delta.checks):
            self._take_check(check, nodes[check.node], signer)

    def _take_edges(
        self, edges: Iterable[Edge], nodes: Mapping[str, NodeState], signer: NodeState, said: Support
    ) -> None:
        """Edges are most of what there is to fold: nothing is looked up for each that the entry knows."""
        batch, index, trust, signer_id, (who,) = self._batch, self._index, self._trust, signer.id, said
        rows, support, touched = batch.rows.edges, batch.rows.support, self._touched
        before = last = batch.last_edge
        again = set()
        for edge in edges:
            kind, cause = edge.type, edge.target
            source, target = nodes[edge.source], nodes[cause]
            at = place(kind, target.id)
            known = source.edges.get(at)
            if known is None:
                known = last = last + 1
                source.leads(at, known)
                rows.append((known, source.id, _TEXTS[kind], target.id, index))
                if kind is _USED and source.facts.kind is _DEPLOYMENT:
                    batch.used(cause, edge.source)
            elif known > before or known in again:
                continue  # the statement says it twice
            else:
                again.add(known)
            support.append((known, index, signer_id, trust))
            if kind not in EDGES_READ:
                continue
            if source.facts.caused(kind, cause, who, index, said):
                touched[edge.source] = source
            # What is used has no status by that.
            if (
                kind is not _USED
                and target is not source
                and target.facts.causes(kind, edge.source, who, index, said)
            ):
                touched[cause] = target
        batch.last_edge = last

    def _take_claims(
        self, claims: Iterable[Claim], nodes: Mapping[str, NodeState], signer: NodeState, said: Support
    ) -> None:
        # Most of what claims say no rule reads.
        index, trust, rows, signer_id, (who,) = (
            self._index, self._trust, self._batch.rows.claims, signer.id, said,
        )  # fmt: skip
        for claim in dict.fromkeys(claims):
            key, kind, value = claim.node, claim.kind, claim.value
            state = nodes[key]
            rows.append((state.id, _TEXTS[kind], value, index, signer_id, trust))
            if kind in CLAIMS_READ and state.facts.claimed(kind, value, who, index, said):
                self._touched[key] = state

    def _take_check(self, check: CheckResult, state: NodeState, signer: NodeState) -> None:
        index, at_us = self._index, capped(check, self._entry.received_us)
        weight, trust = strength(check.expected, check.node), self._trust
        found = (check.expected, check.observed, check.outcome, weight, check.reason, check.bytes)
        self._batch.rows.checks.append(
            (state.id, check.location, check.method, *found, at_us, index, signer.id, trust)
        )
        fact = CheckFact(at_us, index, check.outcome, weight, trust, check.bytes)
        if state.facts.add_check(check.location, fact, signer.facts.key):
            self._touched[check.node] = state

    def _settle(self) -> None:
        """Statuses of what was touched; then of deployments, whose status is that of what they deploy."""
        index = self._index
        deployments: dict[str, NodeState] = {}
        changed: list[NodeState] = []
        for key, state in self._touched.items():
            kind = state.facts.kind
            if kind is _DEPLOYMENT:
                deployments[key] = state
                continue
            if kind is _SIGNER:
                state.facts.life = life(self._entry.ring, key)
            if self._batch.evaluate(state, index) and kind is _ARTIFACT:
                changed.append(state)
        if changed or self._plain:
            users = self._batch.deployments_of(changed, self._plain)
            deployments.update((state.facts.key, state) for state in users)
        for state in deployments.values():
            self._batch.evaluate(state, index)


def life(ring: KeyRing, signer: str) -> KeyLife | None:
    """When the key of this signer node is in force, or None where the ring doesn't know it."""
    registration = ring.keys.get(signer_id(signer))
    if registration is None:
        return None
    revocations = ring.effective.get(signer_id(signer), ())
    return KeyLife(
        registration.not_before_us,
        registration.not_after_us,
        min((r.from_us for r in revocations if r.compromised), default=None),
        min((r.from_us for r in revocations if not r.compromised), default=None),
    )
