"""Who signed which entry, as rows: each signer under its number, which the database itself looks up.

Owns: giving a signer its number, and inserting. Does not own: who signed (`services.entry_signers`). Numbers
are given under the head lock, or where nobody else can write, so no two get the same.

No number is remembered outside of the database. What a caller remembers is that a signer is listed: were that
wrong, the row would have no number, and the database would refuse it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import msgspec
from django.db.backends.base.base import BaseDatabaseWrapper

from lineage.db import bulk
from lineage.db.bulk import Table

if TYPE_CHECKING:
    from lineage.db.wire import Wire

Row = tuple[int, str]
"""An entry's index, and a key's id or an identity's."""

_LIST = (
    "INSERT INTO log_signer (id, key_id)"
    " SELECT (SELECT coalesce(max(id), 0) FROM log_signer) + row_number() OVER (ORDER BY w.value), w.value"
    " FROM {} AS w WHERE NOT EXISTS (SELECT 1 FROM log_signer s WHERE s.key_id = w.value)"
)
_LIST_SQLITE = _LIST.format("json_each(?)")
_LIST_POSTGRESQL = _LIST.format("unnest(%b::text[])").replace("AS w", "AS w(value)")
_NAMED = Table(
    "log_entry_signer",
    (("entry_id", "int8"), ("signer_id", "int4")),
    numbered=(("signer_id", "log_signer", "key_id"),),
)
"""Of `Row`."""


def insert(database: BaseDatabaseWrapper, rows: Sequence[Row], listed: Collection[str] = ()) -> None:
    """Insert rows inside the caller's transaction. `listed`: signers that are known to have a number.

    Raises: IntegrityError for a signer that is said to be listed, and is not.
    """
    if not rows:
        return
    new = sorted({signer for _, signer in rows}.difference(listed))
    with database.wrap_database_errors:
        if database.vendor == "sqlite":
            if new:
                bulk.driver(database).execute(_LIST_SQLITE, [msgspec.json.encode(new).decode()])
            bulk.insert(database, _NAMED, rows)
            return
        from psycopg import Cursor

        with Cursor(database.connection) as cursor:
            if new:
                cursor.execute(_LIST_POSTGRESQL, [new])
            cursor.execute(bulk.unnest_sql(_NAMED), [list(column) for column in zip(*rows, strict=True)])


def send(wire: Wire, rows: Sequence[Row], listed: Collection[str]) -> None:
    """The same by a wire, which tells later what was wrong."""
    new = sorted({signer for _, signer in rows}.difference(listed))
    if new:
        wire.send(_LIST_POSTGRESQL, [wire.array("text", new)])
    wire.insert(_NAMED, rows)
