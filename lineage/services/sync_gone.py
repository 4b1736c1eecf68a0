"""What a sweep did not meet: asked for by its id, and where it is no more, recorded as gone.

Owns: telling "gone" from "could not be listed". On our side nothing is ever deleted: a tombstone is one more
record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from lineage.db.models import SourceObject
from lineage.mlflow import records
from lineage.mlflow.records import Record
from lineage.services import mlflow_state, sync_runs
from lineage.services.sync_runs import tombstone
from lineage.services.sync_visit import Visit

CHUNK = 500

Raw = Mapping[str, Any]
Found = Callable[[Visit, Raw, SourceObject], None]


def gone(visit: Visit) -> None:
    """Ask for each run, logged model and experiment that is known and was not met. After a sweep only."""
    _look(visit, "run", visit.server.run, sync_runs.found_again)
    _look(visit, "logged-model", visit.server.logged_model, _as(records.logged_model))
    _look(visit, "experiment", visit.server.experiment, _as(records.experiment))


def registrations_gone(visit: Visit) -> None:
    """The same for the registry. Its listing was complete, so what is there all the same is met next time."""

    def version(external_id: str) -> Raw | None:
        name, _, number = external_id.rpartition("/")
        return visit.server.model_version(name, number)

    _look(visit, "model-version", version, None)
    _look(visit, "registered-model", visit.server.registered_model, None)


def _as(read: Callable[[Raw], Record]) -> Found:
    def record(visit: Visit, raw: Raw, row: SourceObject) -> None:
        visit.recorder.offer(read(raw), row, run=row.run_id)

    return record


def _look(visit: Visit, kind: str, ask: Callable[[str], Raw | None], found: Found | None) -> None:
    """Of each that was missed a tombstone, or where it is there `found`."""
    if not visit.sweep or visit.first:
        return
    for row in _missed(visit, kind):
        visit.progress(f"{kind} that was not listed")
        with visit.each(kind, row.external_id):
            raw = ask(row.external_id)
            if raw is None:
                tombstone(visit, row)
            elif found is not None:
                found(visit, raw, row)


def _missed(visit: Visit, kind: str) -> Iterator[SourceObject]:
    """Their ids first: their records are as large as users like, and written to meanwhile."""
    met = visit.seen.get(kind, set())
    # Nothing but what the index over ids holds: whether a row is purged is in the row.
    rows = SourceObject.objects.filter(source=visit.name, kind=kind)
    ids = rows.order_by("external_id").values_list("external_id", flat=True)
    missed = [each for each in ids.iterator() if each not in met]
    for at in range(0, len(missed), CHUNK):
        found = mlflow_state.known(visit.name, kind, missed[at : at + CHUNK]).values()
        yield from (row for row in found if row.state != "purged")
