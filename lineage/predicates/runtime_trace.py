"""in-toto runtime traces: a monitor watched the process that a thing came of.

The files in it are no edges: what was accessed may have been read or written. Makes nothing verified.
Source: in-toto attestation, spec/predicates/runtime-trace.md (v0.1).
"""

from __future__ import annotations

import msgspec

from lineage.errors import MalformedError
from lineage.graph.model import GraphDelta
from lineage.predicates.base import PredicateType, Rows
from lineage.predicates.findings import looked_at, mention, mentioned
from lineage.predicates.members import rows
from lineage.predicates.wire import MAX_REFERENCES, Wire, limited, read, utc
from lineage.trust.statement import RawDescriptor, Statement

SHOWN = 20
Events = list[dict[str, msgspec.Raw]]


class _Monitor(Wire, frozen=True):
    type: str
    config_source: RawDescriptor | None = None
    trace_policy: dict[str, msgspec.Raw] | None = None


class _Process(Wire, frozen=True):
    type: str
    event: str
    host_id: str = msgspec.field(name="hostID")


class _Log(Wire, frozen=True):
    process: Events | None = None
    network: Events | None = None
    file_access: list[RawDescriptor] | None = None


class _Metadata(Wire, frozen=True):
    build_started_on: str | None = None
    build_finished_on: str | None = None


class _Trace(Wire, frozen=True):
    monitor: _Monitor
    monitored_process: _Process
    monitor_log: _Log
    metadata: _Metadata | None = None


_DECODER = msgspec.json.Decoder(_Trace)


def _facts(trace: _Trace) -> Rows:
    """What is shown on the artifact and of the statement. Raises MalformedError, TooLargeError."""
    log, where = trace.monitor_log, "$.predicate.monitorLog"
    if log.process is None and log.network is None and log.file_access is None:
        raise MalformedError("A monitor's log has process, network or fileAccess.", where=where)
    limited(log.process or [], MAX_REFERENCES, where=f"{where}.process")
    limited(log.network or [], MAX_REFERENCES, where=f"{where}.network")
    files = mentioned(log.file_access or [], where=f"{where}.fileAccess")
    metadata = trace.metadata or _Metadata()
    times = "$.predicate.metadata"
    return rows(
        ("Monitored by", trace.monitor.type),
        ("Monitored process", trace.monitored_process.event),
        ("On host", trace.monitored_process.host_id),
        ("Started", utc(metadata.build_started_on or "", where=f"{times}.buildStartedOn")),
        ("Finished", utc(metadata.build_finished_on or "", where=f"{times}.buildFinishedOn")),
        ("Processes seen", len(log.process) if log.process is not None else None),
        ("Network events seen", len(log.network) if log.network is not None else None),
        ("Files accessed", len(files) if log.file_access is not None else None),
    )


def _project(statement: Statement, signer: str) -> GraphDelta:
    facts = _facts(read(_DECODER, statement.predicate))
    mention(read(_DECODER, statement.predicate).monitor.config_source, where=_CONFIG)
    delta, subjects = looked_at(statement, signer)
    said = "; ".join(f"{label.lower()} {value}" for label, value in facts)
    for subject in subjects:
        delta.detail(subject, "Runtime trace", said)
    return delta.finished()


_CONFIG = "$.predicate.monitor.configSource"


def _describe(statement: Statement) -> Rows:
    trace = read(_DECODER, statement.predicate)
    files = mentioned(trace.monitor_log.file_access or [], where="$.predicate.monitorLog.fileAccess")
    return (
        _facts(trace)
        + rows(
            ("Kind of process", trace.monitored_process.type),
            ("Monitor's configuration", mention(trace.monitor.config_source, where=_CONFIG)),
        )
        + rows(*(("Accessed", file) for file in files[:SHOWN]))
    )


PREDICATE = PredicateType(
    uris=("https://in-toto.io/attestation/runtime-trace/v0.1",),
    slug="runtime-trace",
    title="Runtime trace",
    summary="Says what a monitor saw while something was made.",
    project=_project,
    describe=_describe,
    schema="runtime-trace.json",
    example="runtime-trace.json",
)
