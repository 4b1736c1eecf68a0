"""When a run ended at the latest: a client writes its own end, and the log knows when we first saw one.

Owns: walking back a run's states in the log. Does not own: what depends on it (`dataset_bytes`).
"""

from __future__ import annotations

from lineage.db.models import Entry, SourceObject
from lineage.mlflow import records
from lineage.mlflow.records import Record
from lineage.services import mlflow_state
from lineage.services.clock import now_us

MAX_STATES = 50
"""States after the end that are walked back; of a run that was edited more often the first sight counts."""


def latest_end_ms(source: str, run: Record) -> int | None:
    """The end that the run claims, in milliseconds since the epoch, but not after we first saw it ended.

    A run that goes on and ends again has a new end. None where it claims no end.
    """
    claimed = run.content.get("end_time")
    if not isinstance(claimed, int):
        return None
    row = mlflow_state.known(source, "run", [run.id]).get(run.id)
    if row is None or not row.ended:
        return min(claimed, now_us() // 1_000)  # this is the first sight of its end
    first = _received_ms(row.first_index)
    return claimed if claimed <= first else min(claimed, _seen_ended_ms(row, first))


def _seen_ended_ms(row: SourceObject, first: int) -> int:
    index = row.entry_index
    for _ in range(MAX_STATES):
        said = mlflow_state.observation(index)
        if said is None:
            return first
        if said.previous is None:
            return _received_ms(index)
        before = mlflow_state.observation(said.previous.entry)
        if before is None:
            return first
        if not records.decode(before.record).ended:
            return _received_ms(index)
        index = said.previous.entry
    return first


def _received_ms(index: int) -> int:
    received: int = Entry.objects.values_list("received_us", flat=True).get(pk=index)
    return received // 1_000
