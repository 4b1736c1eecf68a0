"""The members of `mlflow-observation:v1`, and the checks that one is about its subject.

Does not own: what it adds to the graph (`mlflow_observation`), or what a record holds (`lineage.mlflow`).
Source: docs/predicates/mlflow-observation.md.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from lineage.errors import MalformedError
from lineage.predicates import wire
from lineage.predicates.artifact_refs import Descriptor
from lineage.predicates.wire import MAX_REFERENCES, Wire, limited, required, utc
from lineage.trust import canonical
from lineage.trust.statement import Statement

MAX_CHANGES = 500

Kind = Literal[
    "experiment",
    "run",
    "run-files",
    "run-lineage",
    "logged-model",
    "logged-model-files",
    "registered-model",
    "model-version",
    "dataset",
]
State = Literal["present", "deleted", "purged"]


class Change(Wire, frozen=True):
    """One member of a record that is another one than before; None: there was, or is, none.

    `field` is the group (tags, params, files …), `name` which of it; "" where the group is one thing.
    """

    field: str
    name: str = ""
    before: str | None = None
    after: str | None = None


class Server(Wire, frozen=True):
    """The MLflow server's address, without secrets, and the version that it said it has."""

    url: str = ""
    version: str = ""


class Object(Wire, frozen=True):
    """What was looked at; `id` is MLflow's, of a model version `<name>/<version>`."""

    kind: Kind
    id: str
    state: State
    name: str = ""


class Previous(Wire, frozen=True):
    """The record before: its digest in hex, and the index of the log entry that has it."""

    record: str
    entry: int


class Observation(Wire, frozen=True):
    """The predicate. `observed_at` is RFC 3339; `record` is the whole content of a record.

    `run` is MLflow's id of the run that a model or version came from; `about` are the artifacts that the
    thing consists of or names. Empty where there is none.
    """

    source: str
    object: Object
    observed_at: str
    record: dict[str, Any]
    server: Server = Server()
    previous: Previous | None = None
    changes: tuple[Change, ...] = ()
    after_end: bool = False
    gaps: tuple[str, ...] = ()
    used: tuple[Descriptor, ...] = ()
    generated: tuple[Descriptor, ...] = ()
    about: tuple[Descriptor, ...] = ()
    run: str = ""


_DECODER = msgspec.json.Decoder(Observation)


def read(statement: Statement) -> Observation:
    """The statement's predicate, once it is shown to be about its subject and not to contradict itself.

    Raises:
        MalformedError: a member is missing or wrong, or the record is not the subject's or the object's.
        TooLargeError: more changes or descriptors than there may be.
    """
    told = wire.read(_DECODER, statement.predicate)
    required(told.source, where="$.predicate.source")
    required(told.object.id, where="$.predicate.object.id")
    utc(required(told.observed_at, where="$.predicate.observedAt"), where="$.predicate.observedAt")
    limited(told.changes, MAX_CHANGES, where="$.predicate.changes")
    for member in ("used", "generated", "about", "gaps"):
        limited(getattr(told, member), MAX_REFERENCES, where=f"$.predicate.{member}")
    if told.object.kind != "run-lineage" and (told.used or told.generated):
        raise MalformedError(
            "Only the lineage of a run says what it used and made.", where="$.predicate.used"
        )
    for member in ("kind", "id", "state"):
        if told.record.get(member) != getattr(told.object, member):
            raise MalformedError(
                "The record is another thing's, or of another state.", where=f"$.predicate.record.{member}"
            )
    _its_subject(statement, told)
    return told


def _its_subject(statement: Statement, told: Observation) -> None:
    if len(statement.subjects) != 1:
        raise MalformedError("An observation has one subject, its record.", where="$.subject")
    if canonical.digest(told.record) != statement.subjects[0].digests.get("sha256"):
        raise MalformedError(
            "The subject's sha256 is not the record's (of its RFC 8785 form).", where="$.predicate.record"
        )
