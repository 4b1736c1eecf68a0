"""GET /api/v1/nodes/{key}/observations: what was seen on MLflow, of runs and of models."""

from __future__ import annotations

from collections.abc import Callable

from lineage.db.models import Entry
from tests.conftest import Api, problem
from tests.observing import Observing, folder_key, run_node

FILES = {"MLmodel": "flavors", "model.pkl": "weights"}


def url(key: str) -> str:
    return f"/api/v1/nodes/{key}/observations"


def test_a_run_that_was_changed_after_it_finished(api: Api, graph: Callable[[], int]) -> None:
    lab = Observing()
    first = lab.run("r1")
    second = lab.run("r1", tags={"late": "yes"}, gaps=["code-unrecorded"])
    size = graph()
    answer = api.get(url(run_node("r1"))).json()
    assert (answer["key"], answer["tree_size"], answer["older"]) == (run_node("r1"), size, 0)
    newest, oldest = answer["observations"]
    assert (newest["index"], newest["after_end"], newest["gaps"]) == (second, True, ["code-unrecorded"])
    assert newest["changes"] == [{"field": "tags", "name": "late", "before": None, "after": "yes"}]
    assert newest["digest"] == "sha256:" + Entry.objects.get(index=second).envelope_digest
    assert (oldest["index"], oldest["first"], oldest["changes"]) == (first, True, [])
    assert api.get(f"/api/v1/attestations/{newest['digest']}").status_code == 200

    one = api.get(url(run_node("r1")), limit=1).json()
    assert ([each["index"] for each in one["observations"]], one["older"]) == ([second], 1)
    then = api.get(url(run_node("r1")), as_of=second).json()
    assert [each["index"] for each in then["observations"]] == [first]
    assert problem(api.get(url(run_node("r1")), as_of=first)) == (404, "not-found")


def test_a_model_says_when_it_was_champion(api: Api, graph: Callable[[], int]) -> None:
    lab = Observing()
    lab.model("m-1", FILES)
    lab.version("fraud", "1", "m-1", FILES)
    named = lab.registered("fraud", {"champion": "1"})
    over = lab.registered("fraud", {})
    graph()
    (found,) = api.get(url(folder_key(FILES))).json()["registrations"]
    assert (found["source"], found["model"], found["version"], found["state"]) == (
        "lab",
        "fraud",
        "1",
        "present",
    )
    (spell,) = found["history"]["spells"]
    assert (spell["alias"], spell["from_index"], spell["to_index"]) == ("champion", named, over)
    (lasting,) = api.get(url(folder_key(FILES)), as_of=over).json()["registrations"][0]["history"]["spells"]
    assert (lasting["to_index"], lasting["to_at"]) == (None, "")


def test_gaps_of_a_run_are_in_its_node_record(api: Api, graph: Callable[[], int]) -> None:
    Observing().run("r1", gaps=["uncommitted-code"])
    graph()
    gaps = api.get(f"/api/v1/nodes/{run_node('r1')}").json()["gaps"]
    assert "uncommitted-code" in {gap["slug"] for gap in gaps}
