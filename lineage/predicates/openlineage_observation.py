"""Our `openlineage-observation:v1`: one OpenLineage event as a client sent it, signed by our collector.

An event carries no signature, so all of it is hearsay: a run, and data sets by their names, which stay gaps.
The subject is the event's digest. It is no artifact and makes no node.
Source: docs/predicates/openlineage-observation.md; OpenLineage 2-0-2 (RunEvent, JobEvent, DatasetEvent).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from lineage.errors import MalformedError
from lineage.graph.model import ClaimKind, EdgeType, GraphDelta, NodeKind, artifact_key, uri_key
from lineage.predicates import wire
from lineage.predicates.base import PredicateType, Rows
from lineage.predicates.delta import Delta
from lineage.predicates.runs import run
from lineage.predicates.wire import Wire, clean, limited, required, utc
from lineage.trust import canonical
from lineage.trust.digest import parse_digest_set
from lineage.trust.statement import Statement

TYPE = "urn:lineage:predicate:openlineage-observation:v1"
BUILDERS = "urn:lineage:openlineage:"
MAX_DATASETS = 2_000
"""Data sets of each member that one event may name."""

_SHOWN = 20
_NO_DIGEST: Mapping[str, str] = {}
_ENDS = frozenset({"COMPLETE", "FAIL", "ABORT"})


class Dataset(Wire, frozen=True):
    """A data set by its namespace and name as a URI; `digest` where the client said one."""

    uri: str
    name: str = ""
    digest: Mapping[str, str] = _NO_DIGEST


class Job(Wire, frozen=True):
    namespace: str
    name: str


class Observation(Wire, frozen=True):
    """The predicate. `run` is the client's run id, "" of events that are about no run.

    `reported_by` names the API key; `event` is what it sent, secrets masked and long parts cut.
    """

    reported_by: str
    event: dict[str, Any]
    event_type: str = ""
    event_time: str = ""
    producer: str = ""
    job: Job | None = None
    run: str = ""
    used: tuple[Dataset, ...] = ()
    generated: tuple[Dataset, ...] = ()
    about: tuple[Dataset, ...] = ()


_DECODER = msgspec.json.Decoder(Observation)


def builder_id(namespace: str) -> str:
    """The builder whose runs are those that events tell of in this namespace of jobs."""
    return f"{BUILDERS}{namespace}"


def read(statement: Statement) -> Observation:
    """The statement's predicate, once it is shown to be about its subject.

    Raises:
        MalformedError: a member is missing or wrong, or the event is not the subject's.
        TooLargeError: more data sets than there may be.
    """
    told = wire.read(_DECODER, statement.predicate)
    required(told.reported_by, where="$.predicate.reportedBy")
    for member in ("used", "generated", "about"):
        limited(getattr(told, member), MAX_DATASETS, where=f"$.predicate.{member}")
    if told.run and told.job is None:
        raise MalformedError("A run is known by the namespace of its job.", where="$.predicate.job")
    utc(told.event_time, where="$.predicate.eventTime")
    if len(statement.subjects) != 1:
        raise MalformedError("An observation has one subject, its event.", where="$.subject")
    if canonical.digest(told.event) != statement.subjects[0].digests.get("sha256"):
        raise MalformedError(
            "The subject's sha256 is not the event's (of its RFC 8785 form).", where="$.predicate.event"
        )
    return told


def _project(statement: Statement, signer: str) -> GraphDelta:
    told = read(statement)
    delta = Delta(signer)
    key = _run(delta, statement, told) if told.run else ""
    for member, direction in (
        ("used", EdgeType.USED),
        ("generated", EdgeType.WAS_GENERATED_BY),
        ("about", None),
    ):
        for each, artifact in _entered(delta, getattr(told, member), where=f"$.predicate.{member}"):
            if not key or direction is None:
                continue
            source, target = (key, artifact) if direction is EdgeType.USED else (artifact, key)
            delta.edge(source, direction, target)
            if each.digest:
                # A client's word: nobody here saw these bytes, so they can't differ from what was signed.
                delta.claim(key, ClaimKind.DIGESTED, f"{direction} {artifact}")
    return delta.finished()


def _run(delta: Delta, statement: Statement, told: Observation) -> str:
    assert told.job is not None  # `read` has seen to it
    at = utc(told.event_time, where="$.predicate.eventTime")
    key = run(
        delta,
        statement,
        builder=builder_id(told.job.namespace),
        invocation=told.run,
        name=told.job.name,
        started=at if told.event_type == "START" else "",
        ended=at if told.event_type in _ENDS else "",
    )
    delta.detail(key, "OpenLineage event", told.event_type)
    delta.detail(key, "Producer", told.producer)
    delta.detail(key, "Parent run", _parent(told.event))
    return key


def _parent(event: Mapping[str, Any]) -> str:
    """The run that started this one, in words; "" where the event says none.

    It is no edge: it neither used nor made anything here, and the runs of one schedule would all be related.
    The facet is called `parent`, and `parentRun` by older clients.
    """
    run, facets = event.get("run"), {}
    if isinstance(run, dict) and isinstance(run.get("facets"), dict):
        facets = run["facets"]
    for facet in (facets.get("parent"), facets.get("parentRun")):
        members = facet if isinstance(facet, dict) else {}
        job, parent = members.get("job"), members.get("run")
        named = (
            job.get("name") if isinstance(job, dict) else "",
            parent.get("runId") if isinstance(parent, dict) else "",
        )
        if words := " ".join(each for each in named if isinstance(each, str) and each):
            return words
    return ""


def _entered(delta: Delta, listed: Sequence[Dataset], *, where: str) -> Iterator[tuple[Dataset, str]]:
    """Each with its node's key. No location is claimed: an event can't say where bytes are to be checked."""
    for number, each in enumerate(listed):
        required(each.uri, where=f"{where}[{number}].uri")
        digests = parse_digest_set(each.digest, where=f"{where}[{number}].digest") if each.digest else {}
        artifact = artifact_key(digests)
        if each.digest and artifact is None:
            raise MalformedError("This digest identifies nothing.", where=f"{where}[{number}].digest")
        key = delta.node(artifact or uri_key(each.uri), NodeKind.ARTIFACT)
        delta.claim(key, ClaimKind.NAME, each.name or each.uri)
        if artifact is None:
            delta.claim(key, ClaimKind.NAME, each.uri)
            delta.claim(key, ClaimKind.ROLE, "dataset")
        yield each, key


def _describe(statement: Statement) -> Rows:
    told = read(statement)
    named = (
        ("Reported by", told.reported_by),
        ("Event", told.event_type),
        ("Time", utc(told.event_time, where="$.predicate.eventTime")),
        ("Job", f"{told.job.name} in {told.job.namespace}" if told.job else ""),
        ("Run", told.run),
        ("Producer", told.producer),
        ("Parent run", _parent(told.event)),
    )
    rows = [(label, clean(value)) for label, value in named if value]
    for label, listed in (("Used", told.used), ("Made", told.generated), ("About", told.about)):
        rows += [(label, _in_words(each)) for each in listed[:_SHOWN]]
        if len(listed) > _SHOWN:
            rows.append((label, f"and {len(listed) - _SHOWN:,} more"))
    return tuple(rows)


def _in_words(told: Dataset) -> str:
    digests = ", ".join(f"{algorithm}:{value}" for algorithm, value in sorted(told.digest.items()))
    named = f"{told.name} ({told.uri})" if told.name else told.uri
    return clean(f"{named}, {f'said to be {digests}' if digests else 'no digest: a gap'}")


PREDICATE = PredicateType(
    uris=(TYPE,),
    slug="openlineage-observation",
    title="OpenLineage observation",
    summary="Says which OpenLineage event a client sent: a run, what it read and what it wrote, by name.",
    project=_project,
    describe=_describe,
    schema="openlineage-observation.json",
    example="openlineage-observation.json",
)
