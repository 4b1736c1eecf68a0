"""Answers that a real MLflow 3.17.2 server gave (`answers_3_17_2.json`), and the very records they make.

A record that comes out otherwise makes everything that is followed news: its digest is pinned here.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lineage.mlflow import provenance, records, run_gaps, stated
from lineage.mlflow.records import Record

ANSWERS: dict[str, Any] = json.loads((Path(__file__).parent / "answers_3_17_2.json").read_text())
MODEL_ID = "m-1c5cc18e86a1436ab33caec3115f5f33"

PINNED: list[tuple[str, Callable[[Any], Record], str]] = [
    ("run", records.run, "0cc9bcfa450c6679e233df1ce555c0dc7b95bf6d3818d77d24a68f92c66cf448"),
    ("evaluation", records.run, "def3b63c9a00cf30f7169a2b8f1d0b198ccbda46ef6bbb4ac95ef07f75628a4f"),
    ("model", records.logged_model, "ac1edf8297f956bd0d61ce87ed8971c89312ce5e552ff0f42684960225aa9cbe"),
    (
        "registered",
        records.registered_model,
        "a61a33f7143b91cd3b5b75bb300cf3abe6840b13b6379b7fc508580dba6b3ff2",
    ),
    ("version", records.model_version, "b129acf51a629d154a653fb344c5cbcfcf603cb49a39c87f4d2229b62ab1714c"),
    ("experiment", records.experiment, "e14508fb90d3d865a867d8a835794c5a853d62c77e376f27f7c63a1914c95acc"),
]


@pytest.mark.parametrize(("name", "make", "digest"), PINNED, ids=[name for name, _, _ in PINNED])
def test_the_record_of_each_answer(name: str, make: Callable[[Any], Record], digest: str) -> None:
    record = make(ANSWERS[name])
    assert "hunter2" not in json.dumps(record.content)
    assert record.digest == digest


def test_numbers_and_texts_as_the_server_gave_them() -> None:
    content = records.run(ANSWERS["run"]).content
    assert {name: each["value"] for name, each in content["metrics"]["values"].items()} == {
        "acc": 0.5,
        "big": "1.152921504606847e+18",
        "inf": "1.7976931348623157e+308",
        "nan": "NaN",
        "ninf": "-1.7976931348623157e+308",
    }
    assert content["tags"]["nul"] == "a\u2400b"
    assert content["tags"]["emoji"] == "😀"
    assert content["tags"]["long"]["characters"] == 1_200


def test_lineage_and_gaps_of_the_runs() -> None:
    run, evaluation = records.run(ANSWERS["run"]), records.run(ANSWERS["evaluation"])
    model = provenance.ModelBytes(MODEL_ID, "clf", {"sha256": "ab" * 32})
    assert [each["uri"] for each in provenance.used(run, {}, {}, source="lab")] == [
        "https://***@h/x.csv?X-Amz-Signature=***",
        "urn:lineage:name:urn:lineage:mlflow:lab:nosource@300830b9",
    ]
    (made,) = provenance.generated(run, {MODEL_ID: model}, source="lab")
    assert provenance.used(evaluation, {MODEL_ID: model}, {}, source="lab") == [made]
    assert run_gaps.gaps(run, (), True) == ["base-model-unrecorded", "dataset-undigested", "code-unrecorded"]
    assert run_gaps.gaps(evaluation, (MODEL_ID,), False) == ["code-unrecorded"]
    assert records.model_version(ANSWERS["version"]).content["model_id"] == stated.models_out(run)[0]
