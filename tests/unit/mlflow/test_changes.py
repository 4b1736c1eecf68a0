"""What changed between two records, in words."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.mlflow import records
from lineage.mlflow.changes import MAX_CHANGES, MAX_CHARACTERS, Change, diff
from lineage.mlflow.records import FileFound
from tests.unit.mlflow.answering import MODEL_ID, RUN_ID, a_run, a_version, dataset, pairs

RAW = a_run(
    params=pairs(a="1", password="hunter2"),
    tags=pairs(stage="a"),
    metrics=[{"key": "acc", "value": 0.5, "timestamp": 7, "step": 3}],
    datasets=[dataset()],
    models_out=[MODEL_ID],
)


def test_the_first_record_has_no_changes() -> None:
    assert diff(None, records.run(RAW).content) == ()
    assert diff(records.run(RAW).content, records.run(RAW).content) == ()


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda r: r["data"].update(tags=pairs(stage="b")), Change("tags", "stage", "a", "b")),
        (lambda r: r["data"].update(tags=[]), Change("tags", "stage", "a", None)),
        (
            lambda r: r["data"]["tags"].append({"key": "late", "value": ""}),
            Change("tags", "late", None, ""),
        ),
        (
            lambda r: r["data"]["tags"].append({"key": "token", "value": "hunter2"}),
            Change("tags", "token", None, "***"),
        ),
        (
            lambda r: r["data"]["params"].append({"key": "b", "value": "2"}),
            Change("params", "b", None, "2"),
        ),
        (
            lambda r: r["data"]["metrics"][0].update(value="NaN"),
            Change("metrics", "acc", "0.5 (step 3, time 7)", "NaN (step 3, time 7)"),
        ),
        (lambda r: r["info"].update(status="FAILED"), Change("status", "", "FINISHED", "FAILED")),
        (lambda r: r["info"].update(run_name="new"), Change("name", "", "child", "new")),
        (lambda r: r["info"].update(end_time=9), Change("times", "end_time", "1795872849411", "9")),
        (lambda r: r["info"].update(end_time=None), Change("times", "end_time", "1795872849411", None)),
        (lambda r: r["info"].update(lifecycle_stage="deleted"), Change("state", "", "present", "deleted")),
        (lambda r: r["info"].update(user_id="eve"), Change("user", "", "ada", "eve")),
        (
            lambda r: r["inputs"].update(model_inputs=[{"model_id": "m-9"}]),
            Change("models_in", "m-9", None, "m-9"),
        ),
        (
            lambda r: r["outputs"].update(model_outputs=[]),
            Change("models_out", f"{MODEL_ID} 0", f'{{"id": "{MODEL_ID}", "step": 0}}', None),
        ),
    ],
)
def test_each_kind_of_change_of_a_run(change: Callable[[Any], None], found: Change) -> None:
    raw = copy.deepcopy(RAW)
    change(raw)
    assert diff(records.run(RAW).content, records.run(raw).content) == (found,)


def test_a_password_that_changed_is_no_change() -> None:
    raw = copy.deepcopy(RAW)
    raw["data"]["params"][1]["value"] = "letmein"
    assert diff(records.run(RAW).content, records.run(raw).content) == ()


def test_a_commit_that_a_tag_changed_is_shown_as_tag_and_as_source() -> None:
    raw = copy.deepcopy(RAW)
    raw["data"]["tags"] += pairs(mlflow__source__git__commit="ab" * 20)
    assert diff(records.run(RAW).content, records.run(raw).content) == (
        Change("source", "commit", None, "ab" * 20),
        Change("tags", "mlflow.source.git.commit", None, "ab" * 20),
    )


def test_a_dataset_with_another_source_and_one_that_came_late() -> None:
    raw = copy.deepcopy(RAW)
    raw["inputs"]["dataset_inputs"][0]["dataset"]["source"] = '{"url": "https://u:hunter2@evil.example"}'
    raw["inputs"]["dataset_inputs"].append(dataset("late"))
    late, other = diff(records.run(RAW).content, records.run(raw).content)[::-1]
    assert (other.field, other.name) == ("datasets", "ds 300830b9 training")
    assert other.after is not None
    assert "https://***@evil.example" in other.after
    assert (late.field, late.name, late.before) == ("datasets", "late 300830b9 training", None)


def test_metrics_beyond_those_shown() -> None:
    many = [{"key": f"m{number:04}", "value": 1} for number in range(300)]
    before = records.run(a_run(metrics=many))
    many[299]["value"] = 2
    after = records.run(a_run(metrics=many))
    (change,) = diff(before.content, after.content)
    assert (change.field, change.name) == ("metrics", "")
    assert change.before != change.after
    assert change.after is not None
    assert change.after.startswith("300, sha256 ")


def _files(**digests: str) -> dict[str, Any]:
    found = [FileFound(path, 5, digest * 32) for path, digest in digests.items()]
    return records.files("logged-model-files", MODEL_ID, "clf", found, ended=True).content


def test_files_overwritten_added_and_removed() -> None:
    assert diff(_files(a="aa", b="bb"), _files(a="ac", c="cc")) == (
        Change("files", "a", f"sha256 {'aa' * 32}, 5 bytes", f"sha256 {'ac' * 32}, 5 bytes"),
        Change("files", "b", f"sha256 {'bb' * 32}, 5 bytes", None),
        Change("files", "c", None, f"sha256 {'cc' * 32}, 5 bytes"),
    )
    large = [FileFound("a", 10**12, None, "over the limit")]
    after = records.files("logged-model-files", MODEL_ID, "clf", large, ended=True).content
    assert diff(_files(a="aa"), after)[0].after == "not hashed, 1,000,000,000,000 bytes, over the limit"


def test_lists_that_are_cut_are_compared_by_digest_and_by_what_is_shown() -> None:
    many = [FileFound("d/" * 60 + f"{number:06}", number, "ab" * 32) for number in range(60_000)]
    before = records.files("run-files", RUN_ID, "", many, ended=True).content
    many[0] = FileFound(many[0].path, 7, "ab" * 32)
    after = records.files("run-files", RUN_ID, "", many, ended=True).content
    whole, one = diff(before, after)
    assert (whole.field, whole.name) == ("files", "")
    assert whole.before != whole.after
    assert one.name == many[0].path
    few = records.files("run-files", RUN_ID, "", many[:3], ended=True).content
    assert diff(few, after)[0].before == "3"
    assert diff(after, few)[0].after == "3"


def test_aliases_that_move() -> None:
    one, two = (
        records.registered_model({"name": "reg", "aliases": [{"alias": "champion", "version": each}]})
        for each in ("1", "2")
    )
    none = records.registered_model({"name": "reg"})
    assert diff(one.content, two.content) == (Change("aliases", "champion", "1", "2"),)
    assert diff(two.content, none.content) == (Change("aliases", "champion", "2", None),)


def test_stages_and_descriptions_of_versions() -> None:
    before = records.model_version(a_version())
    after = records.model_version(a_version(current_stage="Production", description="good"))
    assert diff(before.content, after.content) == (
        Change("stage", "", "None", "Production"),
        Change("description", "", None, "good"),
    )


def test_gone_and_there_again() -> None:
    run = records.run(RAW)
    gone = records.purged(run)
    assert diff(run.content, gone.content) == (Change("state", "", "present", "purged"),)
    assert diff(gone.content, run.content) == (Change("state", "", "purged", "present"),)


def test_long_values_are_cut_and_long_texts_told_by_digest() -> None:
    raw = copy.deepcopy(RAW)
    raw["data"]["tags"] = pairs(stage="x" * 900, long="y" * 5_000)
    long, stage = diff(records.run(RAW).content, records.run(raw).content)
    assert stage.after is not None
    assert len(stage.after) == 500
    assert stage.after.endswith("…")
    assert long.after is not None
    assert "5,000 characters, sha256 " in long.after


def test_a_difference_far_inside_of_a_text_is_shown() -> None:
    before, after = ({"params": {"a": f"{'x' * 700}{end}"}} for end in ("1", "2"))
    (change,) = diff(before, after)
    assert change == Change("params", "a", f"…{'x' * 100}1", f"…{'x' * 100}2")


def test_at_most_so_many_changes_and_the_rest_counted() -> None:
    many = a_run(tags=[{"key": f"t{number:04}", "value": "x"} for number in range(2_000)])
    found = diff(records.run(a_run()).content, records.run(many).content)
    assert len(found) == MAX_CHANGES
    assert found[-1] == Change("more", "", None, "1,501 more changes")
    long = a_run(tags=[{"key": "k" * 240 + str(number), "value": "x" * 500} for number in range(2_000)])
    found = diff(records.run(a_run()).content, records.run(long).content)
    assert sum(len(each.name) + len(each.after or "") for each in found) <= MAX_CHARACTERS + 100
    assert found[-1].field == "more"


VALUES = st.none() | st.integers() | st.text(max_size=5) | st.lists(st.text(max_size=3), max_size=2)
CONTENT = st.dictionaries(
    st.sampled_from(
        ["tags", "params", "metrics", "datasets", "models_in", "files", "aliases", "state", "times", "x"]
    ),
    st.dictionaries(st.text(max_size=3), VALUES, max_size=3) | VALUES,
    max_size=5,
)


@given(CONTENT, CONTENT)
def test_any_two_contents_can_be_compared(before: dict[str, Any], after: dict[str, Any]) -> None:
    found = diff(before, after)
    assert diff(before, copy.deepcopy(before)) == ()
    assert all(each.before != each.after for each in found)
    assert msgspec.to_builtins(found) is not None
