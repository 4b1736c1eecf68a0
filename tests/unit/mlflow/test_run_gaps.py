"""What a run has not recorded, and what closes each gap."""

from __future__ import annotations

from typing import Any

import pytest

from lineage.mlflow import records
from lineage.mlflow.run_gaps import SLUGS, gaps
from tests.unit.mlflow.answering import COMMIT, MODEL_ID, a_run, dataset, pairs
from tests.unit.predicates.making import A

CODE = {"mlflow__source__git__commit": COMMIT}


def _gaps(known: tuple[str, ...] = (), made: bool = True, /, **members: Any) -> list[str]:
    tags = pairs(**(CODE | members.pop("tags", {})))
    return gaps(records.run(a_run(tags=tags, **members)), known, made)


def test_a_run_that_recorded_nothing() -> None:
    raw = a_run(datasets=[dataset()], tags=pairs(lineage__git__dirty="true"))
    assert gaps(records.run(raw), (), True) == [
        "base-model-unrecorded",
        "dataset-undigested",
        "code-unrecorded",
        "uncommitted-code",
    ]


def test_slugs_are_known() -> None:
    raw = a_run(datasets=[dataset()], tags=pairs(lineage__base_model="x", lineage__git__dirty="1"))
    assert set(gaps(records.run(raw), (), True)) | {"base-model-unrecorded"} == set(SLUGS)


@pytest.mark.parametrize(
    ("members", "found"),
    [
        ({}, ["base-model-unrecorded"]),
        ({"tags": {"lineage__base_model": "none"}}, []),
        ({"tags": {"lineage__base_model": f"sha256:{A}"}}, []),
        ({"params": pairs(lineage__base_model=f"dirHash:{A}")}, []),
        ({"tags": {"lineage__base_model": "org/base"}}, ["base-model-undigested"]),
        ({"models_in": ["m-hashed"]}, []),
        ({"models_in": ["m-other"]}, ["base-model-undigested"]),
        ({"models_in": ["m-hashed", "m-other"]}, ["base-model-undigested"]),
        ({"models_in": [MODEL_ID], "models_out": [MODEL_ID]}, ["base-model-unrecorded"]),
    ],
)
def test_base_models(members: dict[str, Any], found: list[str]) -> None:
    assert _gaps(("m-hashed",), True, **members) == found


def test_a_run_that_made_no_model_needs_no_base() -> None:
    assert _gaps((), False) == []
    assert _gaps((), False, models_in=["m-other"]) == ["base-model-undigested"]


def test_datasets() -> None:
    two = [dataset("a"), dataset("b")]
    assert _gaps((), False, datasets=two) == ["dataset-undigested"]
    one = {"lineage__dataset__a__sha256": A}
    assert _gaps((), False, datasets=two, tags=one) == ["dataset-undigested"]
    both = one | {"lineage__dataset__b__sha256": A}
    assert _gaps((), False, datasets=two, tags=both) == []
    run = records.run(a_run(datasets=two, tags=pairs(**(CODE | one))))
    assert gaps(run, (), False, {"b"}) == []


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        ({"lineage__git__dirty": "true"}, ["uncommitted-code"]),
        ({"mlflow__source__git__dirty": "True"}, ["uncommitted-code"]),
        ({"lineage__git__dirty": "false"}, []),
        ({"mlflow__source__git__commit": ""}, ["code-unrecorded"]),
    ],
)
def test_code(tags: dict[str, str], found: list[str]) -> None:
    assert _gaps((), False, tags=tags) == found
