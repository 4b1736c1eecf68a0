"""Every node of a graph that is being made, in memory: as objects while batches need them, packed afterwards.

Owns: what is remembered of a node, when it is packed, and how: some 500 bytes instead of 1,200. Does not own:
what is done with it (`fill_batch`), or the limit of how many there may be (`fill`).
"""

from __future__ import annotations

import marshal
from array import array
from collections import deque
from collections.abc import Iterable, Iterator, Mapping

from lineage.graph.model import NodeKind
from lineage.graph.sql_facts import NodeState
from lineage.graph.status import Facts, Piece
from lineage.graph.status_facts import NOTHING

OBJECTS = 400_000
"""Nodes that stay objects, some 300 MB, counted once for each batch that needs them. Packing all of them took
a quarter of the time that folding did."""

_PACKED = {NodeKind.ARTIFACT: NodeKind.ARTIFACT.value, NodeKind.RUN: NodeKind.RUN.value}
"""Kinds of which there are very many, as texts."""


class Memory:
    """Nodes by key; node ids are dense from 1, so that what all have is a column."""

    def __init__(self) -> None:
        self.last_node = 0
        self.last_edge = 0
        self.users: dict[str, set[str]] = {}  # artifact → deployments that use it
        self.copied: set[str] = set()  # artifacts of which anybody stated a location
        self._nodes: dict[str, NodeState | bytes] = {}
        self._keys: list[str] = []
        self._used = array("i")  # the batch that needed each last
        self._statuses: list[tuple[int, tuple[Piece, ...] | None]] = []  # of what is packed
        self._spoken: dict[str, array[int]] = {}  # signer's node key → ids of nodes that they spoke of
        self._recent: deque[Mapping[str, NodeState]] = deque()  # nodes of the last batches
        self._batches = 0
        self._objects = 0

    def get(self, key: str, cutoffs: Mapping[str, int]) -> NodeState | None:
        """The node as an object, to be judged under these cutoffs."""
        found = self._nodes.get(key)
        if isinstance(found, bytes):
            found = self._nodes[key] = self._unpacked(key, found)
        if found is not None:
            found.facts.cutoffs = cutoffs
        return found

    def keep(self, states: Mapping[str, NodeState]) -> None:
        """Remember a batch's nodes; those that none of the last batches needed are packed."""
        self._batches += 1
        known, now, nodes, keys, used = len(self._keys), self._batches, self._nodes, self._keys, self._used
        for key, state in states.items():  # new ones are in the order of their ids
            number = state.id
            if number > known:
                nodes[key] = state
                keys.append(key)
                used.append(now)
            else:
                used[number - 1] = now
        self._recent.append(states)
        self._objects += len(states)
        while self._objects > OBJECTS and len(self._recent) > 1:
            self._pack(self._batches - len(self._recent) + 1, self._recent.popleft())

    def _pack(self, batch: int, states: Mapping[str, NodeState]) -> None:
        """Those of a batch's nodes that no later one needed."""
        nodes, used, statuses = self._nodes, self._used, self._statuses
        statuses.extend([(-1, None)] * (len(self._keys) - len(statuses)))
        self._objects -= len(states)
        for key, state in states.items():
            number = state.id - 1
            if used[number] == batch:
                statuses[number] = state.opened, state.pieces
                nodes[key] = _packed(state)

    def speak(self, signer: str, numbers: Iterable[int]) -> None:
        """That the signer (a node key) said something of the nodes with these ids."""
        self._spoken.setdefault(signer, array("i")).extend(numbers)

    def spoken_of(self, signer: str) -> list[int]:
        """Ids of the nodes of which the signer (a node key) said anything, each once, ascending."""
        return sorted(set(self._spoken.get(signer, ())))

    def key(self, number: int) -> str:
        """The key of the node with that id."""
        return self._keys[number - 1]

    def open_statuses(self) -> Iterator[tuple[int, int, tuple[Piece, ...]]]:
        """Id, log index that opened it, and pieces of each node's status."""
        for number, key in enumerate(self._keys, 1):
            state = self._nodes[key]
            if isinstance(state, bytes):
                opened, pieces = self._statuses[number - 1]
            else:
                opened, pieces = state.opened, state.pieces
            if pieces is not None:
                yield number, opened, pieces

    def _unpacked(self, key: str, packed: bytes) -> NodeState:
        # From this process's own memory, never from anywhere else.
        number, kind, edges, retracted, *members = marshal.loads(packed)  # noqa: S302
        facts = Facts(key, NodeKind(kind), NOTHING, retracted=retracted)
        (
            facts.about, facts.origins, facts.inputs, facts.outputs, facts.answered, facts.locations,
            facts.roles, facts.unsafe,
        ) = (member or NOTHING for member in members)  # fmt: skip
        opened, pieces = self._statuses[number - 1]
        return NodeState(number, facts, pieces, opened, edges=edges or NOTHING)


def _packed(state: NodeState) -> NodeState | bytes:
    """What has checks, decisions or a life stays as it is: such nodes are few, or the limit ends it."""
    facts = state.facts
    kind = _PACKED.get(facts.kind)
    if kind is None or facts.checks or facts.decided:
        return state
    members = (
        state.edges or None, facts.retracted, facts.about or None, facts.origins or None,
        facts.inputs or None, facts.outputs or None, facts.answered or None, facts.locations or None,
        facts.roles or None, facts.unsafe or None,
    )  # fmt: skip
    return marshal.dumps((state.id, kind, *members))
