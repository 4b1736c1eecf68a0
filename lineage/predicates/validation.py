"""Whether a statement says what its predicate type asks for: by its JSON Schema, and by the reader itself.

Owns: both verdicts, as a list of what is wrong. Does not own: schemas and readers (each type's file).
The reader decides what the platform makes of a statement; the schema finds more than the first wrong thing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from lineage import predicates
from lineage.errors import MalformedError, TooLargeError
from lineage.predicates.base import PredicateType
from lineage.trust import statement

ATTESTATION = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"
MAX_PROBLEMS = 50
"""Of one statement. A list of a thousand wrong items says no more than its first ones."""

_NOBODY = "0" * 64
"""The key id of a statement that nobody has signed yet."""
_STANDS_IN = {"name": "a subject", "digest": {"sha256": "0" * 64}}


class Schema(Protocol):
    """A compiled JSON Schema, as `jsonschema` has it."""

    def iter_errors(self, instance: Any) -> Iterator[Any]: ...


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong. `where` is its path (`$.predicate.name`), "" for the whole; `by`: schema or reader."""

    where: str
    words: str
    by: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """`slug` is empty where the type is not known here: such a statement is kept and shown, without lineage.

    `schema`: whether there was a schema to hold it to.
    """

    predicate_type: str
    slug: str
    schema: bool
    problems: tuple[Problem, ...]


def validate(payload: bytes, payload_type: str, schemas: Mapping[str, Schema]) -> Report:
    """Look at a whole statement. `schemas` are by slug; a type that has none there is only read.

    Raises: MalformedError where it is no statement; TooLargeError over a limit.
    """
    told = statement.parse(payload_type, payload)
    known = predicates.find(told.predicate_type)
    if known is None:
        return Report(told.predicate_type, "", False, ())
    schema = schemas.get(known.slug)
    found = _by_reader(known, told)
    if schema is not None and payload_type == ATTESTATION:
        found += _by_schema(schema, msgspec.json.decode(payload))
    return Report(told.predicate_type, known.slug, schema is not None, tuple(found[:MAX_PROBLEMS]))


def validate_predicate(predicate: bytes, predicate_type: str, schemas: Mapping[str, Schema]) -> Report:
    """Look at a predicate alone, before there is a statement: its subjects are not judged.

    Raises: MalformedError where it is not JSON; as `validate`.
    """
    document = {
        "_type": STATEMENT,
        "subject": [_STANDS_IN],
        "predicateType": predicate_type,
        "predicate": msgspec.Raw(predicate),
    }
    try:
        msgspec.json.decode(predicate)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedError(f"This is not JSON: {error}.") from error
    report = validate(msgspec.json.encode(document), ATTESTATION, schemas)
    kept = tuple(each for each in report.problems if not each.where.startswith("$.subject"))
    return Report(report.predicate_type, report.slug, report.schema, kept)


def _by_reader(known: PredicateType, told: statement.Statement) -> list[Problem]:
    """What the reader stops at, if it does: there is one such thing at most."""
    try:
        known.project(told, _NOBODY)
        known.describe(told)
    except (MalformedError, TooLargeError) as error:
        return [Problem(error.where or "", error.message, "reader", error.hint or "")]
    return []


def _by_schema(schema: Schema, document: object) -> list[Problem]:
    found = []
    for error in schema.iter_errors(document):
        found.append(Problem(_path(error.absolute_path), _short(error.message), "schema"))
        if len(found) == MAX_PROBLEMS:
            break
    return sorted(found, key=lambda each: each.where)


def _path(steps: object) -> str:
    assert isinstance(steps, Iterable)
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)


def _short(words: str) -> str:
    """The library repeats the whole value, however long."""
    text = words if len(words) <= 200 else f"{words[:120]} … {words[-60:]}"
    return text if text.endswith(".") else f"{text}."
