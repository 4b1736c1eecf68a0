"""/api/v1/sources and the webhook of MLflow: configuration in, never a secret out."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from lineage import config
from lineage.db.models import Job, Source
from lineage.services import sources, webhooks
from lineage.services.clock import now_us
from lineage.services.source_values import SourceValues
from tests.certificates import issue
from tests.conftest import Api, problem

URL = "/api/v1/sources"
HOOK = "/api/v1/interop/mlflow/lab"
SECRET, OTHER, SIGNS = "first-secret-value", "second-secret-value", "webhook-secret-value-0123"


def new(**values: Any) -> dict[str, Any]:
    return {"name": "lab", "url": "https://mlflow.example.com", **values}


def patch(api: Api, form: Any, name: str = "lab") -> Any:
    return api.http.patch(f"{URL}/{name}", json.dumps(form), content_type="application/json")


def test_a_source_is_added_read_changed_and_removed(api: Api) -> None:
    answer = api.post(URL, new(auth="basic", username="ann", secret=SECRET))
    assert (answer.status_code, answer["Location"]) == (201, f"{URL}/lab")
    record = answer.json()
    assert (record["name"], record["auth"], record["username"], record["has_secret"]) == (
        "lab", "basic", "ann", True
    )  # fmt: skip
    assert record["created_by"].startswith("token:")
    assert record["sync"]["state"] == "waiting"
    listed = api.get(URL).json()
    assert listed["sources"] == [record]
    assert [each["name"] for each in listed["locations"]] == ["mlflow-lab"]
    assert api.get(f"{URL}/lab").json() == {"source": record, "problems": []}
    changed = patch(api, {"poll_seconds": 60, "paused": True})
    assert changed.status_code == 200
    assert changed.json() == {
        **record, "poll_seconds": 60, "paused": True, "sync": {**record["sync"], "state": "paused"}
    }  # fmt: skip
    assert sources.settings_of(Source.objects.get()).secret == SECRET
    removed = api.http.delete(f"{URL}/lab")
    assert (removed.status_code, removed.json()) == (200, changed.json())
    assert problem(api.get(f"{URL}/lab")) == (404, "not-found")


def test_no_secret_is_in_any_answer_or_log(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    mine = issue("lineage")
    hidden = {"secret": SECRET, "client_key_pem": mine.key_pem, "webhook_secret": SIGNS}
    made = api.post(URL, new(auth="token", client_certificate_pem=mine.pem, **hidden))
    answers = [
        made,
        api.get(URL),
        api.get(f"{URL}/lab"),
        patch(api, {"secret": OTHER}),
        patch(api, {"secret": f"{SECRET}\n"}),
        patch(api, {"secret": [SECRET]}),
        patch(api, {"client_key_pem": mine.key_pem[:-40]}),
        patch(api, {"webhook_secret": SIGNS[:9]}),
        patch(api, {"url": f"https://ann:{SECRET}@mlflow.example.com"}),
        patch(api, {"url": "https://other.example.com"}),
        api.post(URL, new(auth="token", **hidden)),
        api.http.delete(f"{URL}/lab"),
    ]
    assert [answer.status_code for answer in answers] == [
        201, 200, 200, 200, 400, 400, 400, 400, 400, 400, 400, 200
    ]  # fmt: skip
    told = caplog.text + "".join(answer.content.decode() + str(answer.headers) for answer in answers)
    for secret in (SECRET, OTHER, SIGNS, SIGNS[:9], mine.key_pem.splitlines()[1]):
        assert secret not in told
    record = made.json()
    assert (record["has_secret"], record["has_webhook_secret"]) == (True, True)
    assert record["client_certificates"][0]["subject"] == "CN=lineage"


@pytest.mark.parametrize(
    ("form", "where"),
    [
        (new(name="Lab"), "name"),
        (new(url="ftp://h"), "url"),
        (new(url="https://u:p@h"), "url"),
        (new(url="https://h?x=1"), "url"),
        (new(proxy="http://u:p@h:1"), "proxy"),
        (new(auth="token"), "secret"),
        (new(auth="basic", secret="x"), "username"),
        (new(auth="oauth"), "$.auth"),
        (new(ca_pem="x"), "ca_pem"),
        (new(client_certificate_pem="x"), "client_certificate_pem"),
        (new(data_roots=["/etc"]), "data_roots"),
        (new(data_roots="/etc"), "$.data_roots"),
        (new(poll_seconds=0), "poll_seconds"),
        (new(poll_seconds=1.5), "$.poll_seconds"),
        (new(max_file_bytes=1 << 63), "max_file_bytes"),
        (new(requests_per_second=True), "$.requests_per_second"),
        (new(webhook_secret="short"), "webhook_secret"),
        ({"name": "lab"}, ""),
        (new(has_secret=True), ""),
    ],
)
def test_what_is_wrong_is_named(api: Api, form: dict[str, Any], where: str) -> None:
    answer = api.post(URL, form)
    assert problem(answer) == (400, "malformed")
    assert answer.json().get("where", "") == where
    assert not Source.objects.exists()


def test_a_name_never_changes_and_is_used_once(api: Api) -> None:
    api.post(URL, new())
    assert problem(api.post(URL, new())) == (409, "conflict")
    assert problem(patch(api, {"name": "other"})) == (400, "malformed")
    assert problem(patch(api, {"paused": True}, "nothing")) == (404, "not-found")
    assert problem(api.http.delete(f"{URL}/nothing")) == (404, "not-found")


def test_a_sync_is_put_in_line(api: Api) -> None:
    api.post(URL, new())
    answer = api.post(f"{URL}/lab/sync", {"sweep": True})
    assert answer.status_code == 202
    job = answer.json()
    assert answer["Location"] == f"/api/v1/jobs/{job['id']}"
    assert (job["kind"], job["key"], job["state"]) == ("sync", "lab", "queued")
    assert Job.objects.get().arguments == {"sweep": True}
    assert api.post(f"{URL}/lab/sync", {"rehash": True}).json()["id"] == job["id"]
    assert Job.objects.get().arguments == {"sweep": True, "rehash": True}
    Job.objects.update(state="running", arguments={})
    assert api.post(f"{URL}/lab/sync", {}).json()["id"] == job["id"]
    assert problem(api.post(f"{URL}/lab/sync", {"sweep": True})) == (409, "conflict")
    assert problem(api.post(f"{URL}/lab/sync", {"everything": True})) == (400, "malformed")
    assert problem(api.post(f"{URL}/nothing/sync", {})) == (404, "not-found")
    patch(api, {"paused": True})
    assert problem(api.post(f"{URL}/lab/sync", {})) == (409, "conflict")


def test_a_server_on_a_network_that_nobody_allowed_is_told_by_a_check(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = replace(config.current(), private_networks=())
    monkeypatch.setattr(sources, "current", lambda: nowhere)
    api.post(URL, new(url="http://127.0.0.1:9"))
    answer = api.post(f"{URL}/lab/check")
    assert answer.status_code == 200
    found = answer.json()
    assert (found["ok"], found["version"], found["experiments"]) == (False, "", 0)
    assert found["problem"] == "refused-address"
    assert found["reason"]
    assert problem(api.post(f"{URL}/nothing/check")) == (404, "not-found")


@pytest.fixture
def hooked(api: Api) -> Api:
    """A source whose webhooks have a secret."""
    cache.clear()
    sources.add("lab", SourceValues(url="https://mlflow.example.com", webhook_secret=SIGNS), by="os:tests")
    return api


def deliver(
    content: bytes = b"{}", *, at: float = 0.0, secret: str = SIGNS, address: str = HOOK, **headers: str
) -> Any:
    """A delivery as MLflow signs it, `at` seconds from now; `headers` replace what it sends."""
    delivery, timestamp = (
        headers.get("delivery", "d-1"),
        headers.get("timestamp") or str(now_us() // 10**6 + round(at)),
    )
    signed = f"{delivery}.{timestamp}.".encode() + content
    digest = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
    sent = {
        "X-MLflow-Delivery-Id": delivery,
        "X-MLflow-Timestamp": timestamp,
        "X-MLflow-Signature": headers.get("signature", "v1," + base64.b64encode(digest).decode()),
    }
    return Client().post(address, content, content_type="application/json", headers=sent)


def test_a_genuine_webhook_has_the_source_looked_at(hooked: Api) -> None:
    answer = deliver(b'{"entity":"model_version","action":"created","data":{"name":"m\xc3\xa9"}}')
    assert answer.status_code == 202
    job = Job.objects.get()
    assert answer.json() == {"job": job.pk}
    assert (job.kind, job.key, job.arguments, job.requested_by) == ("sync", "lab", {}, "webhook")


def test_a_delivery_is_taken_once(hooked: Api) -> None:
    assert deliver(delivery="a").status_code == 202
    Job.objects.update(state="done")
    assert problem(deliver(delivery="a")) == (409, "conflict")
    assert problem(deliver(b"[]", delivery="a", at=5)) == (409, "conflict")
    assert Job.objects.count() == 1
    assert deliver(delivery="b").status_code == 202


@pytest.mark.parametrize("seconds", [-290, 290])
def test_clocks_may_differ_a_little(hooked: Api, seconds: int) -> None:
    assert deliver(at=seconds).status_code == 202


@pytest.mark.parametrize(
    "wrong",
    [
        {"at": -webhooks.WINDOW_SECONDS - 60},
        {"at": webhooks.WINDOW_SECONDS + 60},
        {"secret": "another-secret-entirely"},
        {"secret": ""},
        {"signature": ""},
        {"signature": "v1,"},
        {"signature": "v2,AAAA"},
        {"signature": "v1,ü"},
        {"timestamp": "soon"},
        {"timestamp": "-1"},
        {"timestamp": "1e9"},
        {"timestamp": "9" * 40},
        {"delivery": ""},
        {"delivery": "x" * 101},
        {"delivery": "a b"},
        {"address": "/api/v1/interop/mlflow/nothing"},
        {"address": "/api/v1/interop/mlflow/LAB"},
    ],
)
def test_anything_else_is_refused_without_saying_why(hooked: Api, wrong: dict[str, Any]) -> None:
    answer = deliver(**wrong)
    assert problem(answer) == (401, "unauthenticated")
    assert "lab" not in answer.json()["detail"]
    assert not Job.objects.exists()


def test_the_signature_is_of_these_bytes(hooked: Api) -> None:
    good = deliver(delivery="x").wsgi_request
    sent = {name: good.headers[f"X-Mlflow-{name}"] for name in ("Delivery-Id", "Timestamp", "Signature")}
    Job.objects.all().delete()
    cache.clear()
    headers = {f"X-MLflow-{name}": value for name, value in sent.items()}
    answer = Client().post(HOOK, b"{ }", content_type="application/json", headers=headers)
    assert problem(answer) == (401, "unauthenticated")
    assert Client().post(HOOK, b"{}", content_type="application/json", headers=headers).status_code == 202


def test_without_a_secret_nothing_is_genuine(api: Api) -> None:
    sources.add("lab", SourceValues(url="https://mlflow.example.com"), by="os:tests")
    for secret in ("", "\0" * 32):
        assert problem(deliver(secret=secret)) == (401, "unauthenticated")


def test_a_secret_ends_when_another_is_made(hooked: Api) -> None:
    fresh = sources.new_webhook_secret("lab", by="os:tests")
    assert problem(deliver(delivery="a")) == (401, "unauthenticated")
    assert deliver(delivery="b", secret=fresh).status_code == 202


def test_a_paused_source_is_left_alone(hooked: Api) -> None:
    sources.pause("lab", by="os:tests")
    answer = deliver()
    assert (answer.status_code, answer.json()) == (202, {"job": None})
    assert not Job.objects.exists()


def test_a_failure_in_between_leaves_the_delivery_for_the_sender_s_next_try(
    hooked: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lineage.errors import UnavailableError

    def fail(name: str) -> int:
        raise UnavailableError("The database is away.")

    with monkeypatch.context() as patched:
        patched.setattr(webhooks, "_ask", fail)
        assert problem(deliver(delivery="r")) == (503, "unavailable")
    assert deliver(delivery="r").status_code == 202


def test_webhooks_of_other_forms(hooked: Api) -> None:
    assert problem(Client().post(HOOK, b"{}", content_type="text/plain")) == (415, "unsupported-media-type")
    assert problem(Client().get(HOOK)) == (405, "method-not-allowed")
    assert problem(deliver(b"x" * ((1 << 20) + 1))) == (413, "too-large")


@pytest.mark.parametrize("scopes", [("read",), ("attest", "check", "decide")])
def test_only_operators_configure(as_scope: Callable[..., Api], scopes: tuple[str, ...]) -> None:
    api = as_scope(*scopes)
    assert api.get(URL).status_code == (200 if "read" in scopes else 403)
    assert problem(api.post(URL, new())) == (403, "forbidden")
