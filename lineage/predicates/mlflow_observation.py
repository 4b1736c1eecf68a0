"""Our `mlflow-observation:v1`: what our collector saw of one thing on an MLflow server, and what had changed.

The subject is the record's digest. A record is no artifact, so it makes no node: runs and the artifacts that
things on the server consist of do. Source: docs/predicates/mlflow-observation.md.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from lineage.graph.model import ClaimKind, EdgeType, GraphDelta
from lineage.predicates.artifact_refs import Descriptor, folder_files, references, told_all
from lineage.predicates.base import BadNews, PredicateType, Rows
from lineage.predicates.delta import Delta
from lineage.predicates.members import Machine, machines, rows
from lineage.predicates.mlflow_reading import (
    MAX_CHANGES,
    Change,
    Kind,
    Object,
    Observation,
    Previous,
    Server,
    State,
    read,
)
from lineage.predicates.runs import FOLLOWED, run
from lineage.predicates.wire import clean, utc
from lineage.trust import leaf
from lineage.trust.statement import Statement

__all__ = [
    "MAX_CHANGES",
    "PREDICATE",
    "TYPE",
    "Change",
    "Kind",
    "Object",
    "Observation",
    "Previous",
    "Server",
    "State",
    "builder_id",
    "read",
]

TYPE = "urn:lineage:predicate:mlflow-observation:v1"

_OF_RUNS = frozenset({"run", "run-files", "run-lineage"})
_ACTIVITY = re.compile(r"[a-z][a-z0-9]{0,20}(?:-[a-z0-9]{1,20}){0,2}", re.ASCII)
_MACHINE = re.compile(r"(?:hw:|sha256:)?([0-9a-f]{64})", re.ASCII)
_ENDED = frozenset({"FINISHED", "FAILED", "KILLED"})


def builder_id(source: str) -> str:
    """The builder whose runs are those of the MLflow server that is followed as `source`."""
    return f"{FOLLOWED}{source}"


def moment(ms: object) -> str:
    """Milliseconds since the epoch as RFC 3339 in UTC; "" where it is no such number, or in no such year."""
    if isinstance(ms, bool) or not isinstance(ms, int):
        return ""
    try:
        return leaf.rfc3339(ms * 1_000)
    except OverflowError:
        return ""


def _project(statement: Statement, signer: str) -> GraphDelta:
    told = read(statement)
    delta = Delta(signer)
    if told.object.kind in _OF_RUNS:
        key = _run(delta, statement, told)
        for used in references(delta, told.used, where="$.predicate.used"):
            delta.edge(key, EdgeType.USED, used)
        for made in _artifacts(delta, told.generated, told, where="$.predicate.generated"):
            delta.edge(made, EdgeType.WAS_GENERATED_BY, key)
    if told.object.kind == "dataset" and told.run:
        # The run that brought another source or content under a known name.
        run(delta, statement, builder=builder_id(told.source), invocation=told.run)
    for key in _artifacts(delta, told.about, told, where="$.predicate.about"):
        if told.object.kind == "logged-model-files":
            _files(delta, key, told)
        elif told.object.kind == "model-version":
            delta.claim(key, ClaimKind.NAME, told.object.id)
            delta.claim(key, ClaimKind.VERSION, _text(told.record.get("version")))
    return delta.finished()


def _run(delta: Delta, statement: Statement, told: Observation) -> str:
    """The run, with what its record says of it. What may still change is only said once it has ended."""
    record = told.record
    whole = told.object.kind == "run"
    ended = _text(record.get("status")) in _ENDED
    key = run(
        delta,
        statement,
        builder=builder_id(told.source),
        invocation=told.object.id,
        name=told.object.name if told.object.name != told.object.id else "",
        activity=_activity(told, ended),
        started=moment(record.get("start_time")),
        ended=moment(record.get("end_time")) if ended else "",
    )
    delta.claim(key, ClaimKind.FINGERPRINT, f"mlflow-run:{told.source}/{told.object.id}")
    if whole:
        for label, value in _facts(record, ended=ended):
            delta.detail(key, label, value)
        machines(delta, key, _machines(record), where="$.predicate.record.tags")
        _state(delta, key, told)
    return key


def _facts(record: dict[str, Any], *, ended: bool) -> Rows:
    source = record.get("source")
    code = source if isinstance(source, dict) else {}
    return rows(
        ("MLflow status", _text(record.get("status")) if ended else ""),
        ("Experiment", _text(record.get("experiment_id"))),
        ("User", _text(record.get("user"))),
        ("Started from", _text(code.get("name"))),
        ("Git commit", _text(code.get("commit"))),
        ("Git branch", _text(code.get("branch"))),
        ("Git repository", _text(code.get("repo"))),
        ("Parent run", _text(record.get("parent"))),
        ("MLflow artifacts", _text(record.get("artifact_uri"))),
    )


def _state(delta: Delta, key: str, told: Observation) -> None:
    """That it was deleted, purged or restored, with the time: it stays true whatever happens next."""
    seen = utc(told.observed_at, where="$.predicate.observedAt")
    if told.object.state != "present":
        delta.detail(key, f"{told.object.state.capitalize()} in MLflow", f"seen {seen}")
    elif any(change.field == "state" for change in told.changes):
        delta.detail(key, "Restored in MLflow", f"seen {seen}")


def _activity(told: Observation, ended: bool) -> str:
    """What kind of run it was, as a tag says; or by models: it made one (training), or only used some."""
    if told.object.kind == "run-lineage":
        return "training" if told.generated else ""
    stated = _tag(told.record, "lineage.activity")
    if _ACTIVITY.fullmatch(stated):
        return stated
    if _items(told.record, "models_out"):  # one that is evaluated where it was trained is an input too
        return "training"
    return "evaluation" if ended and _items(told.record, "models_in") else ""


def _machines(record: dict[str, Any]) -> list[Machine]:
    """The machines that the tag `lineage.hardware` names by digest; other words in it name none."""
    words = _tag(record, "lineage.hardware").replace(",", " ").split()
    return [Machine(digest={"sha256": found[1]}) for word in words if (found := _MACHINE.fullmatch(word))]


def _artifacts(
    delta: Delta, descriptors: Sequence[Descriptor], told: Observation, *, where: str
) -> tuple[str, ...]:
    """Enter artifacts that the observation attests, with their files where the descriptor lists them."""
    keys = references(delta, descriptors, where=where, role="model")
    for number, (key, descriptor) in enumerate(zip(keys, descriptors, strict=True)):
        delta.claim(key, ClaimKind.ATTESTED, TYPE)
        annotations = descriptor.annotations or {}
        if key.startswith("dirHash:") and "files" in annotations:
            listed, at = annotations["files"], f"{where}[{number}].annotations.files"
            folder_files(delta, listed, key.partition(":")[2], attested=TYPE, where=at)
        model_id = annotations.get("mlflowModelId")
        if isinstance(model_id, str) and model_id:
            delta.claim(key, ClaimKind.FINGERPRINT, f"mlflow-model:{told.source}/{model_id}")
    return keys


def _files(delta: Delta, key: str, told: Observation) -> None:
    """The model's id, and its files out of the record, where it lists each with its digest."""
    delta.claim(key, ClaimKind.FINGERPRINT, f"mlflow-model:{told.source}/{told.object.id}")
    listed = told.record.get("files")
    if not key.startswith("dirHash:") or not isinstance(listed, dict):
        return
    digests = {p: f.get("sha256") for p, f in listed.items() if isinstance(f, dict)}
    if listed and len(digests) == len(listed) and all(isinstance(d, str) for d in digests.values()):
        expected = key.partition(":")[2]
        folder_files(delta, digests, expected, attested=TYPE, where="$.predicate.record.files")


def _tag(record: dict[str, Any], name: str) -> str:
    tags = _uncut(record.get("tags"))
    return _text(tags.get(name)) if isinstance(tags, dict) else ""


def _items(record: dict[str, Any], name: str) -> list[Any]:
    value = _uncut(record.get(name))
    return value if isinstance(value, list) else []


def _uncut(value: object) -> object:
    """A map or list of a record; of one that was too long for it what it shows."""
    cut = isinstance(value, dict) and set(value) == {"count", "sha256", "first"}
    # Users may give their own params these names, but no number as a value.
    return value["first"] if isinstance(value, dict) and cut and isinstance(value["count"], int) else value


def _text(value: object) -> str:
    """A text of a record; of a folded one its beginning."""
    if isinstance(value, dict):
        value = value.get("begins")
        return f"{value}…" if isinstance(value, str) else ""
    return value if isinstance(value, str) else ""


def told_change(change: Change) -> str:
    """What a change was, in words."""
    if change.before is None:
        return f"added: {change.after}"
    if change.after is None:
        return f"removed; it was: {change.before}"
    return f"from {change.before} to {change.after}"


def _describe(statement: Statement) -> Rows:
    told = read(statement)
    server = " ".join(part for part in (told.server.url, told.server.version) if part)
    heading = rows(
        ("Source", told.source),
        ("MLflow server", server),
        ("What", f"{told.object.kind} {told.object.id}"),
        ("Name", told.object.name if told.object.name != told.object.id else ""),
        ("State", told.object.state),
        ("Observed", utc(told.observed_at, where="$.predicate.observedAt")),
        ("Of run", told.run),
        ("Changed after it finished", "yes" if told.after_end else ""),
        ("Record before", f"{told.previous.record}, entry {told.previous.entry:,}" if told.previous else ""),
    )
    changed = rows(
        *((clean(f"Changed: {each.field} {each.name}".rstrip()), told_change(each)) for each in told.changes)
    )
    ended = _text(told.record.get("status")) in _ENDED
    facts = _facts(told.record, ended=ended) if told.object.kind == "run" else ()
    related = told_all("Used", told.used) + told_all("Made", told.generated)
    return heading + changed + facts + related + told_all("About", told.about) + rows(("Gaps", told.gaps))


def _bad_news(statement: Statement) -> BadNews | None:
    """That somebody changed or deleted something stays on record; what it was may be personal, and goes."""
    told = read(statement)
    said = [
        f"the {told.object.kind} was {told.object.state}" if told.object.state != "present" else "",
        f"{len(told.changes)} changes after it had finished" if told.after_end and told.changes else "",
    ]
    words = ", ".join(each for each in said if each)
    return BadNews(f"an observation: {words}", erasable=True) if words else None


PREDICATE = PredicateType(
    uris=(TYPE,),
    slug="mlflow-observation",
    title="MLflow observation",
    summary="Says what was seen of a run, model or version on an MLflow server, and what had changed since.",
    project=_project,
    describe=_describe,
    schema="mlflow-observation.json",
    example="mlflow-observation.json",
    bad_news=_bad_news,
)
