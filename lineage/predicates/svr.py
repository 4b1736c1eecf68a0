"""in-toto simple verification results: somebody found that a thing has these properties.

Like a verification summary it makes nothing verified here: it is shown with who signed it.
Source: in-toto attestation, spec/predicates/svr.md (v0.2); v0.1 may lack `policies`.
"""

from __future__ import annotations

import msgspec

from lineage.errors import MalformedError
from lineage.graph.model import GraphDelta
from lineage.predicates.base import PredicateType, Rows
from lineage.predicates.findings import looked_at, mentioned
from lineage.predicates.members import rows
from lineage.predicates.wire import MAX_REFERENCES, Wire, limited, read, required, utc
from lineage.trust.statement import RawDescriptor, Statement

SHOWN = 20
URI = "https://in-toto.io/attestation/svr/v0.2"


class _Verifier(Wire, frozen=True):
    id: str
    policies: list[RawDescriptor] | None = None


class _Result(Wire, frozen=True):
    verifier: _Verifier
    time_created: str
    properties: list[str]


_DECODER = msgspec.json.Decoder(_Result)


def _read(statement: Statement) -> tuple[_Result, tuple[str, ...], str]:
    """The result, its policies in words, and its time."""
    found = read(_DECODER, statement.predicate)
    required(found.verifier.id, where="$.predicate.verifier.id")
    required(found.time_created, where="$.predicate.timeCreated")
    if found.verifier.policies is None and statement.predicate_type == URI:
        raise MalformedError(
            "A verifier lists its policies; where there is none, as [].",
            where="$.predicate.verifier.policies",
        )
    limited(found.properties, MAX_REFERENCES, where="$.predicate.properties")
    policies = mentioned(found.verifier.policies or [], where="$.predicate.verifier.policies")
    return found, policies, utc(found.time_created, where="$.predicate.timeCreated")


def _shown(properties: list[str]) -> str:
    more = f" and {len(properties) - SHOWN:,} more" if len(properties) > SHOWN else ""
    return (", ".join(properties[:SHOWN]) or "no property") + more


def _project(statement: Statement, signer: str) -> GraphDelta:
    found, _, time = _read(statement)
    delta, subjects = looked_at(statement, signer)
    said = f"{_shown(found.properties)}, by {found.verifier.id} on {time}"
    for subject in subjects:
        delta.detail(subject, "Verification result", said)
    return delta.finished()


def _describe(statement: Statement) -> Rows:
    found, policies, time = _read(statement)
    return rows(
        ("Verifier", found.verifier.id),
        ("Checked", time),
        ("Properties", _shown(found.properties)),
        *(("Policy", policy) for policy in policies[:SHOWN]),
    )


PREDICATE = PredicateType(
    uris=(URI, "https://in-toto.io/attestation/svr/v0.1"),
    slug="svr",
    title="Simple verification result",
    summary="Says which properties somebody found a thing to have.",
    project=_project,
    describe=_describe,
    schema="svr.json",
    example="svr.json",
)
