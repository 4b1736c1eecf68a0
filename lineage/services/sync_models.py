"""Experiments, logged models, registered models and their versions.

Owns: which of them are looked at, and which artifacts a registration is about. Does not own: bytes
(`sync_bytes`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from lineage.db.models import SourceObject
from lineage.graph.model import artifact_key
from lineage.mlflow import records
from lineage.mlflow.provenance import ModelBytes, about
from lineage.mlflow.records import Record
from lineage.services import mlflow_state
from lineage.services.model_bytes import of_models
from lineage.services.sync_visit import MODEL_NAME, Visit

OVERLAP_MS = 10 * 60_000
PAGE = 500

Raw = Mapping[str, Any]


def experiments(visit: Visit) -> list[str]:
    """Record every experiment, deleted ones too; returns all their ids."""
    ids: list[str] = []
    for page in visit.server.experiments():
        ids += [str(raw["experiment_id"]) for raw in page]
        _offer(visit, "experiment", page, records.experiment)
    return ids


def logged_models(visit: Visit, experiments: Sequence[str], since_ms: int) -> None:
    """Those that changed since; all of them in a sweep."""
    since = None if visit.sweep else max(0, since_ms - OVERLAP_MS)
    for page in visit.server.logged_models(experiments, since):
        for raw in page:
            changed = raw.get("info", {}).get("last_updated_timestamp_ms")
            visit.newest_model_ms = max(visit.newest_model_ms, changed if isinstance(changed, int) else 0)
        _offer(visit, "logged-model", page, records.logged_model)


def registry(visit: Visit, since_ms: int) -> None:
    """All registered models, because moving an alias changes no time; versions that changed since."""
    since = None if visit.sweep else max(0, since_ms - OVERLAP_MS)
    for page in visit.server.model_versions(since):
        for raw in page:
            changed = raw.get("last_updated_timestamp")
            visit.newest_version_ms = max(visit.newest_version_ms, changed if isinstance(changed, int) else 0)
        _offer(visit, "model-version", page, records.model_version)
    visit.recorder.flush()
    for page in visit.server.registered_models():
        _offer(visit, "registered-model", page, records.registered_model)


def name_artifacts(visit: Visit) -> None:
    """Say of versions and registered models which artifacts they are about, where that was not known yet."""
    for kind in ("model-version", "registered-model"):
        rows = SourceObject.objects.filter(source=visit.name, kind=kind, state="present", artifact="")
        for row in rows.order_by("external_id").iterator(PAGE):
            record = records.decode(mlflow_state.unpack(bytes(row.record)))
            if described := _about(visit, record, None):
                visit.recorder.offer(record, row, run=row.run_id, about=described)
    visit.recorder.flush()
    _name_champions(visit)


def _name_champions(visit: Visit) -> None:
    """The same for models that an alias has named since, and that were hashed only after that."""
    rows = SourceObject.objects.filter(source=visit.name, kind="registered-model", state="present")
    for row in rows.exclude(artifact="").order_by("external_id").iterator(PAGE):
        record = records.decode(mlflow_state.unpack(bytes(row.record)))
        versions = [f"{record.id}/{version}" for version in record.content["aliases"].values()]
        named = mlflow_state.known(visit.name, "model-version", versions).values()
        if not any(version.artifact and version.entry_index > row.entry_index for version in named):
            continue
        about = _about(visit, record, None)
        said = mlflow_state.observation(row.entry_index)
        known = {artifact_key(each.digest or {}) for each in said.about} if said else set()
        if {artifact_key(each["digest"]) for each in about} - known:
            visit.recorder.offer(record, row, about=about, about_news=True)


def _offer(visit: Visit, kind: str, page: Sequence[Raw], read: Callable[[Raw], Record]) -> None:
    """Record one page of a listing."""
    for at in range(0, len(page), PAGE):
        found: list[Record] = []
        for raw in page[at : at + PAGE]:
            with visit.each(kind, _named(kind, raw)):
                found.append(read(raw))
        known = mlflow_state.known(visit.name, kind, [record.id for record in found])
        for record in found:
            visit.met(kind, record.id)
            visit.progress(kind)
            before = known.get(record.id)
            with visit.each(kind, record.id):
                # Every poll lists all registered models: what one is about is asked for where it may be news.
                if before is None or before.digest != record.digest or not before.artifact:
                    run = str(record.content.get("run_id") or "")
                    visit.recorder.offer(record, before, run=run, about=_about(visit, record, before))
            if kind == "registered-model":  # its versions have its name too
                visit.named(MODEL_NAME, record.id, [record.id])


def _named(kind: str, raw: Raw) -> str:
    """What a record that can't be read is listed under."""
    members = {
        "experiment": raw.get("experiment_id"),
        "logged-model": (raw.get("info") or {}).get("model_id"),
        "model-version": f"{raw.get('name')}/{raw.get('version')}",
        "registered-model": raw.get("name"),
    }
    return str(members[kind])[:400]


def _about(visit: Visit, record: Record, before: SourceObject | None) -> list[dict[str, Any]]:
    """The artifacts that a version is, or that a registered model's aliases name or named."""
    if record.kind == "model-version":
        return _described(visit, [str(record.content.get("model_id") or "")])
    if record.kind != "registered-model":
        return []
    aliases = [record.content["aliases"]]
    if before is not None:
        aliases.append(mlflow_state.unpack(bytes(before.record)).get("aliases") or {})
    versions = dict.fromkeys(f"{record.id}/{version}" for each in aliases for version in each.values())
    rows = mlflow_state.known(visit.name, "model-version", versions)
    models = (
        str(mlflow_state.unpack(bytes(rows[version].record)).get("model_id") or "")
        for version in versions
        if version in rows
    )
    return _described(visit, models)


def _described(visit: Visit, model_ids: Iterable[str]) -> list[dict[str, Any]]:
    known: Mapping[str, ModelBytes] = of_models(visit.name, [each for each in model_ids if each])
    return [about(model, source=visit.name) for model in known.values() if model.digest]
