"""What a run used and made: which artifact each is, its provenance, and that it fits into a statement."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from lineage import predicates
from lineage.graph.model import run_key, uri_key
from lineage.mlflow import provenance, records, stated
from lineage.mlflow.changes import diff
from lineage.mlflow.provenance import ModelBytes, about, generated, slsa, used
from lineage.mlflow.records import FileFound, Record
from lineage.predicates.folders import dir_hash
from lineage.trust import statement
from tests.unit.mlflow.answering import COMMIT, MODEL_ID, RUN_ID, a_run, dataset, pairs
from tests.unit.predicates.making import SIGNER, A, B, C, edges, said_of

FILES = {"MLmodel": A, "model.pkl": B}
FOLDER = dir_hash(FILES)
CLF = ModelBytes(MODEL_ID, "clf", {"dirHash": FOLDER}, FILES)
BASE = ModelBytes("m-base", "base", {"sha256": C})


def _run(**members: Any) -> Record:
    return records.run(a_run(**members))


def _projected(predicate_type: str, subjects: list[dict[str, Any]], predicate: dict[str, Any]) -> Any:
    document = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": subjects,
        "predicateType": predicate_type,
        "predicate": predicate,
    }
    payload = json.dumps(document, ensure_ascii=False).encode()
    assert len(base64.b64encode(payload)) < 7.9 * 2**20, len(payload)
    parsed = statement.parse("application/vnd.in-toto+json", payload)
    assert predicates.describe(parsed)
    return predicates.project(parsed, SIGNER)


def test_names_of_things_on_a_server() -> None:
    assert provenance.builder_id("lab") == "urn:lineage:mlflow:lab"
    assert provenance.model_uri("lab", "m-1") == "urn:lineage:mlflow:lab:model:m-1"
    assert provenance.model_location("lab", "m-1") == "mlflow://lab/models/m-1"


def test_a_dataset_that_nobody_hashed() -> None:
    (found,) = used(_run(datasets=[dataset()]), {}, {}, source="lab")
    assert found == {
        "name": "ds",
        "digest": {},
        "uri": "https://data.example/x.csv",
        "annotations": {
            "role": "dataset",
            "mlflowDigest": "300830b9",
            "context": "training",
            "sourceType": "http",
            "schemaSha256": found["annotations"]["schemaSha256"],
        },
    }


def test_a_dataset_that_a_tag_states_or_that_we_read() -> None:
    run = _run(datasets=[dataset()], tags=pairs(lineage__dataset__ds__sha256=A.upper()))
    (told,) = used(run, {}, {}, source="lab")
    assert told["digest"] == {"sha256": A}
    (same,) = used(run, {}, {"ds": A}, source="lab")
    assert same == told
    (other,) = used(run, {}, {"ds": B}, source="lab")
    assert other["digest"] == {"sha256": B}
    assert other["annotations"]["statedSha256"] == A
    (wrong,) = used(
        _run(datasets=[dataset()], tags=pairs(lineage__dataset__ds__sha256="no")), {}, {}, source="lab"
    )
    assert wrong["digest"] == {}


def test_datasets_without_an_address_are_told_apart_by_server_and_digest() -> None:
    run = _run(datasets=[dataset(source='{"tags": {}}'), dataset(source=None, digest="other")])
    uris = {each["uri"] for name in ("lab", "prod") for each in used(run, {}, {}, source=name)}
    assert len(uris) == 4


@pytest.mark.parametrize(
    ("source", "source_type", "uri"),
    [
        ('{"url": "https://u:hunter2@h/x?sig=hunter2"}', "http", "https://***@h/x?sig=***"),
        ('{"uri": "s3://b/k.csv"}', "s3", "s3://b/k.csv"),
        ('{"uri": "/data/a b#1.csv"}', "local", "file:///data/a%20b%231.csv"),
        ('{"uri": "file:///data/x.csv"}', "local", "file:///data/x.csv"),
        (r'{"uri": "C:\\data\\x.csv"}', "local", "file:///C:/data/x.csv"),
        ('{"uri": "data/x.csv"}', "local", ""),
        ('{"path": "org/name", "revision": "abc"}', "hugging_face", "hf://datasets/org/name@abc"),
        ('{"path": "org/name", "revision": null}', "hugging_face", "hf://datasets/org/name"),
        ('{"path": "/mnt/delta"}', "delta_table", "file:///mnt/delta"),
        ('{"table_name": "a.b.c"}', "spark", ""),
        ('{"tags": {"mlflow.source.name": "x.py"}}', "code", ""),
        ("s3://b/k.csv", "s3", "s3://b/k.csv"),
        ("not json", "odd", ""),
        ("{broken", "odd", ""),
        ('{"uri": 7}', "odd", ""),
        ('{"uri": "https://h/a b"}', "odd", ""),
        ("[" * 5_000, "odd", ""),
        ('{"uri": ' + "[" * 900, "odd", ""),
    ],
)
def test_addresses_in_sources(source: str, source_type: str, uri: str) -> None:
    run = _run(datasets=[dataset(source=source, source_type=source_type)])
    (told,) = stated.datasets(run)
    assert stated.source_uri(told) == uri
    (found,) = used(run, {}, {}, source="lab")
    assert found["uri"].startswith(uri or "urn:lineage:name:")
    assert "hunter2" not in json.dumps(found)


def test_an_address_that_no_claim_can_hold_is_a_name() -> None:
    run = _run(datasets=[dataset(source=json.dumps({"uri": "s3://b/" + "k" * 900}))])
    assert used(run, {}, {}, source="lab")[0]["uri"].startswith("s3://b/kk")
    run = _run(datasets=[dataset(source=json.dumps({"uri": "s3://b/" + "ü" * 980}))])
    (found,) = used(run, {}, {}, source="lab")
    assert len(found["uri"].encode()) <= 2_000 or not found["uri"].startswith("s3:")


def test_base_models() -> None:
    run = _run(models_in=["m-base", "m-none"])
    base, none = used(run, {"m-base": BASE}, {}, source="lab")
    assert base == {
        "name": "base",
        "digest": {"sha256": C},
        "downloadLocation": "mlflow://lab/models/m-base",
        "annotations": {"role": "model", "mlflowModelId": "m-base"},
    }
    assert none == {
        "name": "m-none",
        "digest": {},
        "uri": "urn:lineage:mlflow:lab:model:m-none",
        "annotations": {"role": "model", "mlflowModelId": "m-none"},
    }


@pytest.mark.parametrize("where", ["tags", "params"])
@pytest.mark.parametrize(
    ("said", "digest", "uri"),
    [
        (f"sha256:{A}", {"sha256": A}, None),
        (f" dirHash:{A.upper()} ", {"dirHash": A}, None),
        ("https://u:hunter2@hub.example/m", {}, "https://***@hub.example/m"),
        ("sha256:short", {}, "sha256:short"),
    ],
)
def test_a_base_model_that_is_stated(where: str, said: str, digest: dict[str, str], uri: str | None) -> None:
    (found,) = used(_run(**{where: pairs(lineage__base_model=said)}), {}, {}, source="lab")
    assert found["digest"] == digest
    assert found.get("uri") == uri


def test_several_stated_and_none() -> None:
    run = _run(tags=pairs(lineage__base_model=f"sha256:{A}\nsha256:{B}\n\nsha256:{A}"))
    assert [each["digest"] for each in used(run, {}, {}, source="lab")] == [{"sha256": A}, {"sha256": B}]
    assert used(_run(tags=pairs(lineage__base_model="None")), {}, {}, source="lab") == []


def test_what_a_run_made_is_not_what_it_used() -> None:
    run = _run(models_in=[MODEL_ID], models_out=[MODEL_ID])
    assert used(run, {MODEL_ID: CLF}, {}, source="lab") == []
    assert [each["name"] for each in generated(run, {MODEL_ID: CLF}, source="lab")] == ["clf"]


def test_models_that_only_name_their_run_are_made_by_it() -> None:
    external = ModelBytes("m-ext", "ext", {}, source_run=RUN_ID)
    others = ModelBytes("m-oth", "oth", {}, source_run="another")
    models = {MODEL_ID: CLF, "m-ext": external, "m-oth": others}
    found = generated(_run(models_out=[MODEL_ID]), models, source="lab")
    assert [(each["name"], each["digest"]) for each in found] == [("clf", {"dirHash": FOLDER}), ("ext", {})]


def test_files_are_listed_only_where_asked_for_and_where_they_fit() -> None:
    assert "files" not in about(CLF, source="lab")["annotations"]
    assert about(CLF, source="lab", files=True)["annotations"]["files"] == FILES
    many = {"d/" * 100 + str(number): A for number in range(10_000)}
    large = ModelBytes("m", "m", {"dirHash": A}, many)
    assert "files" not in about(large, source="lab", files=True)["annotations"]
    single = ModelBytes("m", "m", {"sha256": A}, FILES)
    assert "files" not in about(single, source="lab", files=True)["annotations"]


def _slsa(run: Record, models: dict[str, ModelBytes], files: Record | None = None) -> Any:
    return slsa(
        run,
        models,
        {"ds": A},
        files,
        source="lab",
        server_version="3.17.2",
        observed_at="2026-03-09T02:00:31.500000Z",
    )


def test_slsa_provenance() -> None:
    run = _run(
        params=pairs(lr="0.1", password="hunter2"),
        tags=pairs(
            mlflow__source__name="train.py",
            mlflow__source__type="LOCAL",
            mlflow__source__git__commit=COMMIT,
            mlflow__source__git__repoURL="https://u:hunter2@git.example/x",
            mlflow__docker__image__name="img:1",
        ),
        metrics=[{"key": "acc", "value": 0.5}],
        datasets=[dataset()],
        models_out=[MODEL_ID, "m-failed"],
    )
    listed = [FileFound("plot.png", 1, C), FileFound("big", 2**41, None, "too large")]
    files = records.files("run-files", RUN_ID, "child", listed, ended=True)
    subjects, predicate = _slsa(run, {MODEL_ID: CLF}, files)
    assert subjects == [
        {
            "name": f"lab/logged-model/{MODEL_ID}",
            "digest": {"dirHash": FOLDER},
            "downloadLocation": f"mlflow://lab/models/{MODEL_ID}",
            "annotations": {"role": "model", "mlflowModelId": MODEL_ID, "files": FILES},
        }
    ]
    definition, details = predicate["buildDefinition"], predicate["runDetails"]
    assert definition["buildType"] == "urn:lineage:build-type:mlflow-run:v1"
    assert definition["externalParameters"] == {
        "params": {"lr": "0.1", "password": "***"},
        "source": {"name": "train.py", "type": "LOCAL"},
        "commit": COMMIT,
        "experimentId": "1",
        "runName": "child",
    }
    assert definition["internalParameters"] == {"mlflowServer": "3.17.2", "mlflow.docker.image.name": "img:1"}
    assert definition["resolvedDependencies"][0]["digest"] == {"sha256": A}
    assert definition["resolvedDependencies"][1] == {
        "name": "https://***@git.example/x",
        "digest": {"gitCommit": COMMIT},
        "uri": "git+https://***@git.example/x",
        "annotations": {"role": "code"},
    }
    assert details["builder"] == {"id": "urn:lineage:mlflow:lab"}
    assert details["metadata"] == {
        "invocationId": RUN_ID,
        "startedOn": "2026-11-28T13:34:06.862000Z",
        "finishedOn": "2026-11-28T13:34:09.411000Z",
        "observedAt": "2026-03-09T02:00:31.500000Z",
    }
    assert {each["name"]: each["digest"]["sha256"] for each in details["byproducts"]} == {
        "mlflow-run-record": run.digest,
        "mlflow-metrics": run.content["metrics"]["sha256"],
        "mlflow-run-files-record": files.digest,
        "plot.png": C,
    }
    delta = _projected("https://slsa.dev/provenance/v1", subjects, predicate)
    node, model = run_key("urn:lineage:mlflow:lab", RUN_ID, ""), f"dirHash:{FOLDER}"
    assert {edge for edge in edges(delta) if node in edge} == {
        (model, "WAS_GENERATED_BY", node),
        (node, "USED", f"sha256:{A}"),
        (node, "USED", uri_key("git+https://***@git.example/x")),
    }
    assert {edge[0] for edge in edges(delta) if edge[1] == "PART_OF"} == {f"sha256:{A}", f"sha256:{B}"}
    assert ("role", "model") in said_of(delta, model)


def test_slsa_without_digested_outputs_has_no_subjects_and_odd_members_are_left_out() -> None:
    run = _run(start_time=2**60, end_time=None, status="RUNNING", tags=pairs(mlflow__source__git__commit="x"))
    subjects, predicate = _slsa(run, {})
    assert subjects == []
    assert set(predicate["runDetails"]["metadata"]) == {"invocationId", "observedAt"}
    assert predicate["buildDefinition"]["resolvedDependencies"] == []


LONG = "p" * 240


def test_the_largest_run_fits_into_statements() -> None:
    run = _run(
        params=[{"key": f"{LONG}{number}", "value": "\x1f" * 6_000} for number in range(2_000)],
        tags=[{"key": f"{LONG}{number}", "value": "😀" * 8_000} for number in range(600)],
        datasets=[dataset(f"{'d' * 490}{number}", source='{"uri": "s3://b/' + "k" * 800 + f'{number}"}}')
                  for number in range(3_000)],
        models_in=[f"m-{number}" for number in range(30_000)],
        models_out=[MODEL_ID, *(f"n-{number}" for number in range(6_000))],
    )  # fmt: skip
    found = used(run, {}, {}, source="lab")
    assert found[-1]["name"].endswith("more, which do not fit into a statement")
    assert found[-1]["uri"] == f"urn:lineage:mlflow:lab:run:{RUN_ID}:used"
    many = {f"{LONG}{number}": A for number in range(6_000)}
    models = {MODEL_ID: ModelBytes(MODEL_ID, "clf", {"dirHash": dir_hash(many)}, many)}
    listed = [FileFound(f"{LONG}/{number}", number, C) for number in range(100_000)]
    files = records.files("run-files", RUN_ID, "child", listed, ended=True)
    subjects, predicate = _slsa(run, models, files)
    _projected("https://slsa.dev/provenance/v1", subjects, predicate)
    made = generated(run, models, source="lab")
    record = records.run_lineage(run, found, made)
    _observed(record, used=found, generated=made)
    _observed(run, changes=diff(_run().content, run.content), gaps=["code-unrecorded"])
    _observed(
        files, changes=diff(records.files("run-files", RUN_ID, "", [], ended=True).content, files.content)
    )


@pytest.mark.parametrize("length", [10, 60, 100, 130, 250])
def test_the_largest_models_fit_into_statements(length: int) -> None:
    many = {f"{number:06}".ljust(length, "ü"): A for number in range(20_000)}
    model = ModelBytes(MODEL_ID, "clf", {"dirHash": dir_hash(many)}, many)
    listed = [FileFound(path, 10**12, digest) for path, digest in many.items()]
    record = records.files("logged-model-files", MODEL_ID, "clf", listed, ended=True)
    before = records.files("logged-model-files", MODEL_ID, "clf", [], ended=True)
    for with_files in (False, True):
        delta = _observed(
            record,
            about=[about(model, source="lab", files=with_files)],
            changes=diff(before.content, record.content),
        )
        parts = {edge.source for edge in delta.edges if edge.type == "PART_OF"}
        assert parts == ({f"sha256:{A}"} if len(record.content["files"]) == 20_000 else set())


def _observed(record: Record, **members: Any) -> Any:
    changes = [
        {"field": each.field, "name": each.name, "before": each.before, "after": each.after}
        for each in members.pop("changes", ())
    ]
    predicate = {
        "source": "lab",
        "object": {"kind": record.kind, "id": record.id, "state": record.state, "name": record.name},
        "observedAt": "2026-03-09T02:00:31.5Z",
        "record": record.content,
        "changes": changes,
        **members,
    }
    subject = {"name": "x", "digest": {"sha256": record.digest}}
    return _projected("urn:lineage:predicate:mlflow-observation:v1", [subject], predicate)
