"""POST /api/v1/attestations: one envelope, a set, what comes back, how long it waits."""

from __future__ import annotations

import json
import threading
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from api import attestations, body
from lineage.db.models import Entry, Envelope
from lineage.services import project, publish
from lineage.trust.digest import sha256_hex
from tests import factories
from tests.conftest import Api, problem

URL = "/api/v1/attestations"


def test_the_receipt_is_exactly_what_the_contract_says(api: Api) -> None:
    signer = factories.registered(name="training pipeline")
    subject = factories.artifact("model.bin")
    statement = factories.statement(subject)
    data = signer.envelope(statement)

    answer = api.attest(data)

    digest = f"sha256:{sha256_hex(data)}"
    assert answer.status_code == 201
    assert answer["Content-Type"] == "application/json"
    assert answer["Location"] == f"{URL}/{digest}"
    assert answer.json() == {
        "digest": digest,
        "statement": f"sha256:{sha256_hex(factories.as_payload(statement))}",
        "index": 2,
        "state": "integrated",
        "predicate_type": factories.GENERIC,
        "subjects": [subject],
        "signers": [{"key_id": signer.key_id, "name": "training pipeline"}],
        "trust": "signed",
        "links": answer.json()["links"],
    }
    assert answer.json()["links"]["self"] == answer["Location"]
    assert api.get(answer["Location"]).status_code == 200


def test_the_bytes_are_kept_exactly(api: Api) -> None:
    data = b"  " + factories.registered().envelope(factories.statement()).replace(b'": ', b'"  :\t') + b"\n"
    answer = api.attest(data)
    assert answer.status_code == 201, answer.content
    assert bytes(Envelope.objects.get(entry__envelope_digest=sha256_hex(data)).content) == data
    assert api.get(f"{answer['Location']}/envelope").content == data


def test_known_bytes_are_the_same_entry(api: Api) -> None:
    data = factories.registered().envelope(factories.statement())
    first, second = api.attest(data), api.attest(data)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()
    assert first["Location"] == second["Location"]
    assert Entry.objects.filter(envelope_digest=sha256_hex(data)).count() == 1


@pytest.mark.parametrize(
    "media_type",
    [
        "application/json",
        "application/vnd.in-toto+json",
        "application/vnd.dsse.envelope.v1+json",
        "application/json; charset=utf-8",
        "Application/JSON",
    ],
)
def test_media_types_of_one_envelope(api: Api, media_type: str) -> None:
    data = factories.registered().envelope(factories.statement())
    assert api.post(URL, data, media_type).status_code == 201


@pytest.mark.parametrize(
    "media_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "json"],
)
def test_other_media_types(api: Api, media_type: str) -> None:
    answer = api.post(URL, b"{}", media_type)
    assert problem(answer) == (415, "unsupported-media-type")
    assert "application/vnd.in-toto+json" in answer.json()["hint"]


def test_a_compressed_body(api: Api) -> None:
    answer = api.post(URL, b"\x1f\x8b", headers={"Content-Encoding": "gzip"})
    assert problem(answer) == (415, "unsupported-media-type")


def test_an_unknown_parameter(api: Api) -> None:
    assert problem(api.attest(b"{}", "?wait=forever")) == (400, "malformed")
    assert problem(api.attest(b"{}", "?waiit=projected")) == (400, "malformed")


def lines(answer: Any) -> list[dict[str, Any]]:
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/x-ndjson"
    assert answer.content.endswith(b"\n")
    return [json.loads(line) for line in answer.content.splitlines()]


@pytest.mark.parametrize("media_type", ["application/x-ndjson", "application/vnd.in-toto.bundle"])
@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
def test_a_set_is_answered_a_line_a_line(api: Api, media_type: str, ending: bytes) -> None:
    signer = factories.registered()
    good = [signer.envelope(factories.statement()) for _ in range(3)]
    stranger = factories.signer().envelope(factories.statement())
    known = good[0]
    body = ending.join([good[0], b"", b"  \t", stranger, good[1], b"{", known, good[2], b""])

    found = lines(api.post(URL, body, media_type))

    assert [line.get("status", "receipt") for line in found] == [
        "receipt",
        422,
        "receipt",
        400,
        "receipt",
        "receipt",
    ]
    assert [found[i]["digest"] for i in (0, 2, 4, 5)] == [
        f"sha256:{sha256_hex(data)}" for data in (good[0], good[1], known, good[2])
    ]
    assert found[1]["type"] == "urn:lineage:problem:signer-unknown"
    assert found[3]["type"] == "urn:lineage:problem:malformed"
    assert found[0]["index"] == found[4]["index"]


@pytest.mark.parametrize(
    ("data", "most", "found"),
    [
        (b"", 9, []),
        (b"\n\r\n \t\n\r\r\n", 9, []),
        (b"a", 9, [b"a"]),
        (b" a \r\n\n\r\n\x0bb\r\r\n", 9, [b" a ", b"\x0bb\r"]),
        (b"  \n  a", 9, [b"  a"]),
        (b"a\nb\nc\nd\n", 2, [b"a", b"b", b"c"]),
        (b"\n" * 1000 + b"a\nb", 1, [b"a", b"b"]),
    ],
)
def test_the_lines_of_a_set(data: bytes, most: int, found: list[bytes]) -> None:
    assert body.lines(data, most) == found


def test_a_set_of_line_ends_makes_no_object_for_each() -> None:
    data = b"{}\n" * 200_000 + b"\n" * 2_000_000
    tracemalloc.start()
    try:
        assert len(body.lines(data, 10_000)) == 10_001
        assert body.lines(b"\n" * 2_000_000, 10_000) == []
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_a_set_over_the_limit_of_lines(api: Api) -> None:
    answer = api.post(URL, b"{}\n" * 10_001, "application/x-ndjson")
    assert problem(answer) == (413, "too-large")
    assert answer.json()["limit"] == 10_000


def test_an_empty_set(api: Api) -> None:
    answer = api.post(URL, b"\n\n", "application/x-ndjson")
    assert answer.status_code == 200
    assert answer.content == b""


def test_a_line_over_the_limit_of_an_envelope_harms_no_other(api: Api) -> None:
    signer = factories.registered()
    good = signer.envelope(factories.statement())
    large = signer.envelope(factories.statement(predicate={"pad": "x" * (8 << 20)}))
    found = lines(api.post(URL, large + b"\n" + good, "application/x-ndjson"))
    assert found[0]["type"] == "urn:lineage:problem:too-large"
    assert found[0]["limit"] == 8 << 20
    assert found[1]["state"] == "integrated"


def test_wait_answers_at_once_when_there_is_nothing_to_wait_for(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(time, "sleep", lambda seconds: pytest.fail("it waited"))
        assert api.post(f"{URL}?wait=published", b"{", "application/x-ndjson").status_code == 200


@pytest.mark.parametrize(("wait", "state"), [("projected", "integrated"), ("published", "published")])
@pytest.mark.parametrize("as_set", [False, True])
def test_wait_until_it_is_there(api: Api, wait: str, state: str, as_set: bool) -> None:
    data = factories.registered().envelope(factories.statement())
    media_type = "application/x-ndjson" if as_set else "application/json"
    stop = threading.Event()

    def follow() -> None:
        while not stop.wait(0.02):
            project.project_pending() if wait == "projected" else publish.publish_once()
        connection.close()

    follower = threading.Thread(target=follow)
    follower.start()
    try:
        answer = api.post(f"{URL}?wait={wait}", data, media_type)
    finally:
        stop.set()
        follower.join()
    receipt = json.loads(answer.content)
    assert receipt["state"] == state
    reached = project.watermark() if wait == "projected" else publish.published_size()
    assert reached > receipt["index"]


def test_wait_answers_anyway(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attestations, "WAIT_SECONDS", 0.05)
    answer = api.attest(factories.registered().envelope(factories.statement()), "?wait=published")
    assert answer.status_code == 201
    assert answer.json()["state"] == "integrated"


def test_no_body(api: Api) -> None:
    answer = api.http.post(URL, CONTENT_TYPE="application/json", CONTENT_LENGTH="0")
    assert problem(answer) == (400, "malformed")


def test_the_post_is_lean(api: Api, django_assert_max_num_queries: Callable[[int], Any]) -> None:
    signer = factories.registered()
    api.attest(signer.envelope(factories.statement()))
    data = signer.envelope(factories.statement())
    # BEGIN, head, known bytes, four inserts, head, COMMIT; before and after: the ring, the published size.
    with django_assert_max_num_queries(12):
        assert api.attest(data).status_code == 201
