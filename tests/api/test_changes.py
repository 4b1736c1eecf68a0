"""`GET /api/v1/changes`: the difference of two moments, strictly asked for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests import factories
from tests.conftest import Api
from tests.integration.projections import send


@pytest.fixture
def size(graph: Callable[[], int]) -> int:
    """Entries of a log: its own, a key, three runs of one dataset."""
    who = factories.registered()
    data = factories.artifact("data")
    for number in range(3):
        made = factories.artifact(f"model {number}")
        send(who, factories.provenance([made], [data], invocation=f"run {number}"))
    return graph()


def test_it_tells_what_came_between_two_sizes(api: Api, size: int) -> None:
    told = api.get(f"/api/v1/changes?from={size - 1}&to={size}").json()
    assert (told["before"]["tree_size"], told["after"]["tree_size"]) == (size - 1, size)
    assert told["projected"] == size
    assert told["nodes_added"] == {"artifact": 1, "run": 1}
    assert {(row["kind"], row["before"], row["count"]) for row in told["statuses"]} == {
        ("artifact", "", 1),
        ("run", "", 1),
    }
    assert {node["name"] for node in told["nodes"]} == {"model 2", "run 2"}
    assert [entry["index"] for entry in told["entries"]] == [size - 1]
    assert told["entries_by_kind"] == {"attestation": 1}
    assert told["next"] is None
    assert told["next_entry"] is None


def test_now_beside_yesterday_is_the_default(api: Api, size: int) -> None:
    told = api.get("/api/v1/changes").json()
    assert told["before"]["tree_size"] == 0
    assert told["after"]["tree_size"] == size
    assert told["entries_total"] == size


def test_its_pages_have_each_node_once(api: Api, size: int) -> None:
    keys, after = list[str](), ""
    while True:
        told = api.get(f"/api/v1/changes?from=0&limit=2&after={after}").json()
        keys += [node["key"] for node in told["nodes"]]
        after = told["next"]
        if after is None:
            break
    assert len(keys) == len(set(keys)) == told["total"]


@pytest.mark.parametrize(
    ("query", "where"),
    [
        ("from=3&to=1", "from"),
        ("from=x", "from"),
        ("to=2999-01-01", "to"),
        ("to=99999999", "to"),
        ("after=x", "after"),
        ("after_entry=x", "after"),
        ("limit=0", "limit"),
        ("as_of=3", "as_of"),
    ],
)
def test_what_is_wrong_is_named(api: Api, size: int, query: str, where: str) -> None:
    answer = api.get(f"/api/v1/changes?{query}")
    assert answer.status_code == 400
    assert answer.json()["where"] == where
