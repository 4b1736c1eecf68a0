"""OpenLineage events: what clients send is recorded once, as hearsay, and what is none is told."""

from __future__ import annotations

import gzip
import json
import os
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from api import encoded
from lineage import config
from lineage.db.models import Entry
from lineage.errors import MalformedError, TooLargeError
from lineage.graph.model import run_key, uri_key
from lineage.people_settings import Rate
from lineage.predicates.openlineage_observation import TYPE, builder_id
from lineage.services import openlineage, openlineage_events
from tests import factories
from tests.conftest import Api, problem
from tests.server import Server

ADDRESS, BATCH = "/api/v1/lineage", "/api/v1/lineage/batch"
VECTORS = Path(os.environ.get("LINEAGE_VECTORS") or Path(__file__).parents[3] / "shared" / "vectors")
SHA256 = "ab" * 32


def run_event(kind: str = "COMPLETE", **members: Any) -> dict[str, Any]:
    return {
        "eventType": kind,
        "eventTime": "2026-03-01T23:10:04Z",
        "producer": "https://airflow.acme.example",
        "run": {"runId": str(uuid.uuid4())},
        "job": {"namespace": "acme", "name": "prepare"},
    } | members


def data_set(name: str, **facets: Any) -> dict[str, Any]:
    return {"namespace": "s3://acme-data", "name": name, "facets": facets}


def said(event: dict[str, Any]) -> dict[str, Any]:
    """The predicate that the collector would sign."""
    return openlineage_events.read(json.dumps(event).encode()).predicate


def node_of(event: dict[str, Any]) -> str:
    return run_key(builder_id(event["job"]["namespace"]), event["run"]["runId"], "")


def recorded(api: Api) -> int:
    return Entry.objects.filter(predicate_type=TYPE).count()


def wrapped(file: str, content: dict[str, Any]) -> dict[str, Any]:
    """A vector as an event: many are a facet alone."""
    if {"run", "job", "dataset"} & content.keys():
        return content
    kind = file.split("/")[1]
    event = run_event()
    if kind.endswith("RunFacet"):
        event["run"]["facets"] = content
    elif kind.endswith("JobFacet"):
        event["job"]["facets"] = content
    else:
        event["outputs"] = [data_set("a", **content)]
    return event


def test_every_vector_is_taken(api: Api) -> None:
    folder = VECTORS / "openlineage"
    if not (folder / "expected.json").exists():
        if os.environ.get("CI"):
            pytest.fail(f"the third-party vectors are not at {folder}; set LINEAGE_VECTORS")
        pytest.skip(f"the third-party vectors are not at {folder}; set LINEAGE_VECTORS")
    cases = json.loads((folder / "expected.json").read_text())
    assert len(cases) == 70
    refused = {}
    for case in cases:
        content = json.loads((folder / case["file"]).read_text())
        answer = api.post(ADDRESS, wrapped(case["file"], content))
        if answer.status_code != 201:
            refused[case["file"]] = (answer.status_code, answer.content)
    assert refused == {}
    assert recorded(api) == 70


def test_an_event_is_recorded_once(api: Api) -> None:
    event = run_event(inputs=[data_set("a")])
    first = api.post(ADDRESS, event)
    again = api.post(ADDRESS, event)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["digest"] == again.json()["digest"]
    assert api.post(BATCH, [event, event]).status_code == 204
    assert recorded(api) == 1
    kept = api.get(f"/api/v1/attestations/{first.json()['digest']}").json()
    assert kept["trust"] == "observed"
    assert kept["subjects"][0]["digest"] == {"sha256": first.json()["event"]}


def test_the_events_of_a_run_meet_in_one_node(api: Api, graph: Callable[[], int]) -> None:
    end = run_event(inputs=[data_set("in.parquet")], outputs=[data_set("out.parquet")])
    begin = end | {"eventType": "START", "eventTime": "2026-03-01T22:00:00", "inputs": None, "outputs": []}
    assert [api.post(ADDRESS, each).status_code for each in (begin, end)] == [201, 201]
    graph()
    node = api.get(f"/api/v1/nodes/{node_of(end)}").json()
    assert (node["status"], node["reasons"]) == ("unverified", ["input-undigested", "observed-only"])
    text = json.dumps(node)
    assert "2026-03-01T22:00:00.000000Z" in text
    assert "2026-03-01T23:10:04.000000Z" in text
    made = api.get(f"/api/v1/nodes/{uri_key('s3://acme-data/out.parquet')}").json()
    assert made["status"] == "unverified"
    assert "uri-only" in made["reasons"]
    above = api.get(f"/api/v1/nodes/{made['key']}/ancestors").json()
    assert uri_key("s3://acme-data/in.parquet") in json.dumps(above)
    assert {gap["key"] for gap in made["gaps"]} >= {made["key"]}


def test_a_digest_that_a_client_says_is_no_observation_of_bytes(api: Api, graph: Callable[[], int]) -> None:
    """It names the artifact, and a signed run that made another one doesn't differ from it."""
    event = run_event(outputs=[data_set("m.bin", lineage_digest={"sha256": SHA256})])
    signer = factories.registered()
    signed = factories.statement(
        {"name": "other.bin", "digest": {"sha256": "cd" * 32}},
        predicate_type="urn:lineage:predicate:training-run:v1",
        predicate={
            "builder": {"id": builder_id("acme")},
            "invocationId": event["run"]["runId"],
            "activity": "training",
        },
    )
    assert api.attest(signer.envelope(signed)).status_code == 201
    assert api.post(ADDRESS, event).status_code == 201
    graph()
    run = api.get(f"/api/v1/nodes/{node_of(event)}").json()
    assert run["trust"] == "signed"
    assert run["status"] != "failed", run["reasons"]
    named = api.get(f"/api/v1/nodes/sha256:{SHA256}").json()
    assert named["status"] == "unverified"
    assert (named["copies"], named["attestations"]) == ([], [])


def test_a_jobs_or_data_sets_event_names_nodes_and_no_run(api: Api, graph: Callable[[], int]) -> None:
    job = {"eventTime": "2026-03-01T23:10:04Z", "job": {"namespace": "n", "name": "j"}}
    assert api.post(ADDRESS, job | {"inputs": [data_set("of-job")]}).status_code == 201
    assert api.post(ADDRESS, {"eventTime": "?", "dataset": data_set("alone")}).status_code == 201
    graph()
    for name in ("of-job", "alone"):
        node = api.get(f"/api/v1/nodes/{uri_key(f's3://acme-data/{name}')}").json()
        assert node["status"] == "unverified"
    assert api.get("/api/v1/nodes", kind="run").json()["nodes"] == []


def test_an_attestation_inside_an_event(api: Api) -> None:
    envelope = factories.registered().envelope(factories.statement())
    bad = json.loads(factories.signer().envelope(factories.statement()))
    event = run_event(
        inputs=[
            data_set("a", lineage_attestation={"dsse": json.loads(envelope)}),
            data_set("b", lineage_attestation={"dsse": bad}),
        ]
    )
    answer = api.post(ADDRESS, event)
    assert answer.status_code == 201
    assert len(answer.json()["attestations"]) == len(answer.json()["refused"]) == 1
    assert Entry.objects.filter(kind=Entry.Kind.ATTESTATION).count() == 1


@pytest.mark.parametrize(
    "event",
    [
        b" ", b"{", b"[]", b"7", b"null", b"{}", b'{"run": {}}', b'{"run": {"runId": "a"}}', b"\xff",
        b'{"run": {"runId": ""}, "job": {"namespace": "n", "name": "j"}}', b'{"job": {"namespace": "n"}}',
        b'{"job": {"namespace": "n", "name": "j"}, "inputs": [7]}', b'{"job": {"namespace": 7, "name": "j"}}',
        b'{"job": {"namespace": "n", "name": "j"}, "job": {}}', b'{"a": NaN}',
        b'{"job": {"namespace": "n", "name": "j"}, "a": 1e999}',
        b'{"job": {"namespace": "n", "name": "j"}, "a": 1' + b"0" * 5000 + b"}",
        b'{"run": {"runId": "a"}, "job": {"namespace": "n\\nm", "name": "j"}}',
    ],
    ids=range(18),
)  # fmt: skip
def test_what_is_no_event(api: Api, event: bytes) -> None:
    assert problem(api.post(ADDRESS, event)) == (400, "malformed")
    assert recorded(api) == 0


def test_what_is_too_much(api: Api) -> None:
    long = run_event(pad="x" * openlineage_events.MAX_EVENT_BYTES)
    many = run_event(inputs=[data_set(str(n)) for n in range(2_001)])
    deep = json.dumps(run_event()).encode()[:-1] + b', "a": ' + b"[" * 60 + b"]" * 60 + b"}"
    parts = b"[" + b"[]," * 500_000 + b"[]]"
    assert [problem(api.post(ADDRESS, each))[0] for each in (long, many, deep, parts)] == [413] * 4
    assert problem(api.post(BATCH, parts))[0] == 413
    assert problem(api.post(BATCH, b"[" + b"7," * 1_000 + b"7]"))[0] == 413


def test_gzip(api: Api) -> None:
    def send(data: bytes, encoding: str = "gzip") -> Any:
        return api.post(ADDRESS, data, headers={"Content-Encoding": encoding})

    event = json.dumps(run_event()).encode()
    assert send(gzip.compress(event)).status_code == 201
    assert send(gzip.compress(event[:20]) + gzip.compress(event[20:])).status_code == 200
    assert problem(send(gzip.compress(b" " * (64 << 20)))) == (413, "too-large")
    assert problem(send(event)) == (400, "malformed")
    assert problem(send(gzip.compress(event)[:-9])) == (400, "malformed")
    assert problem(send(event, "br")) == (415, "unsupported-media-type")


def test_a_bomb_is_left_at_the_limit() -> None:
    with pytest.raises(TooLargeError):
        encoded.undone(gzip.compress(b"\0" * 1001), 1000)
    assert encoded.undone(gzip.compress(b"\0" * 1000), 1000) == b"\0" * 1000
    with pytest.raises(TooLargeError):
        encoded.undone(gzip.compress(b"\0" * 600) * 2, 1000)
    with pytest.raises(MalformedError):
        encoded.undone(b"", 1000)


def test_one_bad_event_harms_no_other(api: Api) -> None:
    answer = api.post(BATCH, [run_event(), {"run": 7}, run_event()])
    assert answer.status_code == 200
    assert answer.json()["status"] == "partial_success"
    assert answer.json()["summary"] == {"received": 3, "successful": 2, "failed": 1}
    (failed,) = answer.json()["failed_events"]
    assert (failed["index"], failed["retriable"]) == (1, False)
    assert failed["reason"]
    assert recorded(api) == 2
    assert api.post(BATCH, [7]).json()["status"] == "failure"
    assert api.post(BATCH, []).status_code == 204


@pytest.mark.parametrize("batch", ["", "{}", "[", "[1", "[1,]", "[1 2]", "[1]]", "[,]", '["a', "[[[["])
def test_what_is_no_batch(batch: str) -> None:
    with pytest.raises(MalformedError):
        openlineage.split(batch.encode())


def test_a_batch_is_cut_into_the_texts_that_were_sent() -> None:
    assert openlineage.split(b' [ {"a" : [1, "]"]},1e999 , "," ] ') == [b'{"a" : [1, "]"]}', b"1e999", b'","']
    assert openlineage.split(b"[ ]") == []


def test_whoever_sends_too_often_is_told_what_clients_wait_for(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = config.current()
    changed = replace(settings, people=replace(settings.people, attest_rate_limit=Rate(1, 3600)))
    monkeypatch.setattr("api.throttling.current", lambda: changed)
    answers = [api.post(address, run_event()) for address in (ADDRESS, ADDRESS, BATCH)]
    assert [answer.status_code for answer in answers] == [201, 503, 503]
    assert int(answers[1]["Retry-After"]) > 0


def test_no_slash_and_no_redirect(api: Api) -> None:
    for address in (ADDRESS, BATCH):
        assert api.post(f"{address}/", run_event()).status_code == 404
        assert api.http.get(address).status_code == 405


def test_secrets_are_masked_and_long_texts_cut() -> None:
    event = run_event(inputs=[{"namespace": "postgres://me:hunter2@db:5432", "name": "t"}])
    event["run"]["facets"] = {
        "environmentVariables": {"environmentVariables": [{"name": "DB_PASSWORD", "value": "hunter2"}]},
        "spark_properties": {"password": "hunter2", "sql": "x" * 20_000 + "hunter2"},
    }
    told = said(event)
    assert "hunter2" not in json.dumps(told)
    assert told["used"][0]["uri"] == "postgres://***@db:5432/t"
    assert said(event) == told


def test_nothing_is_kept_that_was_not_searched() -> None:
    event = run_event(pad=["a=" * 499] * 1_100, zlast="://me:hunter2@db")
    told = said(event)["event"]
    assert "hunter2" not in json.dumps(told)
    assert told["zlast"].startswith("sha256:")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-01T23:10:04.123456789Z", "2026-03-01T23:10:04.123456Z"),
        ("2026-03-01T23:10:04", "2026-03-01T23:10:04.000000Z"),
        ("2026-03-01T23:10Z", "2026-03-01T23:10:00.000000Z"),
        ("2026-03-02T00:10:04.5+01:00", "2026-03-01T23:10:04.500000Z"),
        ("0001-01-01T00:00:00+01:00", ""),
        ("yesterday", ""),
        ("", ""),
    ],
)
def test_times(text: str, expected: str) -> None:
    assert openlineage_events.moment(text) == expected
    assert said(run_event(eventTime=text)).get("eventTime", "") == expected


def test_names_of_data_sets() -> None:
    assert openlineage_events.uri("s3://b", "/a/b") == "s3://b/a/b"
    assert openlineage_events.uri("a/b", "c") != openlineage_events.uri("a", "b/c")
    assert openlineage_events.uri("food", "public.orders") == "openlineage:food/public.orders"


def test_a_digest_that_is_none_leaves_the_data_set_a_gap() -> None:
    for wrong in ({"sha256": "x"}, {"sha256": 7}, 7, {}):
        assert "digest" not in said(run_event(inputs=[data_set("a", lineage_digest=wrong)]))["used"][0]


def test_the_real_client(server: Server) -> None:
    """openlineage-python as Airflow and dbt use it: compressed, then in JSON."""
    from openlineage.client import OpenLineageClient
    from openlineage.client.event_v2 import InputDataset, Job, Run, RunEvent, RunState
    from openlineage.client.transport.http import (
        ApiKeyTokenProvider,
        HttpCompression,
        HttpConfig,
        HttpTransport,
    )

    run_id = str(uuid.uuid4())
    for compression, state in ((HttpCompression.GZIP, RunState.START), (None, RunState.COMPLETE)):
        transport = HttpTransport(
            HttpConfig(
                url=server.url,
                endpoint="api/v1/lineage",
                auth=ApiKeyTokenProvider({"apiKey": server.token}),
                compression=compression,
            )
        )
        OpenLineageClient(transport=transport).emit(
            RunEvent(
                eventType=state,
                eventTime="2026-03-01T23:10:04.125Z",
                run=Run(runId=run_id),
                job=Job(namespace="real", name="client"),
                producer="https://acme.example",
                inputs=[InputDataset(namespace="s3://acme-data", name="a")],
            )
        )
    listed = server.call("GET", f"/api/v1/attestations?predicate_type={TYPE}").json()["attestations"]
    assert len([each for each in listed if "real/client" in json.dumps(each)]) == 2
