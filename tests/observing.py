"""Observations of an MLflow server that never was: what the collector would have signed, in the real log.

Records are made by `lineage.mlflow.records` and compared by `lineage.mlflow.changes`, as a sync does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from lineage.mlflow import changes, records
from lineage.mlflow.provenance import ModelBytes, about
from lineage.mlflow.records import FileFound, Record
from tests import factories

TYPE = "urn:lineage:predicate:mlflow-observation:v1"
ENDED_MS = 1_772_451_757_250


@dataclass
class Observing:
    """One source. `offer` makes a record an entry; `at` is the time of the look, a minute apart each."""

    source: str = "lab"
    last: dict[tuple[str, str], tuple[Record, int]] = field(default_factory=dict)
    looks: int = 0

    def offer(self, record: Record, **members: Any) -> int:
        """Append the observation, and let the rows of the source know; returns its log index."""
        from lineage.services import append, mlflow_state, observe

        self.looks += 1
        before = self.last.get((record.kind, record.id))
        predicate: dict[str, Any] = {
            "source": self.source,
            "server": {"url": "https://mlflow.example", "version": "3.17.2"},
            "object": {"kind": record.kind, "id": record.id, "state": record.state, "name": record.name},
            "observedAt": f"2026-03-09T{self.looks // 60:02}:{self.looks % 60:02}:00Z",
            "record": record.content,
        }
        if before:
            old, entry = before
            predicate["previous"] = {"record": old.digest, "entry": entry}
            predicate["changes"] = msgspec.to_builtins(changes.diff(old.content, record.content))
            predicate["afterEnd"] = old.ended
        predicate |= {name: value for name, value in members.items() if value}
        subject = {
            "name": f"mlflow:{self.source}/{record.kind}/{record.id}",
            "digest": {"sha256": record.digest},
        }
        (outcome,) = append.append([observe.statement_of("collector", TYPE, [subject], predicate)])
        index = getattr(outcome, "index", None)
        assert isinstance(index, int), outcome
        self.last[record.kind, record.id] = (record, index)
        mlflow_state.follow(self.source)
        return index

    def run(self, id: str, *, gaps: Sequence[str] = (), **members: Any) -> int:
        return self.offer(run(id, **members), gaps=list(gaps))

    def model(self, id: str, files: dict[str, str], *, name: str = "fraud", run: str = "r1") -> int:
        """The files of a logged model, path → content."""
        digests = {path: factories.sha256(text) for path, text in files.items()}
        found = [FileFound(path, 10, digest) for path, digest in digests.items()]
        record = records.files("logged-model-files", id, name, found, ended=True)
        described = about(ModelBytes(id, name, {"dirHash": folder(digests)}), source=self.source)
        return self.offer(record, about=[described], run=run)

    def registered(self, name: str, aliases: dict[str, str], **members: Any) -> int:
        raw = {"name": name, "aliases": [{"alias": a, "version": v} for a, v in aliases.items()]}
        return self.offer(records.registered_model(raw), **members)

    def version(self, name: str, version: str, model_id: str, files: dict[str, str], run: str = "r1") -> int:
        """A version whose model has these files."""
        digests = {path: factories.sha256(text) for path, text in files.items()}
        raw = {"name": name, "version": version, "source": f"models:/{model_id}", "run_id": run}
        raw |= {"status": "READY", "current_stage": "None"}
        described = about(ModelBytes(model_id, name, {"dirHash": folder(digests)}), source=self.source)
        return self.offer(records.model_version(raw), about=[described], run=run)

    def gone(self, kind: str, id: str) -> int:
        """A tombstone."""
        return self.offer(records.purged(self.last[kind, id][0]))


def run(id: str, *, status: str = "FINISHED", name: str = "", tags: dict[str, str] | None = None) -> Record:
    info: dict[str, object] = {
        "run_id": id,
        "run_name": name or f"run {id}",
        "status": status,
        "experiment_id": "1",
    }
    info |= {"start_time": ENDED_MS - 60_000, "end_time": ENDED_MS, "lifecycle_stage": "active"}
    pairs = [{"key": key, "value": value} for key, value in (tags or {}).items()]
    return records.run({"info": info, "data": {"tags": pairs}})


def folder(digests: dict[str, str]) -> str:
    """The dirHash of files, by path, hex."""
    lines = sorted(f"{digest}  {path}\n" for path, digest in digests.items())
    return factories.sha256("".join(sorted(lines, key=lambda line: line[66:])))


def folder_key(files: dict[str, str]) -> str:
    """The node of a folder with these files, path → content."""
    return "dirHash:" + folder({path: factories.sha256(text) for path, text in files.items()})


def run_node(id: str, source: str = "lab") -> str:
    from lineage.graph.model import run_key

    return run_key(f"urn:lineage:mlflow:{source}", id, "")
