"""What each run used and made, once its files were followed: SLSA provenance, or an observation of inputs.

Owns: when a run's lineage is said. Does not own: its form (`lineage.mlflow.provenance`).

A run that made something whose bytes were hashed gets provenance with those digests as subjects. Another run
has nothing that provenance could be about, so what it used is an observation.

What is signed of a run is found in the graph, and left out here. A graph that is behind, as while it is made
anew, would have us say for ever what a signature answers: runs wait for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from django.db.models import F

from lineage.db.models import Entry, SourceObject
from lineage.errors import GraphBehindError
from lineage.graph.model import artifact_key, run_key
from lineage.mlflow import provenance, records, stated
from lineage.mlflow.records import Record
from lineage.services import follow, mlflow_state, run_inputs, standing
from lineage.services.clock import now_us
from lineage.services.dataset_bytes import hashed_datasets
from lineage.services.model_bytes import of_models
from lineage.services.run_inputs import SignedInputs
from lineage.services.sync_visit import Visit
from lineage.trust.leaf import rfc3339

CHUNK = 200
PATIENCE_US = 86_400_000_000
"""How long the lineage of a run waits for files that can't be listed, or for a model that is not ready."""
GRAPH_SECONDS = 30.0
"""How long a job waits for a graph that another process makes anew; the next one is a minute later."""


def settle(visit: Visit, size: int) -> None:
    """Say the lineage of every run that has ended and whose record is news, with regard to what is signed of
    it in the log's first `size` entries. Runs stay pending where the graph does not get so far."""
    pages = _pending(visit)
    first = next(pages, ())
    if not first or not _followed(visit, size):
        return
    for rows in chain([first], pages):
        page = _Page(visit, rows, size)
        for row in rows:
            visit.progress("lineage")
            with visit.each("run-lineage", row.external_id):
                page.settle(row)


def _followed(visit: Visit, size: int) -> bool:
    """Bring the graph up to `size`, with whoever is at it. False where another process makes it anew yet."""

    def tell() -> None:
        visit.progress("graph")

    def tick() -> None:
        tell()
        follow.project(tick=tell)

    try:
        standing.begin(size, GRAPH_SECONDS, tick)
    except GraphBehindError:
        return False
    return True


def _pending(visit: Visit) -> Iterator[Sequence[SourceObject]]:
    rows = (
        SourceObject.objects.filter(source=visit.name, kind="run", ended=True)
        .exclude(state="purged")
        .exclude(settled_digest=F("digest"))
    )
    last = ""
    while page := list(rows.filter(external_id__gt=last).order_by("external_id")[:CHUNK]):
        yield page
        last = page[-1].external_id


def _late(rows: Collection[SourceObject]) -> set[int]:
    """Of rows whose files were not followed, those whose newest record has been in the log for long."""
    open_ones = [row for row in rows if row.files_digest != row.digest]
    old = Entry.objects.filter(
        index__in={row.entry_index for row in open_ones}, received_us__lte=now_us() - PATIENCE_US
    )
    indexes = set(old.values_list("index", flat=True))
    return {row.pk for row in open_ones if row.entry_index in indexes}


class _Page:
    """Runs whose lineage is to be said, and what is known of their models and files."""

    def __init__(self, visit: Visit, rows: Sequence[SourceObject], size: int) -> None:
        self._visit, self._size = visit, size
        self._runs = {row.pk: records.decode(mlflow_state.unpack(bytes(row.record))) for row in rows}
        ids = [row.external_id for row in rows]
        self._made: dict[str, list[str]] = {}
        made = SourceObject.objects.filter(source=visit.name, kind="logged-model", run_id__in=ids)
        for run_id, model_id in made.order_by("external_id").values_list("run_id", "external_id"):
            self._made.setdefault(run_id, []).append(model_id)
        named = [model_id for run in self._runs.values() for model_id in self._models_of(run)]
        self._models = of_models(visit.name, named)
        self._logged = mlflow_state.known(visit.name, "logged-model", named)
        self._files = mlflow_state.known(visit.name, "run-files", ids)
        self._late = _late([*rows, *self._logged.values()])
        self._said = mlflow_state.known(visit.name, mlflow_state.PROVENANCE, ids)

    def settle(self, row: SourceObject) -> None:
        """Say one run's lineage, unless files of it or of one of its models are still to be followed."""
        visit, run = self._visit, self._runs[row.pk]
        models = (self._logged.get(model_id) for model_id in self._models_of(run))
        if self._awaited(row) or any(model is not None and self._awaited(model) for model in models):
            return
        if self._models_of(run) or stated.datasets(run) or stated.base_models(run):
            signed = run_inputs.signed_inputs(
                run_key(provenance.builder_id(visit.name), run.id, ""), self._size
            )
            if signed is None:
                return
            self._say(run, signed)
        visit.after_flush(row.pk, "settled_digest", row.digest)

    def _models_of(self, run: Record) -> list[str]:
        return [*stated.models_in(run), *stated.models_out(run), *self._made.get(run.id, ())]

    def _awaited(self, row: SourceObject) -> bool:
        """Whether files may still be hashed. Not for ever: one that can't be hides no other's lineage."""
        return row.state != "purged" and row.files_digest != row.digest and row.pk not in self._late

    def _say(self, run: Record, signed: SignedInputs) -> None:
        visit, source = self._visit, self._visit.name
        models = {each: self._models[each] for each in self._models_of(run) if each in self._models}
        datasets = hashed_datasets(visit.source, run)
        files = self._files.get(run.id)
        subjects, predicate = provenance.slsa(
            run,
            models,
            datasets,
            records.decode(mlflow_state.unpack(bytes(files.record))) if files else None,
            source=source,
            server_version=visit.recorder.server["version"],
            observed_at=rfc3339(now_us()),
        )
        generated = provenance.generated(run, models, source=source)
        if subjects:
            definition = predicate["buildDefinition"]
            named = _seen(definition["resolvedDependencies"], datasets, signed)
            definition["resolvedDependencies"] = _left(named, signed)
            visit.recorder.provenance(run.id, subjects, predicate, self._said.get(run.id))
        if not subjects or not all(each["digest"] for each in generated):
            named = _seen(provenance.used(run, models, datasets, source=source), datasets, signed)
            _observe(visit, run, _left(named, signed), generated)
        _datasets(visit, run, datasets)


def _datasets(visit: Visit, run: Record, hashed: Mapping[str, str]) -> None:
    """Record what this run calls a dataset: the same name and digest may mean something else elsewhere.

    MLflow's own digest covers a part of the data, and it shows the source that came first.
    """
    for dataset in stated.datasets(run):
        name, digest = stated.text(dataset.get("name")), stated.text(dataset.get("digest"))
        if not name or not digest:
            continue
        first = records.dataset(name, digest, {}, {})
        if visit.recorder.waits(first):  # another run has just said something of it
            visit.flush()
        before = mlflow_state.known(visit.name, first.kind, [first.id]).get(first.id)
        known = mlflow_state.unpack(bytes(before.record)) if before else {}
        sources, contents = dict(known.get("sources") or {}), dict(known.get("contents") or {})
        source = stated.text(dataset.get("source"))
        content = hashed.get(name) or stated.dataset_sha256(run, name)
        if source:
            sources.setdefault(records.as_met(source), run.id)
        if content:
            contents.setdefault(records.as_met(content), run.id)
        record = records.dataset(name, digest, sources, contents)
        visit.recorder.offer(record, before, run=run.id)


def _observe(
    visit: Visit, run: Record, used: Sequence[dict[str, Any]], generated: Sequence[dict[str, Any]]
) -> None:
    """What a run used and made, also without a digest."""
    if not used and not generated:
        return
    before = mlflow_state.known(visit.name, "run-lineage", [run.id]).get(run.id)
    record = records.run_lineage(run, used, generated)
    visit.recorder.offer(record, before, run=run.id, used=used, generated=generated)


def _seen(
    descriptors: Sequence[dict[str, Any]], hashed: Mapping[str, str], signed: SignedInputs
) -> list[dict[str, Any]]:
    """Without the digests that only a tag states of inputs that are signed: anyone may set one, at any time,
    and it is neither what was signed nor what we saw."""
    ours = set(hashed.values())
    return [
        {**each, "digest": {}}
        if each.get("name") in signed.names
        and each.get("annotations", {}).get("role") == "dataset"
        and each["digest"].get("sha256") not in ours
        else each
        for each in descriptors
    ]


def _left(descriptors: Sequence[dict[str, Any]], signed: SignedInputs) -> list[dict[str, Any]]:
    """Without what has no digest here and is in a signed statement: that is no gap.

    It is in one by its URI, or by a name that no other input has. A repository at a commit never has a
    digest; who signs for a run says its code too.
    """
    names = Counter(each.get("name") for each in descriptors)

    def in_one(each: Mapping[str, Any]) -> bool:
        name = each.get("name")
        by_name = name in signed.names and names[name] == 1
        return by_name or signed.answers(each.get("uri", "")) or bool(signed and each["digest"])

    return [each for each in descriptors if artifact_key(each["digest"]) or not in_one(each)]
