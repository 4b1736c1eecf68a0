"""MLflow observations: what each kind adds to the graph, what contradicts itself, and how it is told."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage import predicates
from lineage.errors import MalformedError, TooLargeError
from lineage.graph.model import run_key, uri_key
from lineage.predicates import mlflow_observation
from lineage.predicates.folders import dir_hash
from lineage.predicates.mlflow_observation import Kind
from lineage.trust import canonical
from lineage.trust.statement import Statement
from tests.unit.predicates.making import (
    KEY,
    OURS,
    A,
    B,
    C,
    claims,
    edges,
    example,
    kinds,
    made,
    parsed,
    projected,
    said_of,
    sha,
)
from tests.unit.predicates.test_pages import BLOCK, PAGES, SHORTENED

TYPE = f"{OURS}mlflow-observation:v1"
RUN = run_key("urn:lineage:mlflow:lab", "r1", "")
RUN_RECORD: dict[str, Any] = {
    "ended": True,
    "status": "FINISHED",
    "start_time": 1_500,
    "end_time": 2_000,
    "experiment_id": "7",
    "user": "ada",
    "parent": "r0",
    "artifact_uri": "mlflow-artifacts:/7/r1",
    "source": {"name": "train.py", "commit": "ab" * 20, "branch": "main", "repo": "https://h/x"},
    "tags": {},
    "models_in": [],
    "models_out": [{"id": "m-1", "step": 0}],
}


def observed(kind: str, record: dict[str, Any] | None = None, /, **members: Any) -> Statement:
    """An observation of kind `kind` whose record agrees with it; `members` are of the predicate."""
    thing = {"kind": kind, "id": "r1", "state": "present", "name": "my run"} | members.pop("object", {})
    whole = (
        {name: thing[name] for name in ("kind", "id", "state", "name")} | {"ended": False} | (record or {})
    )
    predicate = {
        "source": "lab",
        "server": {"url": "https://mlflow.example", "version": "3.17.2"},
        "object": thing,
        "observedAt": "2026-03-09T02:00:31.5Z",
        "record": whole,
        **members,
    }
    return made(TYPE, predicate, {"name": "x", "digest": {"sha256": canonical.digest(whole)}})


def test_a_run() -> None:
    delta = projected(observed("run", RUN_RECORD, afterEnd=True, gaps=["code-unrecorded"]))
    assert kinds(delta) == {KEY: "signer", RUN: "run"}
    assert edges(delta) == []
    assert delta.builders == {"urn:lineage:mlflow:lab"}
    assert said_of(delta, RUN) == {
        ("attested", TYPE),
        ("name", "my run"),
        ("activity", "training"),
        ("started", "1970-01-01T00:00:01.500000Z"),
        ("ended", "1970-01-01T00:00:02.000000Z"),
        ("fingerprint", "mlflow-run:lab/r1"),
        ("detail", "Builder: urn:lineage:mlflow:lab"),
        ("detail", "Invocation: r1"),
        ("detail", "MLflow status: FINISHED"),
        ("detail", "Experiment: 7"),
        ("detail", "User: ada"),
        ("detail", "Started from: train.py"),
        ("detail", f"Git commit: {'ab' * 20}"),
        ("detail", "Git branch: main"),
        ("detail", "Git repository: https://h/x"),
        ("detail", "Parent run: r0"),
        ("detail", "MLflow artifacts: mlflow-artifacts:/7/r1"),
    }


def test_what_may_still_change_is_not_claimed_of_a_run_that_goes_on() -> None:
    record = {**RUN_RECORD, "status": "RUNNING", "ended": False, "models_out": [], "models_in": ["m-9"]}
    said = said_of(projected(observed("run", record)), RUN)
    assert {kind for kind, _ in said} == {"attested", "name", "started", "fingerprint", "detail"}
    assert not any(value.startswith("MLflow status") for _, value in said)


@pytest.mark.parametrize(
    ("changed", "activity"),
    [
        ({}, "training"),
        ({"models_in": ["m-1"]}, "training"),
        ({"models_in": ["m-9"]}, "training"),
        ({"models_in": ["m-9"], "models_out": []}, "evaluation"),
        ({"models_out": []}, None),
        ({"tags": {"lineage.activity": "quantization"}}, "quantization"),
        ({"tags": {"lineage.activity": "Not A Word"}}, "training"),
        ({"tags": {"lineage.activity": {"begins": 7}}}, "training"),
        ({"models_out": {"count": 9, "sha256": A, "first": [{"id": "m-1"}]}}, "training"),
        ({"tags": {"count": 9, "sha256": A, "first": {"lineage.activity": "merging"}}}, "merging"),
        ({"tags": 7, "models_in": 7, "models_out": {"count": 7}}, None),
    ],
)
def test_what_kind_of_run_it_was(changed: dict[str, Any], activity: str | None) -> None:
    delta = projected(observed("run", RUN_RECORD | changed))
    assert [v for _, kind, v in claims(delta) if kind == "activity"] == ([activity] if activity else [])


@pytest.mark.parametrize(
    "times", [{"start_time": None}, {"start_time": "1500"}, {"start_time": 1e300}, {"start_time": 2**53 - 1}]
)
def test_times_that_are_none_are_not_claimed(times: dict[str, Any]) -> None:
    if times["start_time"] == 1e300:
        times = {"start_time": True}
    delta = projected(observed("run", RUN_RECORD | times))
    assert {kind for kind, _ in said_of(delta, RUN)} & {"started", "ended"} == {"ended"}


@pytest.mark.parametrize(
    ("state", "changes", "detail"),
    [
        ("deleted", [], "Deleted in MLflow: seen 2026-03-09T02:00:31.500000Z"),
        ("purged", [], "Purged in MLflow: seen 2026-03-09T02:00:31.500000Z"),
        (
            "present",
            [{"field": "state", "before": "deleted", "after": "present"}],
            "Restored in MLflow: seen 2026-03-09T02:00:31.500000Z",
        ),
    ],
)
def test_deleted_and_restored(state: str, changes: list[dict[str, Any]], detail: str) -> None:
    delta = projected(observed("run", RUN_RECORD, object={"state": state}, changes=changes))
    assert ("detail", detail) in said_of(delta, RUN)


def test_machines_that_a_tag_names() -> None:
    record = RUN_RECORD | {"tags": {"lineage.hardware": f"hw:{A}, {B} somewhere"}}
    delta = projected(observed("run", record))
    assert edges(delta) == sorted((RUN, "WAS_ASSOCIATED_WITH", f"hw:{digest}") for digest in (A, B))


def test_the_lineage_of_a_run() -> None:
    delta = projected(
        observed(
            "run-lineage",
            used=[
                {"name": "d", "digest": {"sha256": A}, "annotations": {"role": "dataset"}},
                {"name": "gone", "uri": "s3://b/k", "digest": {}, "annotations": {"role": "dataset"}},
            ],
            generated=[
                {
                    "name": "external",
                    "uri": "urn:lineage:mlflow:lab:model:m-1",
                    "digest": {},
                    "annotations": {"role": "model", "mlflowModelId": "m-1"},
                }
            ],
        )
    )
    model = uri_key("urn:lineage:mlflow:lab:model:m-1")
    assert edges(delta) == sorted(
        [
            (RUN, "USED", f"sha256:{A}"),
            (RUN, "USED", uri_key("s3://b/k")),
            (model, "WAS_GENERATED_BY", RUN),
        ]
    )
    assert ("fingerprint", "mlflow-model:lab/m-1") in said_of(delta, model)
    assert ("attested", TYPE) in said_of(delta, model)
    assert ("activity", "training") in said_of(delta, RUN)
    assert ("attested", TYPE) not in said_of(delta, f"sha256:{A}")


FILES = {"MLmodel": A, "dir/model.pkl": B}
MODEL = {
    "name": "clf",
    "digest": {"dirHash": dir_hash(FILES)},
    "downloadLocation": "mlflow://lab/models/m-1",
    "annotations": {"role": "model", "mlflowModelId": "m-1"},
}
MODEL_NODE = f"dirHash:{dir_hash(FILES)}"


def _model_files(files: Any, model: dict[str, Any] | None = None) -> Statement:
    return observed(
        "logged-model-files", {"files": files}, object={"id": "m-1"}, about=[model or MODEL], run="r1"
    )


def test_the_files_of_a_model() -> None:
    listed = {path: {"sha256": digest, "size": 1} for path, digest in FILES.items()}
    delta = projected(_model_files(listed))
    assert edges(delta) == sorted((f"sha256:{digest}", "PART_OF", MODEL_NODE) for digest in (A, B))
    assert said_of(delta, MODEL_NODE) == {
        ("attested", TYPE),
        ("name", "clf"),
        ("role", "model"),
        ("location", "mlflow://lab/models/m-1"),
        ("fingerprint", "mlflow-model:lab/m-1"),
    }
    assert said_of(delta, f"sha256:{A}") == {("attested", TYPE), ("name", "MLmodel"), ("role", "file")}
    assert RUN not in delta.nodes


def test_files_that_are_not_all_listed_with_a_digest_are_no_parts() -> None:
    for files in (
        {"MLmodel": {"sha256": A}, "big": {"size": 9, "reason": "too large"}},
        {"count": 30_000, "sha256": C, "first": {}},
        {},
        "none",
    ):
        assert edges(projected(_model_files(files))) == []
    single = {**MODEL, "digest": {"sha256": A}}
    assert edges(projected(_model_files({"model.pkl": {"sha256": A}}, single))) == []


def test_files_that_make_another_folder_are_refused() -> None:
    with pytest.raises(MalformedError) as caught:
        projected(_model_files({"MLmodel": {"sha256": A}}))
    assert caught.value.where == "$.predicate.record.files"
    listed = {**MODEL, "annotations": {"files": {"MLmodel": A}}}
    with pytest.raises(MalformedError) as caught:
        projected(observed("registered-model", about=[listed]))
    assert caught.value.where == "$.predicate.about[0].annotations.files"


def test_a_version_names_its_model() -> None:
    delta = projected(
        observed("model-version", {"version": "3"}, object={"id": "claims/3"}, about=[MODEL], run="r1")
    )
    assert {("name", "claims/3"), ("version", "3"), ("attested", TYPE), ("role", "model")} <= said_of(
        delta, MODEL_NODE
    )
    assert ("fingerprint", "mlflow-model:lab/m-1") in said_of(delta, MODEL_NODE)


@pytest.mark.parametrize("kind", ["experiment", "logged-model", "registered-model"])
def test_what_consists_of_nothing_makes_no_nodes(kind: str) -> None:
    delta = projected(observed(kind))
    assert kinds(delta) == {KEY: "signer"}
    assert claims(delta) == []


def _without(document: dict[str, Any], **members: Any) -> Statement:
    document["predicate"] |= members
    return parsed(document)


@pytest.mark.parametrize("member", ["kind", "id", "state"])
def test_the_record_is_the_objects(member: str) -> None:
    document = example("mlflow-observation.json")
    document["predicate"]["record"][member] = "run" if member == "kind" else "deleted"
    document["subject"][0]["digest"]["sha256"] = canonical.digest(document["predicate"]["record"])
    with pytest.raises(MalformedError) as caught:
        mlflow_observation.read(parsed(document))
    assert caught.value.where == f"$.predicate.record.{member}"


def test_the_subject_is_the_record() -> None:
    document = example("mlflow-observation.json")
    document["predicate"]["record"]["more"] = 1
    with pytest.raises(MalformedError) as caught:
        projected(parsed(document))
    assert caught.value.where == "$.predicate.record"
    document = example("mlflow-observation.json")
    document["subject"].append({"digest": {"sha256": A}})
    with pytest.raises(MalformedError) as caught:
        projected(parsed(document))
    assert caught.value.where == "$.subject"


def test_a_record_without_a_canonical_form_is_malformed() -> None:
    document = example("mlflow-observation.json")
    document["predicate"]["record"]["more"] = 2**60
    with pytest.raises(MalformedError):
        projected(parsed(document))


@pytest.mark.parametrize(
    ("members", "where"),
    [
        ({"source": ""}, "$.predicate.source"),
        ({"observedAt": ""}, "$.predicate.observedAt"),
        ({"observedAt": "yesterday"}, "$.predicate.observedAt"),
        ({"used": [{"name": "a"}]}, "$.predicate.used"),
        ({"generated": [{"name": "a"}]}, "$.predicate.used"),
        ({"about": [{"digest": {"sha256": "x"}}]}, "$.predicate.about[0].digest.sha256"),
    ],
)
def test_wrong_members(members: dict[str, Any], where: str) -> None:
    with pytest.raises(MalformedError) as caught:
        projected(_without(example("mlflow-observation.json"), **members))
    assert caught.value.where == where


def test_limits() -> None:
    change = {"field": "tags", "name": "a", "before": "b", "after": "c"}
    assert len(mlflow_observation.read(observed("run", changes=[change] * 500)).changes) == 500
    with pytest.raises(TooLargeError):
        mlflow_observation.read(observed("run", changes=[change] * 501))
    with pytest.raises(TooLargeError):
        mlflow_observation.read(observed("run-lineage", used=[{"name": "a"}] * 20_001))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)
RECORDS = st.dictionaries(
    st.sampled_from([*RUN_RECORD, "files", "version", "params"]) | st.text(max_size=5), JSON, max_size=6
)


@given(st.sampled_from(get_args(Kind)), RECORDS)
def test_any_record_can_be_projected_and_described(kind: str, record: dict[str, Any]) -> None:
    record = {name: value for name, value in record.items() if name not in ("kind", "id", "state")}
    told = observed(kind, RUN_RECORD | record, about=[MODEL] if kind == "model-version" else [])
    assert projected(told).nodes
    assert all(label and "\0" not in label + value for label, value in predicates.describe(told))


def test_an_observation_in_words() -> None:
    told = observed(
        "run",
        RUN_RECORD,
        previous={"record": C, "entry": 1_234},
        afterEnd=True,
        gaps=["code-unrecorded", "dataset-undigested"],
        changes=[
            {"field": "tags", "name": "stage", "before": "a", "after": None},
            {"field": "tags", "name": "by\0", "before": None, "after": "x"},
            {"field": "status", "before": "FAILED", "after": "FINISHED"},
        ],
        about=[MODEL],
    )
    found = predicates.describe(told)
    assert found[:12] == (
        ("Source", "lab"),
        ("MLflow server", "https://mlflow.example 3.17.2"),
        ("What", "run r1"),
        ("Name", "my run"),
        ("State", "present"),
        ("Observed", "2026-03-09T02:00:31.500000Z"),
        ("Changed after it finished", "yes"),
        ("Record before", f"{C}, entry 1,234"),
        ("Changed: tags stage", "removed; it was: a"),
        ("Changed: tags by\u2400", "added: x"),
        ("Changed: status", "from FAILED to FINISHED"),
        ("MLflow status", "FINISHED"),
    )
    assert found[-1] == ("Gaps", "code-unrecorded, dataset-undigested")
    assert all("\0" not in part for row in found for part in row)


def test_the_example_of_the_page_projects() -> None:
    (block,) = BLOCK.findall((PAGES / "mlflow-observation.md").read_text())
    predicate = json.loads(SHORTENED.sub(lambda found: sha(found[0]), block))
    digest = canonical.digest(predicate["record"])
    told = made(TYPE, predicate, {"name": "x", "digest": {"sha256": digest}})
    assert "run" in kinds(projected(told)).values()
    assert predicates.describe(told)
