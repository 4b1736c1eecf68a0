"""Whatever a predicate holds: a closed delta, MalformedError or TooLargeError, and always the same."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lineage import predicates
from lineage.errors import MalformedError, TooLargeError
from lineage.graph.model import GraphDelta
from lineage.predicates import witness
from lineage.trust import statement
from lineage.trust.statement import Statement
from tests.unit.predicates import test_cyclonedx, test_spdx, test_witness
from tests.unit.predicates.making import SIGNER, example, parsed
from tests.unit.predicates.test_foreign_predicates import LINK, PROVENANCE, SLSA
from tests.unit.predicates.test_schemas import NAMES

WITNESS = witness.PREDICATE.uris[0]
SUBJECT = [{"name": "a", "digest": {"sha256": "0f" * 32}}]
FOREIGN: list[dict[str, Any]] = [
    {"_type": "https://in-toto.io/Statement/v1", "subject": SUBJECT, "predicateType": kind, "predicate": told}
    for kind, told in (
        (SLSA, PROVENANCE),
        (
            LINK,
            {"name": "n", "command": ["c"], "materials": [{"name": "m", "digest": {"sha256": "1f" * 32}}]},
        ),
        (WITNESS, test_witness.STEP),
        (
            test_cyclonedx.BOM,
            test_cyclonedx.bom(
                metadata={"component": test_cyclonedx.component("m", "machine-learning-model")},
                components=[
                    test_cyclonedx.component("b", purl="pkg:pypi/b", licenses=[{"expression": "MIT"}])
                ],
                dependencies=[{"ref": "m", "dependsOn": ["b", "c"]}],
            ),
        ),
        (
            test_spdx.SPDX,
            test_spdx.spdx2(
                [test_spdx.package("b", "1f" * 32)], test_spdx.related(test_spdx.DOCUMENT, "DESCRIBES", "b")
            ),
        ),
        (
            test_spdx.SPDX,
            test_spdx.graph(test_spdx.node("ai_AIPackage", "b"), test_spdx.link("b", "trainedOn", "c")),
        ),
    )
]
WHOLE_LINK: dict[str, Any] = {
    "_type": "link",
    "name": "n",
    "command": ["c"],
    "materials": {"m": {"sha256": "1f" * 32}},
    "products": {"a": {"sha256": "0f" * 32}},
}
STATEMENTS = [example(name) for name in NAMES] + FOREIGN + [WHOLE_LINK]

TEXT = st.text(max_size=8) | st.sampled_from(["\0", "\ud7ff", "é" * 1500, "sha256:" + "0f" * 32, "-1"])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
MEMBERS = st.sampled_from(
    ["name", "uri", "digest", "role", "annotations", "sha256", "builder", "id", "content"]
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(MEMBERS | TEXT, inner, max_size=3),
    max_leaves=8,
)


@st.composite
def altered(draw: st.DrawFn) -> dict[str, Any]:
    """A good statement with one to three members anywhere replaced, removed or added."""
    document: dict[str, Any] = copy.deepcopy(draw(st.sampled_from(STATEMENTS)))
    for _ in range(draw(st.integers(1, 3))):
        holder: Any = document.get("predicate", document)
        while True:
            names = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
            if not names:
                break
            name = draw(st.sampled_from(names))
            inner = holder[name]
            if isinstance(inner, dict | list) and inner and draw(st.integers(0, 3)):
                holder = inner
                continue
            if draw(st.integers(0, 4)):
                holder[name] = draw(VALUES)
            else:
                del holder[name]
            break
        if isinstance(holder, dict) and draw(st.booleans()):
            holder[draw(MEMBERS)] = draw(VALUES)
    return document


def _read(document: dict[str, Any]) -> Statement | None:
    try:
        return statement.parse("application/vnd.in-toto+json", json.dumps(document).encode())
    except MalformedError:
        return None  # not this room's to judge


def _closed(delta: GraphDelta) -> None:
    """Every node that is mentioned is declared, under a key `<scheme>:<hex>`, and no text holds U+0000."""
    mentioned = {edge.source for edge in delta.edges} | {edge.target for edge in delta.edges}
    mentioned |= {claim.node for claim in delta.claims} | {check.node for check in delta.checks}
    assert mentioned <= set(delta.nodes)
    for key in delta.nodes:
        scheme, _, value = key.partition(":")
        assert scheme
        assert value
        assert set(value) <= set("0123456789abcdef"), key
    for claim in delta.claims:
        assert claim.value
        assert "\0" not in claim.value
        assert len(claim.value.encode()) <= 2000
    assert all(edge.source != edge.target for edge in delta.edges)
    for check in delta.checks:
        assert "\0" not in check.location + check.method + check.expected + check.observed + check.reason


@settings(deadline=None)  # a busy machine is no bug
@given(altered())
def test_altered_statements(document: dict[str, Any]) -> None:
    told = _read(document)
    if told is None:
        return
    try:
        delta = predicates.project(told, SIGNER)
    except (MalformedError, TooLargeError):
        return
    _closed(delta)
    assert delta == predicates.project(told, SIGNER)
    rows = predicates.describe(told)
    assert all("\0" not in label + value for label, value in rows)


@settings(deadline=None)  # a busy machine is no bug
@given(st.sampled_from(STATEMENTS), st.dictionaries(MEMBERS | TEXT, VALUES, max_size=4))
def test_any_object_as_predicate(document: dict[str, Any], predicate: dict[str, Any]) -> None:
    told = _read(
        {**document, **predicate} if document is WHOLE_LINK else {**document, "predicate": predicate}
    )
    if told is None:
        return
    try:
        _closed(predicates.project(told, SIGNER))
    except (MalformedError, TooLargeError) as error:
        assert error.message  # noqa: PT017 that it is one of these two is the point


def test_good_statements_are_closed_and_projected_alike_twice() -> None:
    for document in STATEMENTS[:-1]:
        told = parsed(document)
        _closed(predicates.project(told, SIGNER))
        assert predicates.project(told, SIGNER) == predicates.project(parsed(document), SIGNER)
    link = _read(WHOLE_LINK)
    assert link is not None
    _closed(predicates.project(link, SIGNER))
