"""The graph tables without their indexes while they are filled, and with them again.

Owns: which indexes may be missing for a time, dropping and making them. Does not own: when (`services.fill`),
or how one is made in a transaction (`sql.make_index`): a fill has its writing process do that.
What identifies a row (primary keys, an edge's ends, a copy's place) stays: a row that is there twice is worse
than a slow one. A node's key is made unique with the others, which fails where one is there twice: its values
come in no order. An index that is made from all rows costs a third of one that grows with them.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model, UniqueConstraint

from lineage.db.models import Check, Claim, Copy, Edge, Node, StatusInterval, Support
from lineage.db.sqlite import graph_file
from lineage.graph import sql

_TABLES: tuple[type[Model], ...] = (Node, Edge, Support, Claim, Check, Copy, StatusInterval)


def drop(database: BaseDatabaseWrapper) -> None:
    """Drop all that are there, each in a transaction of its own."""
    for name, _ in _indexes(database, there=True):
        with database.cursor() as cursor:
            cursor.execute(f"DROP INDEX IF EXISTS {name}")


def make(database: BaseDatabaseWrapper) -> None:
    """Make all that are missing, each in a transaction of its own: nobody waits for more than one."""
    for statement in missing(database):
        with sql.unsynced(database), database.cursor() as cursor:
            sql.make_index(cursor, statement)


def missing(database: BaseDatabaseWrapper) -> tuple[str, ...]:
    """The statement for each that is not there."""
    return tuple(statement for _, statement in _indexes(database, there=False))


def _indexes(database: BaseDatabaseWrapper, *, there: bool) -> Iterator[tuple[str, str]]:
    """The quoted name of each index that is there, or is not, and the statement that makes it.

    By the models alone, so that they can be made again whatever became of the process that dropped them.
    """
    editor = database.schema_editor(collect_sql=True)
    for table in _TABLES:
        known = names(database, table._meta.db_table)
        statements = [index.create_sql(table, editor) for index in table._meta.indexes]
        statements += [each.create_sql(table, editor) for each in _unique(table)]
        for field in table._meta.local_fields:
            if getattr(field, "db_index", False) and not field.unique:
                # The framework's own way to what migrations made; its type stubs leave it out.
                statements.append(editor._create_index_sql(table, fields=[field]))  # type: ignore[attr-defined]
        for statement in statements:
            quoted = str(statement.parts["name"])
            if (quoted.strip('"') in known) is there:
                yield (
                    quoted,
                    str(statement) if database.vendor == "postgresql" else graph_file.within(str(statement)),
                )


def names(database: BaseDatabaseWrapper, table: str) -> set[str]:
    """Of the indexes and constraints that the table has."""
    with database.cursor() as cursor:
        if database.vendor == "sqlite":
            return graph_file.indexes(database.connection, table)
        return set(database.introspection.get_constraints(cursor, table))


def _unique(table: type[Model]) -> Iterator[UniqueConstraint]:
    """The constraints that are an index and no part of the table."""
    for each in table._meta.constraints:
        if isinstance(each, UniqueConstraint) and each.expressions:
            yield each
