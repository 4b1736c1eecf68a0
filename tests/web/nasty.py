"""Statements whose every text is hostile: whatever field of whatever predicate takes text, has some of it.

Which fields take text nobody has to list: a member is hostile wherever the statement is still one with it.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lineage import predicates
from lineage.errors import MalformedError, TooLargeError
from lineage.trust import canonical, statement
from lineage.trust.dsse import INTOTO_PAYLOAD_TYPE
from tests import factories

EXAMPLES = Path(predicates.__file__).parent / "examples"
MARKUP = (
    "</title></script><script>alert(1)</script>\"'><img src=x onerror=alert(2)><a href=javascript:alert(3)>"
)
TURNED = "\u202egnp.rotceles\u202c \u2066model\u2069 \u200bhidden \x1b[2J"
EVALUATED = str(7 * 7777777)
"""What `TEMPLATE` would show if it were evaluated. No id on a page has these eight digits by chance."""
TEMPLATE = "{{7*7777777}}{% debug %}${alert(4)}<svg onload=alert(5)>&lt;b&gt;&#x3c;i&#x3e;"
NASTY = {
    "mixed": f"{MARKUP}{TURNED}{TEMPLATE}",
    "long": "W" * 250 + "<b>" + "\u202e" + "m" * 246,
    "script-url": "javascript:alert(6)//%0aalert(7)",
    "data-url": "data:text/html,<script>alert(8)</script>",
}
"""What every member of a statement that takes text is, one after the other."""
assert len(NASTY["long"]) == 500

_Path = tuple[str | int, ...]


def statements(kind: str) -> Iterator[dict[str, Any]]:
    """One statement of each predicate type, as hostile as it can be with this kind of text."""
    for document in [*_examples(), _provenance(), _link(), _whole_link(), factories.statement()]:
        yield _hostile(document, NASTY[kind])


def hostile_members(document: dict[str, Any], text: str) -> int:
    """How many members of the statement are the text."""
    return sum(_at(document, path) == text for path in _texts(document))


def _hostile(document: dict[str, Any], text: str) -> dict[str, Any]:
    assert _accepted(document), document["predicateType"]
    for path in list(_texts(document)):
        tried = copy.deepcopy(document)
        _set(tried, path, text)
        tried = _signed_over(tried)
        if _accepted(tried):
            document = tried
    return document


def _accepted(document: dict[str, Any]) -> bool:
    try:
        told = statement.parse(INTOTO_PAYLOAD_TYPE, json.dumps(document).encode())
        predicates.project(told, "5a" * 32)
        predicates.describe(told)
    except (MalformedError, TooLargeError):
        return False
    return _kind(document) == told.predicate_type and told.predicate_type in _WANTED


def _kind(document: dict[str, Any]) -> str:
    return str(document.get("predicateType") or document["_type"])


def _signed_over(document: dict[str, Any]) -> dict[str, Any]:
    """With the digest of the record as its subject, where a statement is about its own record."""
    record = document.get("predicate", {}).get("record")
    if record is not None:
        document["subject"][0]["digest"] = {"sha256": hashlib.sha256(canonical.encode(record)).hexdigest()}
    return document


def _texts(value: Any, path: _Path = ()) -> Iterator[_Path]:
    if isinstance(value, str):
        yield path
    elif isinstance(value, dict | list):
        for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _texts(inner, (*path, name))


def _at(document: Any, path: _Path) -> Any:
    for name in path:
        document = document[name]
    return document


def _set(document: Any, path: _Path, value: object) -> None:
    _at(document, path[:-1])[path[-1]] = value


def _examples() -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(EXAMPLES.glob("*.json"))]


def _provenance() -> dict[str, Any]:
    material = factories.artifact(
        "m.bin", downloadLocation="https://e.example/m", mediaType="text/html", uri="u"
    )
    return factories.provenance([factories.artifact("p.bin", uri="https://e.example/p")], [material])


def _link() -> dict[str, Any]:
    told = {"name": "step", "command": ["tar", "x"], "materials": [factories.artifact("a", uri="u")]}
    return factories.statement(predicate_type="https://in-toto.io/attestation/link/v0.3", predicate=told)


def _whole_link() -> dict[str, Any]:
    return {
        "_type": "link", "name": "step", "command": ["tar", "x"], "byproducts": {"stdout": "x"},
        "environment": {"cwd": "/"}, "materials": {"<script>alert(9)</script>": {"sha256": "1f" * 32}},
        "products": {"\"><img src=x onerror=alert(9)>": {"sha256": "2f" * 32}},
    }  # fmt: skip


_WANTED = {
    _kind(document)
    for document in [*_examples(), _provenance(), _link(), _whole_link(), factories.statement()]
}
