"""GET /api/v1/decisions."""

from __future__ import annotations

from tests import factories
from tests.conftest import Api

URL = "/api/v1/decisions"


def test_who_decided_what(api: Api) -> None:
    signer = factories.registered(name="ci")
    factories.revoke(signer, reason="lost")
    answer = api.get(URL).json()
    assert answer["tree_size"] == 3
    assert [row["action"] for row in answer["decisions"]] == ["revoke-key", "register-key", "bootstrap"]
    newest = answer["decisions"][0]
    assert newest["person"] == factories.PERSON
    assert newest["body"]["reason"] == "lost"
    assert newest["subjects"] == [{"name": "ci", "digest": {"sha256": signer.key_id}}]
    assert api.get(f"/api/v1/attestations/{newest['digest']}").json()["index"] == newest["index"]


def test_pages_and_moments(api: Api) -> None:
    factories.registered()
    first = api.get(URL, limit=1).json()
    second = api.get(URL, limit=1, after=first["next"]).json()
    assert [row["index"] for row in (*first["decisions"], *second["decisions"])] == [1, 0]
    assert second["next"] is None
    assert [row["index"] for row in api.get(URL, as_of=1).json()["decisions"]] == [0]
    assert api.get(URL, as_of=0).json()["decisions"] == []
