"""Our `deployment-end:v1`: a deployment of the same signing key has ended.

It attests nothing: a deployment that nobody vouched for doesn't become one by its end.
Source: docs/predicates/deployment-end.md.
"""

from __future__ import annotations

import msgspec

from lineage.graph.model import ClaimKind, GraphDelta, NodeKind, deployment_key
from lineage.predicates.base import PredicateType, Rows
from lineage.predicates.findings import looked_at
from lineage.predicates.members import rows
from lineage.predicates.wire import Wire, read, required, utc
from lineage.trust.statement import Statement


class _End(Wire, frozen=True):
    name: str
    ended_on: str
    reason: str = ""
    replaced_by: str = ""


_DECODER = msgspec.json.Decoder(_End)


def _read(statement: Statement) -> tuple[_End, str]:
    """What is said, and when it ended."""
    end = read(_DECODER, statement.predicate)
    required(end.name, where="$.predicate.name")
    required(end.ended_on, where="$.predicate.endedOn")
    return end, utc(end.ended_on, where="$.predicate.endedOn")


def _project(statement: Statement, signer: str) -> GraphDelta:
    end, ended = _read(statement)
    delta, _ = looked_at(statement, signer)
    key = delta.node(deployment_key(signer, end.name), NodeKind.DEPLOYMENT)
    delta.claim(key, ClaimKind.NAME, end.name)
    delta.claim(key, ClaimKind.ENDED, ended)
    delta.detail(key, "Why it ended", end.reason)
    delta.detail(key, "Replaced by", end.replaced_by)
    return delta.finished()


def _describe(statement: Statement) -> Rows:
    end, ended = _read(statement)
    return rows(
        ("Deployment", end.name),
        ("Ended", ended),
        ("Why it ended", end.reason),
        ("Replaced by", end.replaced_by),
    )


PREDICATE = PredicateType(
    uris=("urn:lineage:predicate:deployment-end:v1",),
    slug="deployment-end",
    title="End of a deployment",
    summary="Says that a deployment has ended, when, and why.",
    project=_project,
    describe=_describe,
    schema="deployment-end.json",
    example="deployment-end.json",
)
