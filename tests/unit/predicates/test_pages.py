"""The pages about predicates: one for each type, in the index, with an example that projects as written."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

from lineage import predicates
from lineage.predicates.base import PredicateType
from tests.unit.predicates.making import made, projected, sha

PAGES = Path(__file__).parents[3] / "docs" / "predicates"
BLOCK = re.compile(r"```json\n(.*?)```", re.DOTALL)
SHORTENED = re.compile(r"[0-9a-f]{4}…")
GIT = re.compile(r'("gitCommit": ")([0-9a-f]{4})…')


def _page(predicate: PredicateType) -> str:
    return (PAGES / f"{predicate.slug}.md").read_text()


@pytest.mark.parametrize("predicate", predicates.PREDICATES, ids=lambda p: p.slug)
def test_every_type_has_a_page_in_the_index(predicate: PredicateType) -> None:
    assert f"]({predicate.slug}.md)" in (PAGES / "README.md").read_text()
    page = _page(predicate)
    assert page.startswith(f"# {predicate.title}\n")
    assert predicate.uris[0] in page
    for name in (predicate.schema, predicate.example):
        assert name is None or f"`{name}`" in page


OURS_ALONE = ("decision", "inventory", "mlflow-observation", "openlineage-observation")
"""What the platform signs by itself; nobody writes one by hand."""


def _called(name: str) -> tuple[str, str]:
    return name, hashlib.sha256(name.encode()).hexdigest()


SUBJECTS = {
    "model-signing": ("claims-triage-2.1.0", hashlib.sha256(bytes.fromhex(sha("b7d1…"))).hexdigest()),
    "dataset-transform": ("claims-2025.parquet", sha("6a2f…")),
    "supplier": _called("Mistral AI"),
    "place": _called("Frankfurt FRA2"),
}
"""Names and digests of subjects that have to fit the example."""


@pytest.mark.parametrize(
    "predicate", [p for p in predicates.PREDICATES if p.slug not in OURS_ALONE], ids=lambda p: p.slug
)
def test_the_example_of_a_page_projects(predicate: PredicateType) -> None:
    (block,) = BLOCK.findall(_page(predicate))
    whole = GIT.sub(rf"\g<1>{'ab' * 20}", block)
    whole = SHORTENED.sub(lambda found: sha(found[0]), whole)
    name, digest = SUBJECTS.get(predicate.slug, ("claims-triage-2.1.0", sha("6a2f…")))
    told = made(predicate.uris[0], json.loads(whole), {"name": name, "digest": {"sha256": digest}})
    delta = projected(told)
    assert len(delta.claims) + len(delta.checks) > 0
    assert predicates.describe(told)


@pytest.mark.parametrize("predicate", [p for p in predicates.PREDICATES if p.materials], ids=lambda p: p.slug)
def test_a_page_says_where_materials_go(predicate: PredicateType) -> None:
    assert f"`{'.'.join(predicate.materials)}`" in _page(predicate)
