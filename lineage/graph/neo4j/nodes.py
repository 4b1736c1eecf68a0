"""A node's row, and the same as a value, as of a tree size."""

from __future__ import annotations

from dataclasses import dataclass

from lineage.graph.backend import NodeRef
from lineage.graph.neo4j.driver import Row


@dataclass(frozen=True, slots=True)
class Begun:
    """Read at a question's beginning: which graph answers, and the row of the node that is asked about.

    `node` is None where it was not known, or the question is about none.
    """

    generation: int
    node: Row | None


def node_ref(row: Row, size: int) -> NodeRef:
    """From key, kind, first, name, name_first, roles, role_first; what follows is left alone."""
    key, kind, first, name, name_first, roles, role_first = row[:7]
    named = name is not None and name_first < size
    claimed = tuple(role for role, since in zip(roles, role_first, strict=True) if since < size)
    return NodeRef(key, kind, first, name if named else "", claimed)
