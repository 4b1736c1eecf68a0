"""SLSA provenance v0.2: a build by a known builder, from materials to subjects, as older builders write it.

Source: https://slsa.dev/spec/v0.2/provenance. The specification writes `buildInvocationId`, many emitters
`buildInvocationID`; both are read. Where the build's configuration came from influenced it like a material.
"""

from __future__ import annotations

import msgspec

from lineage.errors import MalformedError
from lineage.graph.model import GraphDelta
from lineage.predicates.artifact_refs import opening, references, told_all
from lineage.predicates.base import PredicateType, Rows
from lineage.predicates.members import rows
from lineage.predicates.runs import made, run, used
from lineage.predicates.speakers import of_run
from lineage.predicates.spelling import read_spelled
from lineage.predicates.wire import Wire, required, utc
from lineage.trust.statement import RawDescriptor, Statement

_OLD_NAMES = {
    "build_type": "buildType",
    "config_source": "configSource",
    "entry_point": "entryPoint",
    "build_config": "buildConfig",
    "build_invocation_id": "buildInvocationId",
    "buildInvocationID": "buildInvocationId",
    "build_started_on": "buildStartedOn",
    "build_finished_on": "buildFinishedOn",
}
_FREE_FORM = frozenset({"parameters", "environment", "buildConfig", "digest"})
"""Members whose content is the emitter's own."""


class _Builder(Wire, frozen=True):
    id: str


class _ConfigSource(Wire, frozen=True):
    uri: str | None = None
    digest: dict[str, str] | None = None
    entry_point: str | None = None


class _Invocation(Wire, frozen=True):
    config_source: _ConfigSource | None = None


class _Metadata(Wire, frozen=True):
    build_invocation_id: str | None = None
    build_started_on: str | None = None
    build_finished_on: str | None = None
    reproducible: bool | None = None


class _Provenance(Wire, frozen=True):
    builder: _Builder
    build_type: str
    invocation: _Invocation | None = None
    metadata: _Metadata | None = None
    materials: list[RawDescriptor] | None = None


_DECODER = msgspec.json.Decoder(_Provenance)


def _read(statement: Statement) -> _Provenance:
    found = read_spelled(_DECODER, statement.predicate, _OLD_NAMES, _FREE_FORM)
    required(found.builder.id, where="$.predicate.builder.id")
    return found


def _config(found: _Provenance) -> list[RawDescriptor]:
    source = found.invocation.config_source if found.invocation else None
    named = source and (source.uri or source.digest)
    return [RawDescriptor(uri=source.uri, digest=source.digest)] if source and named else []


def _times(metadata: _Metadata) -> tuple[str, str]:
    where = "$.predicate.metadata"
    started = utc(metadata.build_started_on or "", where=f"{where}.buildStartedOn")
    return started, utc(metadata.build_finished_on or "", where=f"{where}.buildFinishedOn")


def _project(statement: Statement, signer: str) -> GraphDelta:
    found = _read(statement)
    metadata, builder = found.metadata or _Metadata(), found.builder.id
    started, ended = _times(metadata)
    delta, subjects = opening(statement, signer)
    key = run(
        delta,
        statement,
        builder=builder,
        invocation=metadata.build_invocation_id or "",
        activity="build",
        started=started,
        ended=ended,
    )
    delta.detail(key, "Build type", found.build_type)
    made(delta, key, builder, zip(subjects, (each.uri for each in statement.subjects), strict=True))
    listed = found.materials or []
    keys = references(delta, listed, where="$.predicate.materials")
    used(delta, key, builder, zip(keys, (each.uri or "" for each in listed), strict=True))
    config = _config(found)
    try:
        keys = references(delta, config, where="")
    except MalformedError as error:
        where = error.where.removeprefix("[0]")
        raise MalformedError(error.message, where=f"$.predicate.invocation.configSource{where}") from None
    used(delta, key, builder, zip(keys, (each.uri or "" for each in config), strict=True))
    return delta.finished()


def _describe(statement: Statement) -> Rows:
    found = _read(statement)
    metadata = found.metadata or _Metadata()
    started, ended = _times(metadata)
    source = found.invocation.config_source if found.invocation else None
    return (
        rows(
            ("Built by", found.builder.id),
            ("Build type", found.build_type),
            ("Invocation", metadata.build_invocation_id),
            ("Started", started),
            ("Finished", ended),
            ("Said to be reproducible", "yes" if metadata.reproducible else ""),
            ("Entry point", source.entry_point if source else ""),
        )
        + told_all("Configured by", _config(found))
        + told_all("Used", found.materials or [])
    )


PREDICATE = PredicateType(
    uris=("https://slsa.dev/provenance/v0.2",),
    slug="slsa-provenance-v02",
    title="SLSA provenance v0.2",
    summary="Says which builder built something, when, and from what, as older builders write it.",
    project=_project,
    describe=_describe,
    schema="slsa-provenance-v02.json",
    example="slsa-provenance-v02.json",
    materials=("materials",),
    speaks_for=of_run,
)
