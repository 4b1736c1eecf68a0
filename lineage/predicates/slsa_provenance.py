"""SLSA provenance v1: a build by a known builder, from resolved dependencies to subjects.

Source: https://slsa.dev/spec/v1.1/provenance. Old emitters write the members of its protobuf form in
snake_case; these are read as if they were in camelCase. Byproducts and builder dependencies are neither
inputs nor outputs by the specification, so they make no edges.
"""

from __future__ import annotations

import msgspec

from lineage.graph.model import GraphDelta
from lineage.predicates.artifact_refs import opening, references, told_all
from lineage.predicates.base import PredicateType, Rows
from lineage.predicates.members import rows
from lineage.predicates.runs import made, run, used
from lineage.predicates.speakers import of_build
from lineage.predicates.spelling import read_spelled
from lineage.predicates.wire import Wire, required, utc
from lineage.trust.statement import RawDescriptor, Statement

_OLD_NAMES = {
    "build_definition": "buildDefinition",
    "build_type": "buildType",
    "external_parameters": "externalParameters",
    "internal_parameters": "internalParameters",
    "resolved_dependencies": "resolvedDependencies",
    "run_details": "runDetails",
    "builder_dependencies": "builderDependencies",
    "invocation_id": "invocationId",
    "started_on": "startedOn",
    "finished_on": "finishedOn",
    "download_location": "downloadLocation",
    "media_type": "mediaType",
}
_FREE_FORM = frozenset({"externalParameters", "internalParameters", "annotations", "digest", "version"})
"""Members whose keys are the emitter's own words."""


class _BuildDefinition(Wire, frozen=True):
    build_type: str = ""
    resolved_dependencies: list[RawDescriptor] | None = None


class _Builder(Wire, frozen=True):
    id: str


class _Metadata(Wire, frozen=True):
    invocation_id: str | None = None
    started_on: str | None = None
    finished_on: str | None = None


class _RunDetails(Wire, frozen=True):
    builder: _Builder
    metadata: _Metadata | None = None


class _Provenance(Wire, frozen=True):
    build_definition: _BuildDefinition
    run_details: _RunDetails


_DECODER = msgspec.json.Decoder(_Provenance)


def _read(statement: Statement) -> _Provenance:
    return read_spelled(_DECODER, statement.predicate, _OLD_NAMES, _FREE_FORM)


def _times(metadata: _Metadata) -> tuple[str, str]:
    where = "$.predicate.runDetails.metadata"
    started = utc(metadata.started_on or "", where=f"{where}.startedOn")
    return started, utc(metadata.finished_on or "", where=f"{where}.finishedOn")


def _project(statement: Statement, signer: str) -> GraphDelta:
    provenance = _read(statement)
    definition, details = provenance.build_definition, provenance.run_details
    metadata = details.metadata or _Metadata()
    started, ended = _times(metadata)
    delta, subjects = opening(statement, signer)
    key = run(
        delta,
        statement,
        builder=required(details.builder.id, where="$.predicate.runDetails.builder.id"),
        invocation=metadata.invocation_id or "",
        activity="build",
        started=started,
        ended=ended,
    )
    delta.detail(key, "Build type", definition.build_type)
    builder = details.builder.id
    made(delta, key, builder, zip(subjects, (each.uri for each in statement.subjects), strict=True))
    dependencies = definition.resolved_dependencies or []
    keys = references(delta, dependencies, where="$.predicate.buildDefinition.resolvedDependencies")
    used(delta, key, builder, zip(keys, (each.uri or "" for each in dependencies), strict=True))
    return delta.finished()


def _describe(statement: Statement) -> Rows:
    provenance = _read(statement)
    definition, details = provenance.build_definition, provenance.run_details
    metadata = details.metadata or _Metadata()
    started, ended = _times(metadata)
    return rows(
        ("Built by", details.builder.id),
        ("Build type", definition.build_type),
        ("Invocation", metadata.invocation_id),
        ("Started", started),
        ("Finished", ended),
    ) + told_all("Used", definition.resolved_dependencies or [])


PREDICATE = PredicateType(
    uris=("https://slsa.dev/provenance/v1", "https://slsa.dev/provenance/v1.0"),
    slug="slsa-provenance",
    title="SLSA provenance",
    summary="Says which builder built something, when, and from what.",
    project=_project,
    describe=_describe,
    example="slsa-provenance.json",
    materials=("buildDefinition", "resolvedDependencies"),
    speaks_for=of_build,
)
