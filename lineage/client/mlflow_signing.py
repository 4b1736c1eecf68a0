"""The end of an MLflow run: its statement is signed, handed over, and named by tags of the run.

Owns: what of a run stands where in its statement, the `lineage.*` tags, and that a failure of ours is one
warning. Does not own: what was seen of the run (`mlflow_seen`), sending (`delivery`).

The tags are set before MLflow is told that the run ended, since what comes later counts as a change after the
fact. Source: INTERFACES of the sync, `lineage.mlflow.stated`.
"""

from __future__ import annotations

import hashlib
import logging
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from lineage.client.delivery import Delivery
from lineage.client.facts import Facts
from lineage.client.mlflow_seen import Model, Process, Seen, names
from lineage.client.recording import FAIL_CLOSED_SECONDS
from lineage.client.run_statement import RunFacts, run_statement
from lineage.errors import InconclusiveError, LineageError
from lineage.mlflow import provenance, records, stated
from lineage.predicates.mlflow_observation import builder_id, moment
from lineage.trust import dsse
from lineage.trust.keys import PrivateKey
from lineage.trust.statement import ResourceDescriptor

log = logging.getLogger(__name__)

TAG_SECONDS = 5.0
"""How long the end of a run waits for MLflow to take the tags."""

SIGNED = "lineage.signed"
HARDWARE = "lineage.hardware"
DIRTY = "lineage.git.dirty"

_TAG_NAME = re.compile(r"[/\w.\- :]{1,250}")
"""Source: MLflow, `mlflow.utils.validation`."""
_TAGS_AT_ONCE = 100


class Signing(msgspec.Struct):
    """Whose runs are signed, by which key, and where they are sent. It is `mlflow_hooks`' watcher."""

    key: PrivateKey
    source: str
    delivery: Delivery
    facts: Facts
    process: Process
    hardware: str = ""
    activity: str = ""
    strict: bool = False
    leaving: bool = False

    def ending(self, run_id: str, status: str, end_time: int, end: Callable[[str], None]) -> None:
        """Sign the run if this process saw it, then let it end. It ends as FAILED where it must be signed
        and can't be.

        Raises: LineageError, only where strict.
        """
        with self.process.lock:
            seen = self.process.runs.pop(run_id, None)
        if seen is None:
            end(status)
            return
        self._end(seen, status, end_time, end)
        if self.leaving:
            self.delivery.close()

    def _end(self, seen: Seen, status: str, end_time: int, end: Callable[[str], None]) -> None:
        try:
            self._sign(seen, status, end_time)
        except Exception as error:  # nothing of ours may end a training that is not told to fail closed
            if not self.strict:
                log.warning("The run %s was not signed: %s", seen.run_id, error)
                end(status)
                return
            end("FAILED")
            raise
        end(status)

    def _sign(self, seen: Seen, status: str, end_time: int) -> None:
        seen.info |= {"status": status, "end_time": end_time}
        record = records.run(seen.raw())
        models = self._models(seen)
        host, code = self.facts.get()
        made = [*(_output(model, self.source) for model in models if model.digest()), *seen.told.outputs]
        used = [*self._used(record, seen), *_told_once(seen)]
        told = RunFacts(
            builder=builder_id(self.source),
            invocation=seen.run_id,
            name=record.name,
            activity=self.activity or _activity(used, bool(models) or bool(seen.told.outputs)),
            status=status,
            started=moment(record.content.get("start_time")),
            finished=moment(end_time),
            record=record.content,
            hardware=self.hardware,
            host=host,
            code=code,
            code_uri=next((each["uri"] for each in provenance.repository(record, source=self.source)), ""),
            parameters=stated.pairs(record, "params"),
            metrics=_latest(record),
        )
        payload = run_statement(told, used, made)
        tags = dict(self._tags(seen, code.dirty if code else None))
        tags[SIGNED] = f"sha256:{hashlib.sha256(payload).hexdigest()}"
        # MLflow takes its time for the tags; signing and writing go on meanwhile.
        with _tagging(seen.run_id, tags):
            name = self.delivery.hand(dsse.sign(dsse.INTOTO_PAYLOAD_TYPE, payload, self.key))
        if self.strict:
            self.delivery.settle(name, FAIL_CLOSED_SECONDS)

    def _models(self, seen: Seen) -> list[Model]:
        """The models that the run made, with one warning for each that can't be signed."""
        models = self.process.made_by(seen)
        for model in models:
            if not model.digest():
                why = model.problem or "nothing was uploaded here"
                if self.strict and model.problem:
                    raise InconclusiveError(f"The model {model.name or model.id} can't be hashed: {why}")
                log.warning("The model %s is not signed: %s", model.name or model.id, why)
        return models

    def _used(self, record: records.Record, seen: Seen) -> Iterator[dict[str, Any]]:
        """MLflow's datasets and models, as the sync will describe them too, with the digests found here."""
        bytes_of = {
            each.id: provenance.ModelBytes(each.id, each.name, each.digest())
            for each in (self.process.models.get(model_id) for model_id in seen.models_in)
            if each is not None
        }
        known = {
            name: found[0]
            for name, digests in seen.digests.items()
            if len(found := names(digests, "sha256")) == 1
        }
        for each in provenance.used(record, bytes_of, known, source=self.source, named=True):
            name = str(each.get("name", ""))
            folders = names(seen.digests.get(name, ()), "dirHash")
            is_dataset = each.get("annotations", {}).get("role") == "dataset"
            if is_dataset and not each["digest"] and len(folders) == 1:
                yield {**each, "digest": {"dirHash": folders[0]}}
                continue
            # Where a model lies is what the sync can tell; here only its bytes are known.
            yield {key: value for key, value in each.items() if key != "downloadLocation"}

    def _tags(self, seen: Seen, dirty: bool | None) -> Iterator[tuple[str, str]]:
        if self.hardware:
            yield HARDWARE, f"hw:{self.hardware}"
        if dirty is not None:
            yield DIRTY, "true" if dirty else "false"
        for name, digests in seen.digests.items():
            found = names(digests, "sha256")
            tag = f"lineage.dataset.{name}.sha256"
            if len(found) == 1 and _TAG_NAME.fullmatch(tag):
                yield tag, found[0]
        bases = [_base(each) for each in seen.told.inputs if _role(each) == "model"]
        if bases and stated.BASE_MODEL not in {*seen.tags, *seen.params}:
            yield stated.BASE_MODEL, "\n".join(dict.fromkeys(bases))


def _told_once(seen: Seen) -> Iterator[dict[str, Any]]:
    """What the script said that it uses, but for what is one of MLflow's datasets by its name and bytes."""
    logged = {str(each["dataset"]["name"]) for each in seen.datasets}
    for each in seen.told.inputs:
        name, digest = str(each.get("name", "")), each.get("digest")
        if not (name in logged and digest and digest in seen.digests.get(name, ())):
            yield each


def _output(model: Model, source: str) -> ResourceDescriptor:
    annotations: dict[str, Any] = {"role": "model", "mlflowModelId": model.id}
    if "dirHash" in model.digest():
        annotations["files"] = dict(model.files)
    return ResourceDescriptor(
        name=model.name or model.id,
        uri=provenance.model_uri(source, model.id),
        digests=model.digest(),
        annotations=annotations,
    )


def _activity(used: Sequence[Mapping[str, Any]], made: bool) -> str:
    """What a run was, where the script doesn't say: one that only used models evaluated them."""
    base = any(_role(each) == "model" for each in used)
    if not made:
        return "evaluation" if base else "training"
    return "fine-tuning" if base else "training"


def _role(descriptor: Mapping[str, Any]) -> str:
    return str(descriptor.get("annotations", {}).get("role", ""))


def _base(descriptor: Mapping[str, Any]) -> str:
    digest = descriptor.get("digest") or {}
    for algorithm in ("sha256", "dirHash"):
        if algorithm in digest:
            return f"{algorithm}:{digest[algorithm]}"
    return str(descriptor.get("uri") or descriptor.get("name", ""))


def _latest(record: records.Record) -> dict[str, Any]:
    metrics = record.content.get("metrics")
    shown = metrics.get("values") if isinstance(metrics, Mapping) else None
    return {name: each["value"] for name, each in (shown or {}).items() if isinstance(each, Mapping)}


@contextmanager
def _tagging(run_id: str, tags: Mapping[str, str]) -> Iterator[None]:
    """Set tags of a run beside what the block does, within `TAG_SECONDS`; failing is one warning."""
    problems: list[str] = []
    worker = threading.Thread(target=_send_tags, args=(run_id, tags, problems), daemon=True)
    try:
        worker.start()
    except RuntimeError:  # the interpreter ends and starts no thread any more
        _send_tags(run_id, tags, problems)
        yield
    else:
        yield
        worker.join(TAG_SECONDS)
        if worker.is_alive():
            problems.append("MLflow did not answer in time")
    for problem in problems:
        log.warning("The run %s is signed, and has no tag that says so: %s", run_id, problem)


def _send_tags(run_id: str, tags: Mapping[str, str], problems: list[str]) -> None:
    from mlflow import MlflowClient
    from mlflow.entities import RunTag
    from mlflow.exceptions import MlflowException

    found = [RunTag(name, value) for name, value in tags.items()]
    try:
        for at in range(0, len(found), _TAGS_AT_ONCE):
            MlflowClient().log_batch(run_id, tags=found[at : at + _TAGS_AT_ONCE])
    except (MlflowException, OSError, LineageError) as error:
        problems.append(str(error).splitlines()[0] if str(error) else type(error).__name__)
