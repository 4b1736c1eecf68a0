"""OpenLineage events: from a client's bytes to what the collector would sign of them, and its graph."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from lineage import predicates
from lineage.graph.model import NodeKind
from lineage.predicates.openlineage_observation import TYPE
from lineage.services import openlineage_events
from lineage.trust import statement
from lineage.trust.dsse import INTOTO_PAYLOAD_TYPE
from tests.fuzz import seeds
from tests.fuzz.target import REFUSALS, Target, strict_json

SIGNER = "5a" * 32
SECRET = "AKIAIOSFODNN7EXAMPLE"
RUN = "0195553a-7b1c-7d2e-8f3a-4b5c6d7e8f90"


def run(data: bytes) -> bool:
    """What is taken is an event, can be signed as it is, and makes nothing attested but its run."""
    try:
        read = openlineage_events.read(data)
    except REFUSALS:
        return False
    sent = strict_json(data)
    assert {"run", "job", "dataset"} & sent.keys(), "accepted, though it is about nothing"
    told = signed(read)
    delta = predicates.project(told, SIGNER)
    assert predicates.project(told, SIGNER) == delta
    assert predicates.describe(told)
    assert not any("\0" in claim.value for claim in delta.claims)
    runs = [key for key, kind in delta.nodes.items() if kind is NodeKind.RUN]
    assert len(runs) == bool(sent.get("run"))
    assert {claim.node for claim in delta.claims if claim.kind == "attested"} <= set(runs)
    assert {claim.kind for claim in delta.claims}.isdisjoint({"location", "unsafe", "inventory"})
    kept = json.dumps(read.predicate)
    assert SECRET not in kept, "kept, though it is a secret"
    return True


def signed(read: openlineage_events.Read) -> statement.Statement:
    document = {
        "_type": statement.STATEMENT_V1,
        "subject": [{"name": read.name, "digest": {"sha256": read.digest}}],
        "predicateType": TYPE,
        "predicate": read.predicate | {"reportedBy": "token:fuzz"},
    }
    return statement.parse(INTOTO_PAYLOAD_TYPE, json.dumps(document).encode())


def data_set(name: str, **facets: Any) -> dict[str, Any]:
    return {"namespace": "s3://acme-data", "name": name, "facets": facets}


def made() -> Sequence[bytes]:
    job = {"namespace": "acme", "name": "prepare"}
    begun = {
        "eventType": "START",
        "eventTime": "2026-03-01T22:00:00.123456789+01:00",
        "producer": "https://airflow.acme.example",
        "run": {"runId": RUN, "facets": {"parentRun": {"run": {"runId": RUN}, "job": job}}},
        "job": job,
        "inputs": [data_set("in.parquet", schema={"fields": [{"name": "a", "type": "int"}]})],
    }
    ended = begun | {
        "eventType": "COMPLETE",
        "outputs": [data_set("out.parquet", lineage_digest={"sha256": "ab" * 32})],
    }
    secret = {"environment": {"env": [{"name": "KEY", "value": SECRET}], "AWS_SECRET": SECRET}}
    of_job = {"eventTime": "2026-03-01T22:00:00", "job": job | {"facets": secret}, "inputs": []}
    of_data = {"dataset": data_set("d", lineage_attestation={"dsse": {"payload": "e30=", "signatures": []}})}
    return [seeds.text(each) for each in (begun, ended, of_job, of_data)]


TARGET = Target(name="openlineage", run=run, seeds=made, vectors=("openlineage",), inputs=800)
