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
from lineage.services import mlflow_state
from lineage.services.sync_runs import tombstone
from lineage.services.sync_visit import Visit

CHUNK = 500


def gone(visit: Visit) -> None:
    """Ask for each run and logged model that is known and was not met. After a sweep only."""
    if not visit.sweep or visit.first:
        return
    looks: tuple[
        tuple[str, Callable[[str], dict[str, Any] | None], Callable[[Mapping[str, Any]], Record]], ...
    ] = (
        ("run", visit.server.run, records.run),
        ("logged-model", visit.server.logged_model, records.logged_model),
        ("experiment", visit.server.experiment, records.experiment),
    )
    for kind, ask, read in looks:
        for row in _missed(visit, kind):
            visit.progress(f"{kind} that was not listed")
            with visit.each(kind, row.external_id):
                raw = ask(row.external_id)
                if raw is None:
                    tombstone(visit, row)
                else:
                    visit.recorder.offer(read(raw), row, run=row.run_id)


def registrations_gone(visit: Visit) -> None:
    """The same for the registry, whose listing was complete."""
    if not visit.sweep or visit.first:
        return
    for kind in ("model-version", "registered-model"):
        for row in _missed(visit, kind):
            visit.progress(f"{kind} that was not listed")
            with visit.each(kind, row.external_id):
                name, _, version = row.external_id.rpartition("/")
                if kind == "registered-model":
                    there = visit.server.registered_model(row.external_id)
                else:
                    there = visit.server.model_version(name, version)
                if there is None:
                    tombstone(visit, row)


def _missed(visit: Visit, kind: str) -> Iterator[SourceObject]:
    """Their ids first: their records are as large as users like, and written to meanwhile."""
    met = visit.seen.get(kind, set())
    rows = SourceObject.objects.filter(source=visit.name, kind=kind).exclude(state="purged")
    ids = rows.order_by("external_id").values_list("external_id", flat=True)
    missed = [each for each in ids.iterator() if each not in met]
    for at in range(0, len(missed), CHUNK):
        yield from mlflow_state.known(visit.name, kind, missed[at : at + CHUNK]).values()
