"""What our own predicates refuse beyond wrong types, and where they say it is."""

from __future__ import annotations

from typing import Any

import pytest

from lineage.errors import MalformedError, TooLargeError
from tests.unit.predicates.making import A, B, edges, ours, projected, sha

RUN: dict[str, Any] = {"builder": {"id": "b"}, "activity": "training"}


@pytest.mark.parametrize(
    ("slug", "predicate", "where"),
    [
        ("dataset", {"name": ""}, "name"),
        ("dataset", {"name": "d", "supplier": {"name": ""}}, "supplier.name"),
        ("dataset", {"name": "d", "place": {}}, "place"),
        ("dataset", {"name": "d", "recordCount": -1}, "recordCount"),
        ("dataset", {"name": "d", "personalData": "some"}, "personalData"),
        ("dataset", {"name": "d", "collectedUntil": "2026"}, "collectedUntil"),
        ("dataset", {"name": "d", "sources": [{"name": "x"}, {}]}, "sources[1]"),
        ("model", {"name": ""}, "name"),
        ("model", {"name": "m", "role": "dataset"}, "role"),
        ("model", {"name": "m", "baseModels": [{"digest": {"sha256": "x"}}]}, "baseModels[0].digest.sha256"),
        ("training-run", {**RUN, "builder": {"id": ""}}, "builder.id"),
        ("training-run", {**RUN, "activity": ""}, "activity"),
        ("training-run", {**RUN, "activity": "Fine Tuning"}, "activity"),
        ("training-run", {**RUN, "activity": "x" * 41}, "activity"),
        ("training-run", {**RUN, "startedOn": "2026-03-02"}, "startedOn"),
        ("training-run", {**RUN, "finishedOn": "noon"}, "finishedOn"),
        ("training-run", {**RUN, "outputs": [{"role": "model"}]}, "outputs[0]"),
        ("training-run", {**RUN, "outputs": [{"name": "other", "role": "model"}]}, "outputs[0]"),
        ("training-run", {**RUN, "outputs": [{"digest": {"sha256": B}, "role": "model"}]}, "outputs[0]"),
        ("training-run", {**RUN, "outputs": [{"name": "a.bin", "role": "run"}]}, "outputs[0].role"),
        ("training-run", {**RUN, "hardware": [{}]}, "hardware[0].name"),
        ("training-run", {**RUN, "hardware": [{"digest": {"sha256": "ab"}}]}, "hardware[0].digest.sha256"),
        ("hardware-node", {"location": {"name": ""}}, "location"),
        ("deployment", {"name": ""}, "name"),
        ("deployment", {"name": "p", "deployedOn": "now"}, "deployedOn"),
        ("deployment", {"name": "p", "retiredOn": "later"}, "retiredOn"),
    ],
)
def test_refused_with_its_place(slug: str, predicate: dict[str, Any], where: str) -> None:
    with pytest.raises(MalformedError) as caught:
        projected(ours(slug, predicate))
    assert caught.value.where == f"$.predicate.{where}"


def test_a_hardware_node_has_one_subject_with_a_sha256() -> None:
    with pytest.raises(MalformedError, match="exactly one"):
        projected(ours("hardware-node", {}, {"digest": {"sha256": A}}, {"digest": {"sha256": B}}))
    with pytest.raises(MalformedError, match="needs the sha256"):
        projected(ours("hardware-node", {}, {"digest": {"sha512": sha("x") * 2}}))


@pytest.mark.parametrize(
    ("slug", "predicate", "member"),
    [
        ("dataset", {"name": "d"}, "sources"),
        ("model", {"name": "m"}, "baseModels"),
        ("model", {"name": "m"}, "datasets"),
        ("training-run", RUN, "inputs"),
        ("training-run", RUN, "hardware"),
        ("deployment", {"name": "p"}, "hardware"),
    ],
)
def test_20_001_of_anything_are_too_many(slug: str, predicate: dict[str, Any], member: str) -> None:
    with pytest.raises(TooLargeError) as caught:
        projected(ours(slug, {**predicate, member: [{"name": "x"}] * 20_001}))
    assert caught.value.limit == 20_000
    assert caught.value.where == f"$.predicate.{member}"


def test_20_001_outputs_are_too_many() -> None:
    with pytest.raises(TooLargeError):
        projected(ours("training-run", {**RUN, "outputs": [{"name": "a.bin", "role": "model"}] * 20_001}))


def test_nothing_is_derived_from_itself() -> None:
    delta = projected(ours("dataset", {"name": "d", "sources": [{"digest": {"sha256": A}}]}))
    assert "WAS_DERIVED_FROM" not in {kind for _, kind, _ in edges(delta)}
