"""A followed MLflow server in a test: the source, its syncs, and what the log then says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lineage.db.models import Entry, Envelope, Job, SourceObject, SourceProblem
from lineage.predicates import mlflow_observation
from lineage.predicates.mlflow_observation import Observation
from lineage.services import jobs, mlflow_state, sources
from lineage.services.source_values import SourceValues
from lineage.trust import dsse, statement
from lineage.trust.statement import Statement
from tests.mlflow_rest import Rest


@dataclass
class Followed:
    """`rest` is the server as its users see it, `lab` the source's name here."""

    rest: Rest
    graph: Callable[[], int]
    name: str = "lab"

    def follow(self, **values: Any) -> None:
        sources.add(self.name, SourceValues(url=self.rest.url, **values), by="tests")

    def sync(self, *, sweep: bool = False, rehash: bool = False) -> dict[str, Any]:
        """One sync by the worker's own way; its result. The graph follows."""
        job = self.sync_job(sweep=sweep, rehash=rehash)
        results: Counter[str] = Counter()
        for each in Job.objects.filter(pk__gte=job.pk):  # its files have a job of their own
            assert each.state == Job.State.DONE, each.error
            results.update({k: v for k, v in (each.result or {}).items() if isinstance(v, int)})
        self.graph()
        return dict(results)

    def sync_job(self, *, sweep: bool = False, rehash: bool = False) -> Job:
        number = jobs.enqueue("sync", self.name, {"sweep": sweep, "rehash": rehash})
        jobs.drain("tests")
        return Job.objects.get(pk=number)

    def row(self, kind: str, external_id: str) -> SourceObject:
        return SourceObject.objects.get(source=self.name, kind=kind, external_id=external_id)

    def rows(self, kind: str) -> int:
        return SourceObject.objects.filter(source=self.name, kind=kind).count()

    def newest(self, kind: str, external_id: str) -> Observation:
        return mlflow_observation.read(self.statement(self.row(kind, external_id).entry_index))

    def statement(self, index: int) -> Statement:
        envelope = dsse.parse(bytes(Envelope.objects.get(pk=index).content))
        return statement.parse(envelope.payload_type, envelope.payload)

    def problems(self) -> set[tuple[str, str]]:
        return set(SourceProblem.objects.values_list("kind", "slug"))

    def entries(self) -> int:
        """How many statements the collector has made."""
        types = [mlflow_state.OBSERVATION_TYPE, mlflow_state.PROVENANCE_TYPE]
        return Entry.objects.filter(kind="observation", predicate_type__in=types).count()
