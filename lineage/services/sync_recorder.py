"""What a sync has seen becomes entries: only what is new, each with what it was before, signed, in sets.

Owns: comparing with what the log knows, the observation's form, sets. Does not own: looking (`sync_runs` and
the others), or the rows that it compares with (`mlflow_state`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from lineage.db.models import SourceObject
from lineage.graph.model import artifact_key
from lineage.mlflow import changes
from lineage.mlflow.records import Record
from lineage.services import mlflow_state, observe
from lineage.services.clock import now_us
from lineage.services.log_batch import Prepared
from lineage.trust.leaf import rfc3339

Sink = Callable[[Sequence[Prepared]], None]
"""Makes entries of a set; returns once they are durable and `mlflow_state` knows them."""
Descriptor = Mapping[str, Any]

LATE = "changed after it finished"
MAX_SET = 250
MAX_SET_BYTES = 4 << 20


@dataclass(frozen=True)
class _Offered:
    """What waits, and what it was compared with."""

    record: Record
    before: SourceObject | None
    prepared: Prepared
    late: bool
    optional: Mapping[str, Any]


@dataclass
class Recorder:
    """Collects the observations of one sync of `source`, on the server with this address and version."""

    source: str
    server: Mapping[str, str]
    sink: Sink
    counts: Counter[str] = field(default_factory=Counter)
    """How many records of each kind were news, and how many of them `LATE`."""
    _waiting: list[Prepared] = field(default_factory=list)
    _named: dict[tuple[str, str], _Offered] = field(default_factory=dict)
    _bytes: int = 0

    def offer(
        self,
        record: Record,
        before: SourceObject | None,
        *,
        run: str = "",
        about: Sequence[Descriptor] = (),
        gaps: Sequence[str] = (),
        used: Sequence[Descriptor] = (),
        generated: Sequence[Descriptor] = (),
        about_news: bool = False,
    ) -> bool:
        """Record what is news against `before`, the newest row of the same thing; returns whether it is.

        With `about_news` what it is about is news, though the record is not.
        An observation may wait until `flush`: rows that the caller read earlier do not show it.
        """
        artifact = (artifact_key(about[0]["digest"]) or "") if about else ""
        told = not about_news and (not artifact or (before is not None and before.artifact))
        if before is not None and before.digest == record.digest and told:
            return False
        optional: dict[str, Any] = {
            "run": run, "about": about, "gaps": gaps, "used": used, "generated": generated
        }  # fmt: skip
        if self.waits(record):  # two states of one thing within a set
            self.flush()
            before = mlflow_state.known(self.source, record.kind, [record.id]).get(record.id)
            return self.offer(record, before, about_news=about_news, **optional)
        predicate = self._predicate(record, before) | {name: told for name, told in optional.items() if told}
        subject = {
            "name": f"mlflow:{self.source}/{record.kind}/{record.id}",
            "digest": {"sha256": record.digest},
        }
        said = observe.statement_of("collector", mlflow_state.OBSERVATION_TYPE, [subject], predicate)
        self._named[record.kind, record.id] = _Offered(
            record, before, said, "afterEnd" in predicate, optional
        )
        self.counts[record.kind] += 1
        self.counts[LATE] += "afterEnd" in predicate
        self._add(said)
        return True

    def provenance(
        self,
        run_id: str,
        subjects: Sequence[Descriptor],
        predicate: Mapping[str, Any],
        before: SourceObject | None,
    ) -> bool:
        """Record a run's SLSA provenance, unless the newest one says the same."""
        if before is not None and before.digest == mlflow_state.provenance_digest(subjects, predicate):
            return False
        self._add(observe.statement_of("collector", mlflow_state.PROVENANCE_TYPE, subjects, predicate))
        self.counts[mlflow_state.PROVENANCE] += 1
        return True

    def waits(self, record: Record) -> bool:
        """Whether an observation of the same thing is not in the log yet."""
        return (record.kind, record.id) in self._named

    def told(self) -> dict[str, int]:
        """The counts, for the result of a job."""
        counts = {kind: count for kind, count in sorted(self.counts.items()) if count}
        return {"recorded": sum(counts.values()) - self.counts[LATE], **counts}

    def flush(self) -> None:
        """Make everything that waits an entry."""
        while self._waiting:
            moved = self._moved()
            left_out = {id(each.prepared) for each in moved}
            waiting = [each for each in self._waiting if id(each) not in left_out]
            self._waiting, self._bytes = [], 0
            self._named.clear()
            if waiting:
                self.sink(waiting)
            for each in moved:
                self.counts[each.record.kind] -= 1
                self.counts[LATE] -= each.late
                self._again(each)

    def _moved(self) -> list[_Offered]:
        """What waits on a state that another job has recorded a newer one of."""
        ids: dict[str, list[str]] = {}
        for kind, external_id in self._named:
            ids.setdefault(kind, []).append(external_id)
        rows = {kind: mlflow_state.known(self.source, kind, named) for kind, named in ids.items()}
        return [
            each
            for (kind, external_id), each in self._named.items()
            if _entry(rows[kind].get(external_id)) != _entry(each.before)
        ]

    def _again(self, each: _Offered) -> None:
        """Compare with the newer state, unless that is what this knew nothing of: it was the old one said
        again, or files of something that has gone meanwhile."""
        record = each.record
        now = mlflow_state.known(self.source, record.kind, [record.id]).get(record.id)
        said_again = each.before is not None and each.before.digest == record.digest
        gone = now is not None and now.state == "purged" and record.kind.endswith("-files")
        if not said_again and not gone:
            self.offer(record, now, **each.optional)

    def _predicate(self, record: Record, before: SourceObject | None) -> dict[str, Any]:
        predicate: dict[str, Any] = {
            "source": self.source,
            "server": dict(self.server),
            "object": {"kind": record.kind, "id": record.id, "state": record.state, "name": record.name},
            "observedAt": rfc3339(now_us()),
            "record": record.content,
        }
        if before is not None:
            predicate["previous"] = {"record": before.digest, "entry": before.entry_index}
            known = mlflow_state.unpack(bytes(before.record))
            found = changes.diff(known, record.content)
            predicate["changes"] = msgspec.to_builtins(found)
            learned = changes.only_learned(known, record.content)
            if before.ended and before.digest != record.digest and not learned:
                predicate["afterEnd"] = True
        return predicate

    def _add(self, prepared: Prepared) -> None:
        self._waiting.append(prepared)
        self._bytes += len(prepared.envelope)
        if len(self._waiting) >= MAX_SET or self._bytes >= MAX_SET_BYTES:
            self.flush()


def _entry(row: SourceObject | None) -> int | None:
    return None if row is None else row.entry_index
