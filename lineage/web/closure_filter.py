"""What a lineage picture and its list are filtered to, and what there is to choose from.

Owns: which nodes pass, the form's choices with their numbers. Does not own: the address (`lineage_query`), or
who signed what (`services.closure_beside`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lineage.graph.lane_boxes import VERIFIED_RANK, LaneNode, rank
from lineage.services.closure_beside import Beside
from lineage.web import words
from lineage.web.lineage_query import STATUSES, Asked

LABELS: Mapping[str, str] = {
    "kind": "Kind",
    "role": "Role or activity",
    "status": "Status",
    "tainted": "Taint",
    "signer": "Signed by",
    "place": "Place",
}
_TAINT_WORDS = {"yes": "Tainted", "no": "Not tainted"}


@dataclass(frozen=True, slots=True)
class Choice:
    value: str
    label: str
    count: int
    chosen: bool


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    label: str
    choices: Sequence[Choice]

    @property
    def chosen(self) -> str:
        """The words of what is chosen, empty for any."""
        return next((choice.label for choice in self.choices if choice.chosen), "")


@dataclass(frozen=True, slots=True)
class ClosureFilter:
    """`beside`: by `signer` and `place`, who signed the closure's nodes and where they lie."""

    asked: Asked
    beside: Mapping[str, Sequence[Beside]]

    def kept(self, nodes: Mapping[str, LaneNode]) -> frozenset[str]:
        """Keys of the nodes that all filters let through."""
        kept = frozenset(key for key, node in nodes.items() if self._passes(node))
        for name, found in self.beside.items():
            wanted = self.asked.filters.get(name)
            if wanted:
                kept &= next((each.nodes or frozenset() for each in found if each.key == wanted), frozenset())
        return kept

    def _passes(self, node: LaneNode) -> bool:
        asked = self.asked
        return (
            (not asked.kind or node.kind == asked.kind)
            and (not asked.role or asked.role in node.roles)
            and (not asked.status or _stands(node, asked.status))
            and (not asked.tainted or node.tainted == (asked.tainted == "yes"))
        )

    def fields(self, nodes: Iterable[LaneNode]) -> list[Field]:
        """What can be chosen, with how many nodes of the whole closure each choice has."""
        nodes = list(nodes)
        kinds = Counter(node.kind for node in nodes)
        roles = Counter(role for node in nodes for role in node.roles)
        statuses = Counter(node.status for node in nodes)
        bad = sum(rank(node) < VERIFIED_RANK for node in nodes)
        tainted = sum(node.tainted for node in nodes)
        standing = [("exceptions", "Exceptions", bad)] + [
            (status, words.STATUSES[status].word, statuses[status]) for status in STATUSES if statuses[status]
        ]
        taint = [("yes", _TAINT_WORDS["yes"], tainted), ("no", _TAINT_WORDS["no"], len(nodes) - tainted)]
        return [
            self._field("kind", [(k, words.KINDS.get(k, k), n) for k, n in sorted(kinds.items())]),
            self._field("role", [(r, r.capitalize(), n) for r, n in sorted(roles.items())]),
            self._field("status", standing),
            self._field("tainted", taint),
            *(
                self._field(name, [(each.key, each.name, each.count) for each in found])
                for name, found in self.beside.items()
            ),
        ]

    def _field(self, name: str, choices: Sequence[tuple[str, str, int]]) -> Field:
        wanted = self.asked.filters.get(name, "")
        if wanted and wanted not in {value for value, _, _ in choices}:
            choices = [*choices, (wanted, wanted, 0)]
        return Field(name, LABELS[name], [Choice(v, label, n, v == wanted) for v, label, n in choices])


def _stands(node: LaneNode, status: str) -> bool:
    """Whether its status is that, or it is an exception: not verified, or tainted."""
    return rank(node) < VERIFIED_RANK if status == "exceptions" else node.status == status
