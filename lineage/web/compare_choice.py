"""What a thing is compared with: the text that somebody typed, and what it stands for.

Owns: turning a name, digest or key into one node, or saying why it is none; what there is to choose from.
Does not own: the search (`services.find`), or comparing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lineage.errors import MalformedError
from lineage.services import find, lineage
from lineage.services.as_of import AsOf
from lineage.services.lineage_records import NodeRecord, NodeSummary
from lineage.services.node_names import short_key

MAX_LENGTH = 500
OFFERED = 10


@dataclass(frozen=True, slots=True)
class Choice:
    """`key` of the one node that is meant; where it is none, `wrong` says why and `offered` may be meant."""

    text: str
    key: str = ""
    wrong: str = ""
    offered: Sequence[NodeSummary] = ()


def read(text: str, as_of: AsOf) -> Choice:
    """What `text` means at that moment: a node's key, else the one node that it finds.

    Raises: MalformedError for what is no text to search for.
    """
    text = text.strip()
    if len(text) > MAX_LENGTH or "\0" in text:
        raise MalformedError(f"A name or key has at most {MAX_LENGTH} printable characters.", where="with")
    if not text:
        return Choice(text)
    found = find.find(text, as_of).nodes
    exact = [node for node in found.nodes if node.key == text.lower()]
    named = [node for node in found.nodes if node.name == text]
    for meant in (exact, named, found.nodes):
        if len(meant) == 1:
            return Choice(text, meant[0].key)
    if not found.nodes:
        return Choice(text, wrong="Nothing that is known at this moment is called so, or has this digest.")
    wrong = f"{found.total} things are found for this. Choose one of them, or give its digest."
    return Choice(text, wrong=wrong, offered=found.nodes[:OFFERED])


def others(node: NodeRecord, as_of: AsOf) -> list[NodeSummary]:
    """The newest things of the same role, or else kind, without itself."""
    kind = node.roles[0] if node.roles else node.kind
    newest = lineage.search(as_of, kind=kind, limit=OFFERED + 1).nodes
    return [each for each in newest if each.key != node.key][:OFFERED]


def told_apart(nodes: Sequence[NodeSummary]) -> list[str]:
    """What each is called; those that share a name with the beginning of their keys."""
    names = [node.name or short_key(node.key) for node in nodes]
    shared = {name for name in names if names.count(name) > 1 and len({node.key for node in nodes}) > 1}
    return [
        f"{name} ({short_key(node.key)})" if name in shared else name
        for name, node in zip(names, nodes, strict=True)
    ]
