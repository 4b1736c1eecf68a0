"""Runs of every state: found without missing or doubling one, fetched whole, recorded.

Owns: which runs have to be fetched. Does not own: paging (`lineage.mlflow.paging`), deletions (`sync_gone`).

A search leaves a run's model inputs out, so what is new is fetched whole; a sweep fetches every run, because
nothing in a search shows that a model input was added.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from lineage.db.models import SourceObject, SourceProblem
from lineage.mlflow import records, run_gaps, stated
from lineage.mlflow.errors import SourceError
from lineage.mlflow.records import Record
from lineage.services import dataset_bytes, mlflow_state
from lineage.services.sync_visit import FILE_NAME, MODEL_NAME, Visit

KIND = "run"
OVERLAP_MS = 10 * 60_000
"""How far before the newest end a poll looks again: clocks differ, and runs arrive late."""
PAGE = 500

Raw = Mapping[str, Any]


def runs(visit: Visit, experiments: Sequence[str], ended_ms: int) -> None:
    """All of them in a sweep; else what ended since `ended_ms`, what runs, what ran at the last look, and
    what could not be read then."""
    if visit.sweep:
        _pages(visit, visit.server.all_runs(experiments))
        return
    unread = _unread(visit.name)
    _pages(visit, visit.server.runs_ended_since(experiments, max(0, ended_ms - OVERLAP_MS)))
    _pages(visit, visit.server.open_runs(experiments))
    for ids in _open(visit.name):
        found: set[str] = set()
        for page in visit.server.runs_by_id(experiments, ids):
            found |= {_id(raw) for raw in page}
            _page(visit, page)
        _fetched(visit, [run_id for run_id in ids if run_id not in found], {})
    _fetched(visit, [run_id for run_id in unread if (KIND, run_id) in visit.problems], {})


def _unread(source: str) -> list[str]:
    """Ids of runs that could not be read, PAGE at most, the one that was last tried longest ago first.

    A search for what is new does not show them any more once a later run has ended.
    """
    listed = SourceProblem.objects.filter(source=source, kind=KIND).order_by("last_us")
    return list(listed.values_list("external_id", flat=True)[:PAGE])


def _open(source: str) -> Iterator[list[str]]:
    """Ids of the runs that had not ended when they were recorded, in sets."""
    rows = SourceObject.objects.filter(source=source, kind=KIND, ended=False).exclude(state="purged")
    # Put in order here: asked for in order, SQLite reads every run to the last along another index.
    ids = sorted(rows.values_list("external_id", flat=True))
    for at in range(0, len(ids), PAGE):
        yield ids[at : at + PAGE]


def _pages(visit: Visit, pages: Iterator[list[dict[str, Any]]]) -> None:
    for page in pages:
        for at in range(0, len(page), PAGE):
            _page(visit, page[at : at + PAGE])


def _page(visit: Visit, page: Sequence[Raw]) -> None:
    """Fetch of a page of a search what is new, or everything in a sweep after the first."""
    listed = {_id(raw): _digest(raw) for raw in page}
    for raw in page:
        visit.newest_end_ms = max(visit.newest_end_ms, _end(raw))
    known = mlflow_state.known(visit.name, KIND, listed)
    again = visit.sweep and not visit.first
    wanted = [
        run_id
        for run_id, digest in listed.items()
        if again or run_id not in known or known[run_id].seen_digest != digest
    ]
    for run_id in listed:
        visit.met(KIND, run_id)
    done = _fetched(visit, wanted, known)
    visit.recorder.flush()
    # Fetched later than it was listed: where it moved in between, the next look shows another listing.
    for row in mlflow_state.known(visit.name, KIND, done).values():
        visit.after_flush(row.pk, "seen_digest", listed[row.external_id])
    visit.flush()


def _fetched(visit: Visit, ids: Sequence[str], known: Mapping[str, SourceObject]) -> list[str]:
    """Fetch and record these runs; one that is no more gets its tombstone. Returns the ids of all that could
    be read."""
    done: list[str] = []
    if not ids:
        return done
    known = known or mlflow_state.known(visit.name, KIND, ids)
    with_models = _with_models(visit, ids)
    for run_id, raw in visit.server.run_many(ids):
        visit.progress("runs")
        before = known.get(run_id)
        with visit.each(KIND, run_id):
            if isinstance(raw, SourceError):
                raise raw
            if raw is None:
                tombstone(visit, before)
            else:
                _record(visit, raw, before, with_models)
            done.append(run_id)
    return done


def found_again(visit: Visit, raw: Raw, before: SourceObject) -> None:
    """Record a run that was asked for by its id."""
    _record(visit, raw, before, _with_models(visit, [before.external_id]))


def _record(visit: Visit, raw: Raw, before: SourceObject | None, with_models: set[str]) -> None:
    record = records.run(raw)
    visit.recorder.offer(record, before, run=record.id, gaps=_gaps(visit, record, with_models))


def _with_models(visit: Visit, ids: Sequence[str]) -> set[str]:
    """Of these runs those that a logged model names as its source."""
    models = SourceObject.objects.filter(source=visit.name, kind="logged-model", run_id__in=ids)
    return set(models.values_list("run_id", flat=True))


def tombstone(visit: Visit, before: SourceObject | None) -> None:
    """Record that something and its files are gone for good; nothing of what was not known, or is gone."""
    if before is None or before.state == "purged":
        return
    visit.solved(MODEL_NAME, before.external_id)
    visit.solved(FILE_NAME, f"{before.kind} {before.external_id}")
    last = records.decode(mlflow_state.unpack(bytes(before.record)))
    visit.recorder.offer(records.purged(last), before, run=before.run_id)
    files = mlflow_state.known(visit.name, f"{before.kind}-files", [before.external_id])
    tombstone(visit, files.get(before.external_id))


def _gaps(visit: Visit, record: Record, with_models: set[str]) -> list[str]:
    """Models that are ready count as hashed until that fails: runs are recorded before files are read."""
    inputs = stated.models_in(record)
    files = mlflow_state.known(visit.name, "logged-model-files", inputs)
    hashed = {model_id for model_id, row in files.items() if row.first_artifact}
    for model_id, row in mlflow_state.known(visit.name, "logged-model", inputs).items():
        if model_id not in files and mlflow_state.unpack(bytes(row.record)).get("status") == "READY":
            hashed.add(model_id)
    made = record.id in with_models or bool(stated.models_out(record))
    return run_gaps.gaps(record, hashed, made, dataset_bytes.readable_datasets(visit.source, record))


def _id(raw: Raw) -> str:
    return str(raw["info"]["run_id"])


def _end(raw: Raw) -> int:
    end = raw["info"].get("end_time")
    return end if isinstance(end, int) else 0


def _digest(raw: Raw) -> str:
    return hashlib.sha256(msgspec.json.encode(raw, order="deterministic")).hexdigest()
