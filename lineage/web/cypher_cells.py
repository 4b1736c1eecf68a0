"""How values of a Cypher answer look in a table: nodes and node keys are links, the rest is text or JSON."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from lineage.graph.cypher_form import TYPE
from lineage.graph.model import signer_id

MOST_CHARACTERS = 2_000
"""Of one value; the REST interface gives it whole."""

_KEY = re.compile(
    r"(?:sha256|sha384|sha512|sha3_256|blake3|dirHash|uri|run|hw|deploy|key|identity|supplier|place):[0-9a-f]+"
)


@dataclass(frozen=True, slots=True)
class Link:
    """A node's page. `text` is empty where only the key is known; `page` is a URL name."""

    key: str
    text: str
    page: str
    argument: str


@dataclass(frozen=True, slots=True)
class Cell:
    """`parts` are links and texts in order; `number` and `code` say how to set them."""

    parts: tuple[Link | str, ...]
    number: bool = False
    code: bool = False


def cell(value: Any) -> Cell:
    """A cell for a value in the form of `graph.cypher_form`."""
    if isinstance(value, bool) or value is None:
        return Cell(("—" if value is None else str(value).lower(),))
    if isinstance(value, int | float):
        return Cell((str(value),), number=True)
    if isinstance(value, str):
        return Cell((_linked(value),))
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return Cell(tuple(_between(map(_linked, value), ", ")))
    if isinstance(value, dict) and TYPE in value:
        return _typed(value)
    return Cell((_json(value),), code=True)


def _typed(value: dict[str, Any]) -> Cell:
    kind = value[TYPE]
    if kind == "node":
        return Cell((_node(value),))
    if kind == "relationship":
        return Cell((_end(value["source"]), f" —{value['relation']}→ ", _end(value["target"])))
    if kind == "path":
        return Cell(tuple(_path(value)))
    if kind in {"integer", "float"}:
        return Cell((str(value["value"]),), number=True)
    if kind in {"date", "time", "datetime", "duration"}:
        return Cell((str(value["value"]),))
    return Cell((_json(value),), code=True)


def _path(value: dict[str, Any]) -> Iterable[Link | str]:
    nodes = value["nodes"]
    yield _node(nodes[0])
    for before, step, after in zip(nodes, value["relationships"], nodes[1:], strict=False):
        forward = step["source"] == before["key"]
        yield f" —{step['relation']}→ " if forward else f" ←{step['relation']}— "
        yield _node(after)


def _node(node: dict[str, Any]) -> Link | str:
    name = node["properties"].get("name")
    key = node["key"]
    text = name if isinstance(name, str) and name else ""
    if isinstance(key, str) and _KEY.fullmatch(key):
        return _link(key, text)
    return text or f"({':'.join(node['labels'])})"


def _end(key: str | None) -> Link | str:
    return "( )" if key is None else _linked(key)


SIGNERS = ("key:", "identity:")
"""How node keys of signers begin."""


def _linked(text: str) -> Link | str:
    return _link(text, "") if _KEY.fullmatch(text) else _cut(text)


def _link(key: str, text: str) -> Link:
    if key.startswith(SIGNERS):
        return Link(key, _cut(text), "key", signer_id(key))
    return Link(key, _cut(text), "node", key)


def _between(items: Iterable[Link | str], text: str) -> Iterable[Link | str]:
    for place, item in enumerate(items):
        if place:
            yield text
        yield item


def _json(value: Any) -> str:
    return _cut(msgspec.json.encode(value).decode())


def _cut(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}…"
