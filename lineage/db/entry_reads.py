"""Entries read by queries of our own, without the time that the framework takes to write them.

Owns: an entry's columns in SQL, and making it from a row of them. Does not own: which entries are asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lineage.db.log import Entry
from lineage.db.numbered_fields import PREDICATE_TYPE

COLUMNS = (
    'e."index", e.kind, e.envelope_digest, e.statement_digest, e.received_us, e.key_ids, e.policy_index,'
    f" e.leaf_hash, {PREDICATE_TYPE}"
)
"""Of `log_entry` as `e`: what `entry` takes, in its order."""
_NAMES = [field.attname for field in Entry._meta.concrete_fields]


def _as_it_is(value: Any) -> Any:
    return value


_READ: list[Callable[[Any], Any]] = [
    getattr(field, "from_db_value", _as_it_is) for field in Entry._meta.concrete_fields
]


def entry(row: tuple[Any, ...]) -> Entry:
    """Raises: LogIntegrityError for what no entry has."""
    return Entry.from_db("default", _NAMES, [read(value) for read, value in zip(_READ, row, strict=True)])
