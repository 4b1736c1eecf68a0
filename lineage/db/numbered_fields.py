"""What entries say in few words lies in the database as numbers: their kind, and their predicate type.

Owns: the kinds' numbers, and the ORM fields that hide both. To a migration they are plain columns of
integers. A predicate type has its number in `log_predicate_type`. It means nothing outside of the database,
and no process remembers it: each query looks it up. What is no kind, or no type that an entry has, is found
nowhere.
"""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.lookups import Exact, In

from lineage.db.hidden_fields import HiddenField
from lineage.errors import LogIntegrityError

_NUMBERS = {"attestation": 1, "observation": 2, "decision": 3}
"""Stand in the database's triggers too (`0025_entries`)."""
_KINDS = {number: kind for kind, number in _NUMBERS.items()}
_NONE = 0
_NUMBER = "coalesce((SELECT id FROM log_predicate_type WHERE name = %s), 0)"
"""A number, so that what is not of a type is found where nothing is of it."""
PREDICATE_TYPE = "(SELECT t.name FROM log_predicate_type t WHERE t.id = e.predicate_type_id)"
"""SQL: the type's name where `e` is `log_entry`; NULL where the number is none that is listed."""


def kind_number(kind: str) -> int:
    """The stored form; 0, which no entry has, for what is no kind."""
    return _NUMBERS.get(kind, _NONE)


def kind_text(stored: object) -> str:
    """The kind again. Raises: LogIntegrityError for what `kind_number` never makes of a kind."""
    if type(stored) is not int or stored not in _KINDS:
        raise LogIntegrityError("a stored kind of entry is none")
    return _KINDS[stored]


class KindField(HiddenField):
    """`attestation`, `observation` or `decision`."""

    stored = models.SmallIntegerField

    def from_db_value(self, value: Any, *_: Any) -> str:
        return kind_text(value)

    def get_db_prep_value(self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False) -> int:
        return kind_number(value)


class PredicateTypeField(HiddenField):
    """A predicate type's name. It is asked for, or any of several; to be inserted it has to be listed."""

    stored = models.IntegerField

    def select_format(self, compiler: Any, sql: str, params: Any) -> tuple[str, Any]:
        return f"(SELECT name FROM log_predicate_type WHERE id = {sql})", params  # noqa: S608 a column's name

    def get_placeholder(self, value: Any, compiler: Any, connection: BaseDatabaseWrapper) -> str:
        return "(SELECT id FROM log_predicate_type WHERE name = %s)"

    def from_db_value(self, value: Any, *_: Any) -> str:
        if not isinstance(value, str):
            raise LogIntegrityError("an entry's predicate type has a number that is not listed")
        return value


@PredicateTypeField.register_lookup
class _Is(Exact):
    def get_db_prep_lookup(self, value: Any, connection: BaseDatabaseWrapper) -> tuple[str, Any]:
        return _NUMBER, super().get_db_prep_lookup(value, connection)[1]


@PredicateTypeField.register_lookup
class _OneOf(In):
    def batch_process_rhs(
        self, compiler: Any, connection: BaseDatabaseWrapper, rhs: Any = None
    ) -> tuple[Any, Any]:
        marks, params = super().batch_process_rhs(compiler, connection, rhs)
        return [_NUMBER] * len(marks), params
