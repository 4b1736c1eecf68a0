"""Each request has an id, in the answer, in problems and in the log, and one line there without its path."""

from __future__ import annotations

import logging

import pytest
from django.test import Client

from lineage import logs
from tests.conftest import Api


def test_every_answer_names_its_request(client: Client) -> None:
    first, second = (client.get("/health/live")["X-Request-ID"] for _ in range(2))
    assert first != second


def test_a_sender_may_name_its_request(client: Client) -> None:
    assert (
        client.get("/health/live", headers={"X-Request-ID": "build-4711.a_b"})["X-Request-ID"]
        == "build-4711.a_b"
    )


@pytest.mark.parametrize("given", ["", "a" * 65, "a b", "a\nb", "ü", 'a"b', "<script>"])
def test_other_names_are_not_taken_over(client: Client, given: str) -> None:
    answered = client.get("/health/live", headers={"X-Request-ID": given})["X-Request-ID"]
    assert answered != given
    assert answered


def test_problems_name_the_request(api: Api) -> None:
    for path in ("/api/v1/nope", "/api/v1/nodes/x", "/api/v1/nodes?limit=never"):
        answer = api.get(path)
        assert answer.status_code >= 400
        assert answer.json()["instance"] == "urn:lineage:request:" + answer["X-Request-ID"]


def test_one_line_a_request(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logs.ACCESS):
        api.get("/api/v1/nodes", name="customer-4711", limit=2)
        api.get("/api/v1/nodes/sha256:" + "ab" * 32)
        api.get("/health/live")
    lines = [entry for entry in caplog.records if entry.name == logs.ACCESS]
    fields = [vars(entry)["fields"] for entry in lines]
    assert [(f["method"], f["route"], f["status"]) for f in fields] == [
        ("GET", "api:nodes", 200),
        ("GET", "api:node", 404),
    ]
    assert "4711" not in caplog.text
    assert "abab" not in caplog.text


def test_the_id_ends_with_the_request(client: Client) -> None:
    client.get("/health/live")
    assert logs.request_id.get() == ""
