"""Every node of a graph that is being made, in memory: as objects while a batch needs them, packed between.

Owns: what is remembered of a node, and how it is packed: some 400 bytes instead of 1,500. Does not own: what
is done with it (`fill_batch`), or the limit of how many there may be (`fill`).
"""

from __future__ import annotations

import marshal
from array import array
from collections.abc import Iterable, Iterator, Mapping

from lineage.graph.model import NodeKind
from lineage.graph.sql_facts import NodeState
from lineage.graph.status import Facts, Piece

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
        self._opened = array("q")
        self._pieces: list[tuple[Piece, ...] | None] = []
        self._spoken: dict[str, array[int]] = {}  # signer's node key → ids of nodes that they spoke of
        self._recent: Mapping[str, NodeState] = {}

    def get(self, key: str, cutoffs: Mapping[str, int]) -> NodeState | None:
        """The node as an object, to be judged under these cutoffs."""
        found = self._nodes.get(key)
        if isinstance(found, bytes):
            found = self._nodes[key] = self._unpacked(key, found)
        if found is not None:
            found.facts.cutoffs = cutoffs
        return found

    def keep(self, states: Mapping[str, NodeState]) -> None:
        """Remember a batch's nodes; those of the batch before that it did not need are packed."""
        known, nodes, keys, all_opened, all_pieces = (
            len(self._keys), self._nodes, self._keys, self._opened, self._pieces,
        )  # fmt: skip
        for key, state in states.items():  # new ones are in the order of their ids
            if state.id > known:
                nodes[key] = state
                keys.append(key)
                all_opened.append(state.opened)
                all_pieces.append(state.pieces)
            else:
                all_opened[state.id - 1], all_pieces[state.id - 1] = state.opened, state.pieces
        for key, state in self._recent.items():
            if key not in states:
                nodes[key] = _packed(state)
        self._recent = states

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
        for number, (opened, pieces) in enumerate(zip(self._opened, self._pieces, strict=True), 1):
            if pieces is not None:
                yield number, opened, pieces

    def _unpacked(self, key: str, packed: bytes) -> NodeState:
        # From this process's own memory, never from anywhere else.
        number, kind, edges, retracted, *members = marshal.loads(packed)  # noqa: S302
        facts = Facts(key, NodeKind(kind), {}, retracted=retracted)
        (
            facts.about, facts.origins, facts.inputs, facts.outputs, facts.answered, facts.locations,
            facts.roles, facts.unsafe,
        ) = members  # fmt: skip
        return NodeState(number, facts, self._pieces[number - 1], self._opened[number - 1], edges=edges)


def _packed(state: NodeState) -> NodeState | bytes:
    """What has checks, decisions or a life stays as it is: such nodes are few, or the limit ends it."""
    facts = state.facts
    kind = _PACKED.get(facts.kind)
    if kind is None or facts.checks or facts.decided:
        return state
    members = (
        facts.about, facts.origins, facts.inputs, facts.outputs, facts.answered, facts.locations,
        facts.roles, facts.unsafe,
    )  # fmt: skip
    return marshal.dumps((state.id, kind, state.edges, facts.retracted, *members))
