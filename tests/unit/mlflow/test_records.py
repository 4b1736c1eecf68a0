"""Records of what MLflow answers: what stands in them, what they hide, that they fit, what is refused."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.errors import MalformedError
from lineage.mlflow import fitting, records
from lineage.mlflow.provenance import used
from lineage.mlflow.records import FileFound, Record
from lineage.trust import canonical, strictjson
from lineage.trust.digest import sha256_hex
from tests.unit.mlflow.answering import (
    COMMIT,
    MODEL_ID,
    RUN_ID,
    a_model,
    a_run,
    a_version,
    dataset,
    pairs,
)


def test_a_run() -> None:
    record = records.run(
        a_run(
            params=pairs(lr="0.1", password="hunter2"),
            tags=pairs(
                mlflow__parentRunId="p" * 32,
                mlflow__source__name="train.py",
                mlflow__source__type="LOCAL",
                mlflow__source__git__commit=COMMIT,
                mlflow__source__git__branch="main",
                mlflow__source__git__repoURL="https://u:hunter2@git.example/x",
            ),
            metrics=[{"key": "acc", "value": 0.5, "timestamp": 7, "step": 3}],
            datasets=[dataset(source='{"url": "https://u:hunter2@data.example/x.csv"}')],
            models_in=["m-b", "m-a", "m-b"],
            models_out=[MODEL_ID],
        )
    )
    assert (record.kind, record.id, record.state, record.name, record.ended) == (
        "run",
        RUN_ID,
        "present",
        "child",
        True,
    )
    content = copy.deepcopy(record.content)
    assert len(content.pop("metrics").pop("sha256")) == 64
    assert len(content["datasets"][0].pop("schema_sha256")) == 64
    assert content == {
        "kind": "run",
        "id": RUN_ID,
        "state": "present",
        "name": "child",
        "ended": True,
        "experiment_id": "1",
        "status": "FINISHED",
        "user": "ada",
        "start_time": 1_795_872_846_862,
        "end_time": 1_795_872_849_411,
        "artifact_uri": f"mlflow-artifacts:/1/{RUN_ID}/artifacts",
        "parent": "p" * 32,
        "source": {
            "name": "train.py",
            "type": "LOCAL",
            "commit": COMMIT,
            "branch": "main",
            "repo": "https://***@git.example/x",
        },
        "params": {"lr": "0.1", "password": "***"},
        "tags": {
            "mlflow.parentRunId": "p" * 32,
            "mlflow.source.name": "train.py",
            "mlflow.source.type": "LOCAL",
            "mlflow.source.git.commit": COMMIT,
            "mlflow.source.git.branch": "main",
            "mlflow.source.git.repoURL": "https://***@git.example/x",
        },
        "datasets": [
            {
                "name": "ds",
                "digest": "300830b9",
                "source_type": "http",
                "source": '{"url": "https://***@data.example/x.csv"}',
                "context": "training",
            }
        ],
        "models_in": ["m-a", "m-b"],
        "models_out": [{"id": MODEL_ID, "step": 0}],
    }


def test_a_run_as_runs_get_wraps_it_is_the_same() -> None:
    raw = a_run(params=pairs(a="1"))
    assert records.run({"run": raw}) == records.run(raw)
    assert records.run({"run": raw}).digest == records.run(raw).digest


@pytest.mark.parametrize(
    ("info", "state", "ended"),
    [
        ({"status": "RUNNING", "end_time": None}, "present", False),
        ({"status": "SCHEDULED"}, "present", False),
        ({"status": "FAILED"}, "present", True),
        ({"status": "KILLED", "lifecycle_stage": "deleted"}, "deleted", True),
        ({"status": "RUNNING", "lifecycle_stage": "deleted"}, "deleted", False),
        ({"status": None, "lifecycle_stage": None}, "present", False),
    ],
)
def test_states_of_runs(info: dict[str, Any], state: str, ended: bool) -> None:
    record = records.run(a_run(**info))
    assert (record.state, record.ended) == (state, ended)


def test_order_and_what_moves_without_meaning_change_nothing() -> None:
    first = a_run(
        params=pairs(a="1", b="2"),
        metrics=[{"key": "x", "value": 1.0}, {"key": "y", "value": 2}],
        models_in=["m-1", "m-2"],
    )
    second = a_run(
        params=pairs(b="2", a="1"),
        metrics=[{"key": "y", "value": 2.0}, {"key": "x", "value": 1}],
        models_in=["m-2", "m-1"],
    )
    assert records.run(first).digest == records.run(second).digest


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw["info"].update(status="FAILED"),
        lambda raw: raw["info"].update(end_time=5),
        lambda raw: raw["info"].update(run_name="other"),
        lambda raw: raw["info"].update(lifecycle_stage="deleted"),
        lambda raw: raw["info"].update(user_id="eve"),
        lambda raw: raw["info"].update(artifact_uri="mlflow-artifacts:/2"),
        lambda raw: raw["data"].update(params=pairs(a="2")),
        lambda raw: raw["data"].update(tags=pairs(late="yes")),
        lambda raw: raw["data"]["metrics"][0].update(value=0.6),
        lambda raw: raw["data"]["metrics"][0].update(step=4),
        lambda raw: raw["data"]["metrics"][0].update(timestamp=8),
        lambda raw: raw["data"]["metrics"].append({"key": "zz", "value": 1}),
        lambda raw: raw["inputs"]["dataset_inputs"].append(dataset("late")),
        lambda raw: raw["inputs"]["dataset_inputs"][0]["dataset"].update(source="{}"),
        lambda raw: raw["inputs"]["dataset_inputs"][0]["dataset"].update(schema="x"),
        lambda raw: raw["inputs"]["dataset_inputs"][0]["tags"][0].update(value="eval"),
        lambda raw: raw["inputs"].update(model_inputs=[{"model_id": "m-2"}]),
        lambda raw: raw["outputs"].update(model_outputs=[{"model_id": MODEL_ID, "step": 1}]),
    ],
)
def test_every_change_that_matters_changes_the_digest(change: Callable[[Any], None]) -> None:
    raw = a_run(
        params=pairs(a="1"),
        metrics=[{"key": "acc", "value": 0.5, "timestamp": 7, "step": 3}],
        datasets=[dataset()],
        models_out=[MODEL_ID],
    )
    other = copy.deepcopy(raw)
    change(other)
    assert records.run(raw).digest != records.run(other).digest


def test_numbers_that_json_lacks_or_readers_disagree_on_are_texts() -> None:
    metrics: list[dict[str, Any]] = [
        {"key": "nan", "value": "NaN"},
        {"key": "nan2", "value": float("nan")},
        {"key": "inf", "value": float("inf")},
        {"key": "ninf", "value": -1.7976931348623157e308},
        {"key": "big", "value": 2**60, "step": 2**60, "timestamp": "9223372036854775807"},
        {"key": "edge", "value": 2**53 - 1},
        {"key": "zero", "value": -0.0},
    ]
    record = records.run(a_run(metrics=metrics, start_time=2**60))
    values = {name: each["value"] for name, each in record.content["metrics"]["values"].items()}
    assert values == {
        "nan": "NaN",
        "nan2": "NaN",
        "inf": "Infinity",
        "ninf": "-1.7976931348623157e+308",
        "big": "1.152921504606847e+18",
        "edge": 2**53 - 1,
        "zero": 0,
    }
    assert record.content["metrics"]["values"]["big"]["step"] == str(2**60)
    assert record.content["metrics"]["values"]["big"]["timestamp"] == "9223372036854775807"
    assert record.content["start_time"] == str(2**60)
    assert len(record.digest) == 64


def test_nul_and_half_surrogates_are_shown() -> None:
    record = records.run(a_run(tags=[{"key": "a\0", "value": "b\0\ud800"}], run_name="x\udfff"))
    assert record.content["tags"] == {"a\u2400": "b\u2400\\ud800"}
    assert record.name == "x\\udfff"


def test_a_long_text_stands_as_its_digest_and_its_beginning() -> None:
    text = "ü" * 8_000
    record = records.run(a_run(tags=pairs(long=text, short="ü" * 1_000)))
    assert record.content["tags"]["short"] == "ü" * 1_000
    assert record.content["tags"]["long"] == {
        "sha256": sha256_hex(text.encode()),
        "characters": 8_000,
        "begins": "ü" * 200,
    }
    other = records.run(a_run(tags=pairs(long=text[:-1] + "u", short="ü" * 1_000)))
    assert other.digest != record.digest


def test_a_secret_in_a_long_text_is_masked_before_it_is_hashed() -> None:
    texts = [f"{'x' * 2_000} password={secret}" for secret in ("hunter2", "letmein")]
    first, second = (records.run(a_run(tags=pairs(long=text))) for text in texts)
    assert first.digest == second.digest


@pytest.mark.parametrize(
    "source",
    [
        r'{"url": "https:\/\/u:hunter2@h\/x"}',
        r'{"url": "https:\u002f\u002fu:hunter2\u0040h/x"}',
        r'{"url": "https://u:hunter2\u0040h/x", "more": [{"passw\u006frd": "hunter2"}]}',
        r'{"url": "https://u:hunter2@h/x\ud800\u0000"}',
        r'{"url": "https://u:hunter2@h/x", broken \"',
    ],
)
def test_escapes_in_a_source_hide_no_secret(source: str) -> None:
    record = records.run(a_run(datasets=[dataset(source=source)]))
    assert "hunter2" not in json.dumps(record.content)
    (found,) = used(record, {}, {}, source="lab")
    assert "hunter2" not in json.dumps(found)
    assert canonical.encode(found)


def test_names_that_become_equal_are_kept_apart() -> None:
    both = [{"key": "a\0", "value": "1"}, {"key": "a\u2400", "value": "2"}]
    assert records.run(a_run(tags=both)).content["tags"] == {"a\u2400": "1", "a\u2400 (2)": "2"}


def test_metrics_beyond_the_first_are_in_the_digest() -> None:
    many = [{"key": f"m{number:04}", "value": number} for number in range(2_000)]
    content = records.run(a_run(metrics=many)).content["metrics"]
    assert (content["count"], len(content["values"])) == (2_000, 200)
    many[1_999]["value"] = -1
    assert records.run(a_run(metrics=many)).content["metrics"]["sha256"] != content["sha256"]


@pytest.mark.parametrize(
    "raw",
    [
        a_run(params=[{"key": f"p{number}", "value": "\u001f" * 6_000} for number in range(2_000)]),
        a_run(tags=[{"key": "k" * 240 + str(number), "value": "😀" * 8_000} for number in range(3_000)]),
        a_run(tags=[{"key": f"{number}", "value": "x"} for number in range(200_000)]),
        a_run(datasets=[dataset(f"d{number}", source="s" * 60_000) for number in range(500)]),
        a_run(models_in=[f"m-{number:032}" for number in range(100_000)]),
        a_run(run_name="n" * 1_000_000, user_id="u" * 3_000_000),
    ],
    ids=["params", "tags", "small tags", "datasets", "models", "texts"],
)
def test_whatever_users_wrote_fits_into_an_envelope(raw: dict[str, Any]) -> None:
    record = records.run(raw)
    assert len(canonical.encode(record.content)) <= fitting.MAX_RECORD_BYTES
    assert len(record.name) <= 500
    changed = copy.deepcopy(raw)
    for many in (changed["data"].get("tags"), changed["data"].get("params")):
        if many:
            many[-1]["value"] = "y" + many[-1]["value"][1:]
            assert records.run(changed).digest != record.digest


def test_files() -> None:
    found = [
        FileFound("b#ü.bin", 5, "ab" * 32),
        FileFound("a/empty", 0, "cd" * 32),
        FileFound("big", 2**41, None, "over the limit of 1 TiB"),
        FileFound("odd\0\udc80"),
    ]
    record = records.files("run-files", RUN_ID, "child", found, ended=True)
    assert record.content["files"] == {
        "a/empty": {"size": 0, "sha256": "cd" * 32},
        "b#ü.bin": {"size": 5, "sha256": "ab" * 32},
        "big": {"size": 2**41, "reason": "over the limit of 1 TiB"},
        "odd\u2400\\udc80": {},
    }
    assert records.files("run-files", RUN_ID, "child", found[::-1], ended=True).digest == record.digest
    with pytest.raises(MalformedError):
        records.files("run-files", RUN_ID, "child", [*found, found[0]], ended=True)


def test_many_files_fit_too() -> None:
    some = [FileFound(f"layer/{number:05}.bin", number, "ab" * 32) for number in range(20_000)]
    assert len(records.files("logged-model-files", MODEL_ID, "", some, ended=True).content["files"]) == 20_000
    many = [FileFound("d/" * 60 + f"{number:06}", number, "ab" * 32) for number in range(100_000)]
    record = records.files("logged-model-files", MODEL_ID, "", many, ended=True)
    assert record.content["files"]["count"] == 100_000
    assert len(canonical.encode(record.content)) <= fitting.MAX_FILES_BYTES
    many[-1] = FileFound(many[-1].path, 0, "ef" * 32)
    assert records.files("logged-model-files", MODEL_ID, "", many, ended=True).digest != record.digest


@pytest.mark.parametrize(
    ("status", "word", "ended"),
    [
        ("LOGGED_MODEL_READY", "READY", True),
        ("READY", "READY", True),
        (2, "READY", True),
        ("LOGGED_MODEL_UPLOAD_FAILED", "UPLOAD_FAILED", True),
        ("LOGGED_MODEL_PENDING", "PENDING", False),
        (None, None, False),
    ],
)
def test_logged_models(status: Any, word: str | None, ended: bool) -> None:
    record = records.logged_model({"model": a_model(status=status)})
    assert (record.id, record.name, record.ended) == (MODEL_ID, "clf", ended)
    assert record.content["status"] == word
    assert record.content["run_id"] == RUN_ID
    assert record.content["params"] == {"lr": "0.1"}


def test_registered_models_have_aliases_and_versions_their_model() -> None:
    aliases: list[dict[str, Any]] = [{"alias": "champion", "version": "1"}, {"alias": "new", "version": 2}]
    record = records.registered_model({"name": "reg", "aliases": aliases, "latest_versions": [a_version()]})
    assert record.content["aliases"] == {"champion": "1", "new": "2"}
    version = records.model_version(a_version())
    assert (version.id, version.name) == (f"reg/{1}", "reg/1")
    assert version.content["model_id"] == MODEL_ID
    assert version.content["stage"] == "None"
    assert records.model_version(a_version(aliases=["champion"])).digest == version.digest


@pytest.mark.parametrize(
    ("source", "model_id"),
    [
        ("models:/m-1", "m-1"),
        ("models:/reg/1", ""),
        ("models:/m-1/x", ""),
        ("runs:/a/m-1", ""),
        ("m-1", ""),
        ("", ""),
    ],
)
def test_the_model_that_a_source_names(source: str, model_id: str) -> None:
    assert records.model_of_source(source) == model_id


def test_experiments() -> None:
    record = records.experiment({"experiment_id": "7", "name": "exp", "lifecycle_stage": "deleted"})
    assert (record.kind, record.id, record.state, record.ended) == ("experiment", "7", "deleted", False)


def test_tombstones_name_what_was() -> None:
    before = records.run(a_run())
    record = records.purged(before)
    assert (record.kind, record.id, record.state, record.ended) == ("run", RUN_ID, "purged", True)
    assert record.content["last"] == before.digest
    assert record.content["last_status"] == "FINISHED"
    assert records.purged(records.model_version(a_version())).content["run_id"] == RUN_ID


def test_the_lineage_of_a_run_is_named_by_what_it_says() -> None:
    run = records.run(a_run())
    first = records.run_lineage(run, [{"name": "a", "digest": {}}], [])
    assert (first.kind, first.id, first.ended) == ("run-lineage", RUN_ID, False)
    assert first.digest == records.run_lineage(run, [{"digest": {}, "name": "a"}], []).digest
    assert first.digest != records.run_lineage(run, [], [{"name": "a", "digest": {}}]).digest


ALL: list[Record] = [
    records.run(a_run(metrics=[{"key": "a", "value": 1e20}, {"key": "b", "value": 0.1}])),
    records.logged_model(a_model()),
    records.model_version(a_version()),
    records.registered_model({"name": "reg"}),
    records.experiment({"experiment_id": "7"}),
    records.files("run-files", RUN_ID, "x", [FileFound("a", 1, "ab" * 32)], ended=False),
    records.purged(records.run(a_run())),
]


@pytest.mark.parametrize("record", ALL, ids=lambda record: record.kind)
def test_a_record_is_read_back_from_its_json(record: Record) -> None:
    for written in (json.dumps(record.content).encode(), canonical.encode(record.content)):
        strictjson.check(written, what="record")
        found = records.decode(json.loads(written))
        assert found == record
        assert found.digest == record.digest


@pytest.mark.parametrize("missing", ["kind", "id", "state", "name", "ended"])
def test_what_is_no_record_is_refused(missing: str) -> None:
    content = {**ALL[0].content}
    del content[missing]
    with pytest.raises(MalformedError):
        records.decode(content)


@pytest.mark.parametrize(
    ("raw", "where"),
    [
        ({}, "$"),
        ({"info": {}}, "$.info"),
        ({"info": None}, "$.info"),
        (a_run(run_id=7), "$.info.run_id"),
        (a_run(start_time="soon"), "$.info.start_time"),
        (a_run(start_time=True), "$.info.start_time"),
        (a_run(start_time="9" * 5_000), "$.info.start_time"),
        (a_run(params=[{"key": "a", "value": 7}]), "$.data.params[0].value"),
        (a_run(tags=[{"value": "a"}]), "$.data.tags[0]"),
        (a_run(metrics=[{"key": "a", "value": True}]), "$.data.metrics[0].value"),
        (a_run(metrics=[{"key": "a", "value": []}]), "$.data.metrics[0].value"),
        (a_run(datasets=[{"dataset": []}]), "$.inputs.dataset_inputs[0].dataset"),
        (a_run() | {"data": []}, "$.data"),
    ],
)
def test_hostile_answers_are_malformed_and_say_where(raw: dict[str, Any], where: str) -> None:
    with pytest.raises(MalformedError) as caught:
        records.run(raw)
    assert caught.value.where == where


@pytest.mark.parametrize("run_id", ["", "r" * 401])
def test_ids_are_not_empty_and_not_long(run_id: str) -> None:
    with pytest.raises(MalformedError):
        records.run(a_run(run_id=run_id))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)
MEMBERS = [
    "info",
    "data",
    "inputs",
    "outputs",
    "run_id",
    "params",
    "tags",
    "metrics",
    "dataset_inputs",
    "name",
]


@given(st.dictionaries(st.sampled_from(MEMBERS), JSON, max_size=6), JSON)
def test_any_json_makes_a_record_or_is_malformed(raw: dict[str, Any], info: Any) -> None:
    for answer in (raw, {**raw, "info": {"run_id": "r", "experiment_id": info}}, a_run() | raw):
        with contextlib.suppress(MalformedError):
            assert len(records.run(answer).digest) == 64


TEXT = st.text(st.characters(codec=None), max_size=30)


@given(
    st.dictionaries(TEXT.filter(bool), TEXT, max_size=5),
    st.lists(st.tuples(TEXT, st.floats() | st.integers(-(2**80), 2**80)), max_size=5),
)
def test_any_texts_and_numbers_have_a_digest_that_survives_json(
    tags: dict[str, str], metrics: list[tuple[str, float]]
) -> None:
    raw = a_run(
        tags=[{"key": key, "value": value} for key, value in tags.items()],
        metrics=[{"key": key, "value": value} for key, value in metrics],
    )
    record = records.run(raw)
    written = json.dumps(record.content, ensure_ascii=False).encode()
    strictjson.check(written, what="record")
    assert records.decode(json.loads(written)).digest == record.digest
