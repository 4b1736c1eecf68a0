"""Our `deployment:v1`: an artifact was put to use somewhere, on some machines.

Source: docs/predicates/deployment.md.
"""

from __future__ import annotations

import msgspec

from lineage.graph.model import ClaimKind, EdgeType, GraphDelta, NodeKind, deployment_key
from lineage.predicates.artifact_refs import opening
from lineage.predicates.base import PredicateType, Rows
from lineage.predicates.members import Machine, Place, machines, placed, rows, told_machines, told_place
from lineage.predicates.wire import MAX_REFERENCES, Wire, limited, read, required, utc
from lineage.trust.statement import Statement


class _Deployment(Wire, frozen=True):
    name: str
    environment: str = ""
    endpoint: str = ""
    description: str = ""
    deployed_on: str = ""
    retired_on: str = ""
    location: Place | None = None
    hardware: tuple[Machine, ...] = ()


_DECODER = msgspec.json.Decoder(_Deployment)


def _times(deployment: _Deployment) -> tuple[str, str]:
    deployed = utc(deployment.deployed_on, where="$.predicate.deployedOn")
    return deployed, utc(deployment.retired_on, where="$.predicate.retiredOn")


def _project(statement: Statement, signer: str) -> GraphDelta:
    deployment = read(_DECODER, statement.predicate)
    limited(deployment.hardware, MAX_REFERENCES, where="$.predicate.hardware")
    name = required(deployment.name, where="$.predicate.name")
    deployed, retired = _times(deployment)
    delta, subjects = opening(statement, signer, attests=False)
    key = delta.node(deployment_key(signer, name), NodeKind.DEPLOYMENT)
    delta.claim(key, ClaimKind.ATTESTED, statement.predicate_type)
    delta.claim(key, ClaimKind.NAME, name)
    delta.claim(key, ClaimKind.STARTED, deployed)
    delta.claim(key, ClaimKind.ENDED, retired)
    delta.detail(key, "Environment", deployment.environment)
    delta.detail(key, "Endpoint", deployment.endpoint)
    delta.detail(key, "Description", deployment.description)
    delta.edge(key, EdgeType.WAS_ATTRIBUTED_TO, delta.signer)
    for subject in subjects:
        delta.edge(key, EdgeType.USED, subject)
    machines(delta, key, deployment.hardware, where="$.predicate.hardware")
    placed(delta, key, deployment.location, where="$.predicate.location")
    return delta.finished()


def _describe(statement: Statement) -> Rows:
    deployment = read(_DECODER, statement.predicate)
    deployed, retired = _times(deployment)
    return rows(
        ("Deployment", deployment.name),
        ("Environment", deployment.environment),
        ("Endpoint", deployment.endpoint),
        ("Description", deployment.description),
        ("Deployed", deployed),
        ("Retired", retired),
        ("Location", told_place(deployment.location)),
    ) + told_machines(deployment.hardware)


PREDICATE = PredicateType(
    uris=("urn:lineage:predicate:deployment:v1",),
    slug="deployment",
    title="Deployment",
    summary="Says where an artifact was put to use, since when, and on which machines.",
    project=_project,
    describe=_describe,
    schema="deployment.json",
    example="deployment.json",
)
