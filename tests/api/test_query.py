"""Query parameters: strict, so that a misspelt filter never gives a wider answer."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.conftest import Api, problem

BAD = [
    ("keys", "as_off=1"),
    ("keys", "as_of=1&as_of=2"),
    ("keys", "as_of=yesterday"),
    ("keys", "as_of=999999"),
    ("keys", "as_of=-1"),
    ("keys", "as_of=2999-01-01"),
    ("keys", "as_of=2026-13-01"),
    ("attestations", "limit=0"),
    ("attestations", "limit=1001"),
    ("attestations", "limit=ten"),
    ("attestations", "limit=%D9%A1"),
    ("attestations", "trust=much"),
    ("attestations", "after=nothing"),
    ("attestations", "signr=00"),
    ("nodes", "status=good"),
    ("nodes", "tainted=perhaps"),
    ("nodes/sha256:00/ancestors", "depth=0"),
    ("nodes/sha256:00/ancestors", "depth=10001"),
    ("nodes/sha256:00/descendants", "edge=MADE"),
    ("nodes/sha256:00/descendants", "kind=thing"),
    ("paths", "from=sha256:00"),
    ("paths", "to=sha256:00"),
    ("paths", "from=x&to=y"),
    ("decisions", "after=x"),
    ("refusals", "slug=bad"),
    ("refusals", "as_of=1"),
]


@pytest.mark.parametrize(("path", "query"), BAD)
def test_a_parameter_that_is_wrong(as_scope: Callable[..., Api], path: str, query: str) -> None:
    answer = as_scope("read", "operate").http.get(f"/api/v1/{path}?{query}")
    assert problem(answer) == (400, "malformed")
    assert answer.json()["where"]


@pytest.mark.parametrize("path", ["keys", "attestations", "nodes", "decisions"])
def test_a_blank_parameter_is_an_absent_one(as_scope: Callable[..., Api], path: str) -> None:
    client = as_scope("read")
    assert client.get(f"/api/v1/{path}", as_of="").json() == client.get(f"/api/v1/{path}").json()
