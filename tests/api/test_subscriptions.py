"""`/api/v1/subscriptions`: added, listed, paused, tried, removed; a secret is told once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from lineage import config
from lineage.db.models import Subscription
from tests.conftest import Api, problem
from tests.hostile_http import answer, hostile
from tests.webhooks import head_and_body, verified

HOOK = {"kind": "webhook", "target": "https://hooks.example.com/lineage"}


@pytest.fixture(autouse=True)
def configured(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("LINEAGE_PRIVATE_NETWORKS", "127.0.0.0/8")
    config.current.cache_clear()
    yield
    config.current.cache_clear()


def test_from_beginning_to_end(api: Api) -> None:
    made = api.post("/api/v1/subscriptions", HOOK)
    assert made.status_code == 201
    assert made["Cache-Control"] == "no-store"
    record, secret = made.json()["subscription"], made.json()["secret"]
    address = f"/api/v1/subscriptions/{record['id']}"
    assert made["Location"] == address
    assert secret.startswith("whsec_")
    assert record["state"] == "telling"
    assert api.get(address).json() == record
    assert api.get("/api/v1/subscriptions").json() == {"subscriptions": [record]}
    assert secret not in Subscription.objects.get().secret_box
    for paused, state in ((True, "paused"), (False, "telling")):
        body = json.dumps({"paused": paused})
        changed = api.http.patch(address, body, content_type="application/json")
        assert changed.json()["state"] == state
    assert api.http.delete(address).json() == record
    assert problem(api.get(address)) == (404, "not-found")
    assert api.get("/api/v1/subscriptions").json() == {"subscriptions": []}


def test_a_test_message_is_signed_with_the_secret(api: Api) -> None:
    with hostile(answer(b"thanks")) as server:
        made = api.post("/api/v1/subscriptions", {"kind": "webhook", "target": f"{server.url}/hook"}).json()
        tried = api.post(f"/api/v1/subscriptions/{made['subscription']['id']}/test").json()
        assert (tried["ok"], tried["reason"]) == (True, "")
        told = verified(server.requests[0], made["secret"])
        assert head_and_body(server.requests[0])[0]["content-type"] == "application/json"
    assert told["type"] == "lineage.test"


def test_the_same_twice_is_a_conflict(api: Api) -> None:
    api.post("/api/v1/subscriptions", HOOK)
    assert problem(api.post("/api/v1/subscriptions", HOOK)) == (409, "conflict")


@pytest.mark.parametrize(
    "body",
    [
        {}, {"kind": "webhook"}, {"kind": "pager", "target": "1"}, {"kind": "webhook", "target": "x"},
        {**HOOK, "secret": "mine"}, {"kind": "email", "target": "team@example.com"},
        {"kind": "webhook", "target": "https://192.168.0.1/"}, [],
    ],
    ids=["empty", "no-target", "other-kind", "no-url", "more", "no-mail-server", "private", "list"],
)  # fmt: skip
def test_what_is_wrong_is_refused(api: Api, body: object) -> None:
    assert problem(api.post("/api/v1/subscriptions", body)) == (400, "malformed")


def test_mail_without_a_server_says_what_to_set(api: Api) -> None:
    refused = api.post("/api/v1/subscriptions", {"kind": "email", "target": "team@example.com"}).json()
    assert "no mail server is configured" in refused["detail"]
    assert "LINEAGE_EMAIL_URL" in refused["hint"]


def test_only_who_may_decide_sees_or_changes_them(as_scope: Callable[..., Api]) -> None:
    for scopes in (("read",), ("operate",), ("attest", "check")):
        api = as_scope(*scopes)
        assert problem(api.get("/api/v1/subscriptions")) == (403, "forbidden")
        assert problem(api.post("/api/v1/subscriptions", HOOK)) == (403, "forbidden")
    assert problem(as_scope().get("/api/v1/subscriptions")) == (401, "unauthenticated")


@pytest.mark.parametrize("number", ["0", "99", str(2**63), str(2**80)])
def test_one_that_is_not_there(api: Api, number: str) -> None:
    for path in (f"/api/v1/subscriptions/{number}", f"/api/v1/subscriptions/{number}/test"):
        answered = api.post(path) if path.endswith("test") else api.get(path)
        assert problem(answered) == (404, "not-found")


def test_other_methods(api: Api) -> None:
    assert problem(api.http.put("/api/v1/subscriptions")) == (405, "method-not-allowed")
    assert problem(api.get("/api/v1/subscriptions/1/test")) == (405, "method-not-allowed")
