"""What the log knows of each thing on an MLflow server: `SourceObject` rows, read from our own observations.

Owns: following the log, so that a sync knows what has been recorded though it was killed in between. Does not
own: looking at servers (`sync`), or what a record is (`lineage.mlflow.records`).

An entry is durable before anything here knows of it, and a sync begins by following: what was recorded is
never recorded again, and a lost table is made anew from the log.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db import transaction

from lineage.db.models import Entry, Envelope, LogHead, SourceObject, SourceState
from lineage.graph.model import artifact_key
from lineage.mlflow import records
from lineage.mlflow.provenance import builder_id
from lineage.predicates import mlflow_observation
from lineage.predicates.mlflow_observation import Observation
from lineage.trust import dsse, statement
from lineage.trust.statement import Statement

OBSERVATION_TYPE = mlflow_observation.PREDICATE.uris[0]
PROVENANCE_TYPE = "https://slsa.dev/provenance/v1"
PROVENANCE = "provenance"
"""Kind of the row of a run's SLSA provenance, beside the kinds of records."""
CHUNK = 500
MAX_RUN_ID = 256
"""Characters. MLflow takes any text for the run of a model version, and an index of a database does not."""


def state_of(source: str) -> SourceState:
    """Where the following of `source` stands."""
    return SourceState.objects.get_or_create(source=source)[0]


def follow(source: str) -> None:
    """Bring the rows of `source` up to the log. Two jobs may do so at a time."""
    state_of(source)
    end = LogHead.objects.values_list("size", flat=True).get(pk=1)
    while True:
        with transaction.atomic():
            state = SourceState.objects.select_for_update().get(source=source)
            if state.followed_index >= end:
                return
            entries, state.followed_index = _entries(state.followed_index, end)
            _write(source, [row for index, said in entries if (row := _row(source, index, said))])
            state.save(update_fields=["followed_index"])


def hold() -> None:
    """Let nobody follow the log until this transaction ends: what somebody has read is in the rows now."""
    list(SourceState.objects.select_for_update().order_by("pk").values_list("pk"))


def _entries(start: int, end: int) -> tuple[list[tuple[int, Statement]], int]:
    """Up to CHUNK of the collector's statements from `start` on, before `end`; and where to go on."""
    found = Entry.objects.filter(
        predicate_type__in=(OBSERVATION_TYPE, PROVENANCE_TYPE),
        kind=Entry.Kind.OBSERVATION,
        index__gte=start,
        index__lt=end,
    ).order_by("index")
    rows = list(found.values_list("index", flat=True)[:CHUNK])
    contents = dict(Envelope.objects.filter(pk__in=rows).values_list("pk", "content"))
    said = []
    for index in rows:
        if index not in contents:
            continue  # redacted: what it said is not known here any more
        envelope = dsse.parse(bytes(contents[index]))
        said.append((index, statement.parse(envelope.payload_type, envelope.payload)))
    return said, (rows[-1] + 1 if len(rows) == CHUNK else end)


def _row(source: str, index: int, said: Statement) -> SourceObject | None:
    """What entry `index` says of a thing on `source`; None where it is about another."""
    if said.predicate_type == PROVENANCE_TYPE:
        return _provenance(source, index, said)
    observation = mlflow_observation.read(said)
    if observation.source != source:
        return None
    about = [artifact_key(descriptor.digest or {}) for descriptor in observation.about]
    artifact = (about[0] or "") if about else ""
    return SourceObject(
        source=source,
        kind=observation.object.kind,
        external_id=observation.object.id,
        digest=said.subjects[0].digests["sha256"],
        state=observation.object.state,
        ended=records.decode(observation.record).ended,
        run_id=observation.run if len(observation.run) <= MAX_RUN_ID else "",
        record=pack(observation.record),
        first_index=index,
        entry_index=index,
        changed_after_end=observation.after_end and bool(observation.changes),
        artifact=artifact,
        first_artifact=artifact,
    )


def _provenance(source: str, index: int, said: Statement) -> SourceObject | None:
    predicate = json.loads(said.predicate)
    details = predicate["runDetails"]
    if details["builder"]["id"] != builder_id(source):
        return None
    run_id = details["metadata"]["invocationId"]
    subjects = [{"name": subject.name, "digest": dict(subject.digests)} for subject in said.subjects]
    return SourceObject(
        source=source,
        kind=PROVENANCE,
        external_id=run_id,
        digest=provenance_digest(subjects, predicate),
        state="present",
        ended=True,
        run_id=run_id,
        record=b"",
        first_index=index,
        entry_index=index,
    )


def observation(index: int) -> Observation | None:
    """What the observation in entry `index` says; None where its envelope was redacted."""
    content = Envelope.objects.filter(pk=index).values_list("content", flat=True).first()
    if content is None:
        return None
    envelope = dsse.parse(bytes(content))
    return mlflow_observation.read(statement.parse(envelope.payload_type, envelope.payload))


_TOLD = ("digest", "state", "ended", "run_id", "record", "entry_index", "changed_after_end", "artifact")


def _write(source: str, news: Sequence[SourceObject]) -> None:
    """Insert or update the rows, in log order; one that knows of a later entry stays."""
    by_place: dict[tuple[str, str], SourceObject] = {}
    for kind in {row.kind for row in news}:
        for row in known(source, kind, [row.external_id for row in news if row.kind == kind]).values():
            by_place[row.kind, row.external_id] = row
    for new in news:
        row = by_place.setdefault((new.kind, new.external_id), new)
        if new.entry_index <= row.entry_index:
            continue
        new.changed_after_end = new.changed_after_end or row.changed_after_end
        row.first_artifact = row.first_artifact or new.artifact
        for name in _TOLD:
            setattr(row, name, getattr(new, name))
    changed = [by_place[place] for place in dict.fromkeys((row.kind, row.external_id) for row in news)]
    new_ones = {id(row) for row in news}
    stored = [row for row in changed if id(row) not in new_ones]
    SourceObject.objects.bulk_create([row for row in changed if id(row) in new_ones])
    SourceObject.objects.bulk_update(stored, [*_TOLD, "first_artifact"], batch_size=200)


def provenance_digest(subjects: Sequence[Mapping[str, Any]], predicate: Mapping[str, Any]) -> str:
    """SHA-256 of what a provenance says, without when it was said; hex."""
    metadata = dict(predicate["runDetails"]["metadata"])
    metadata.pop("observedAt", None)
    details = {**predicate["runDetails"], "metadata": metadata}
    named = [{"name": subject.get("name", ""), "digest": subject["digest"]} for subject in subjects]
    said = [named, {**predicate, "runDetails": details}]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def pack(record: Mapping[str, Any]) -> bytes:
    """A record as it lies in a row."""
    return zlib.compress(json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode())


def blank(row: SourceObject) -> bytes:
    """The record of a row, packed, without what it said: its observation was redacted."""
    heading = {"kind": row.kind, "id": row.external_id, "state": row.state, "name": "", "ended": row.ended}
    return pack(heading | ({"aliases": {}} if row.kind == "registered-model" else {}))


def unpack(packed: bytes) -> dict[str, Any]:
    """What `pack` was given; an empty record for none."""
    found: dict[str, Any] = json.loads(zlib.decompress(packed)) if packed else {}
    return found


def known(source: str, kind: str, ids: Iterable[str]) -> dict[str, SourceObject]:
    """The rows of these ids. No id in the log has U+0000, which PostgreSQL refuses to look for."""
    ids = [each for each in ids if "\0" not in each]
    if not ids:
        return {}
    rows = SourceObject.objects.filter(source=source, kind=kind, external_id__in=ids)
    return {row.external_id: row for row in rows}
