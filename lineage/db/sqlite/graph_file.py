"""SQLite's file of the graph tables: made where it is missing, thrown away where it is another log's.

Owns: that file's tables and that they are of this version and of this log. Nothing in it is the truth: it is
projected from the log, so it is never repaired, migrated or backed up, but made anew. Does not own: its rows
(`graph.sql`).
"""

from __future__ import annotations

import re
import sqlite3
from functools import cache

SUFFIX = "-graph"
"""Of the file, after the name of the log's."""
FORM = 1
"""Of its tables: raised with each change of the graph's models, so that older files are made anew."""

_BEGIN_TABLE = re.compile(r'^CREATE TABLE "')
_BEGIN_INDEX = re.compile(r'^(CREATE (?:UNIQUE )?INDEX) "')

OTHER_LOG = (
    "length(s.leaf) > 0 AND NOT coalesce("
    '(SELECT e.leaf_hash = s.leaf FROM log_entry e WHERE e."index" = s.projected - 1), false)'
)
"""Of the graph's state `s`: that its last entry is none of this log's, on either database.

Not by EXISTS: PostgreSQL would rather read the whole log once than one entry for each of many storages.
"""


def attach(raw: sqlite3.Connection, log: str, settings: str) -> None:
    """Attach the graph of the log in the file `log`, with all its tables, and no row in them where it is new.

    `settings`: statements about the schema `graph`.

    Raises: sqlite3.Error, which says what to do where the file is damaged.
    """
    try:
        raw.execute("ATTACH DATABASE ? AS graph", (log + SUFFIX,))
        for setting in filter(None, map(str.strip, settings.split(";"))):
            raw.execute(setting)
        if _usable(raw):
            return
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode not in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            raise
        raise sqlite3.DatabaseError(
            f"{log}{SUFFIX}: {error}. Nothing is in it that the log has not: stop the server and remove it,"
            " and it is made anew"
        ) from error
    begin(raw, "graph")
    try:
        if not _usable(raw):  # another process may have made it meanwhile
            _make(raw)
        raw.execute("COMMIT")
    except BaseException:
        raw.execute("ROLLBACK")
        raise


def begin(raw: sqlite3.Connection, schema: str) -> None:
    """Begin a transaction that may write to one file alone, `main` or `graph`, from its start.

    BEGIN IMMEDIATE would lock every file that is attached. Asked to give back free pages, of which our files
    have none to give, SQLite takes the lock of the one and does nothing more.

    Raises: sqlite3.OperationalError where others held it for as long as the connection waits.
    """
    raw.execute("BEGIN")
    try:
        raw.execute(f"PRAGMA {schema}.incremental_vacuum(1)").fetchall()
    except BaseException:
        raw.execute("ROLLBACK")
        raise


def tables(raw: sqlite3.Connection) -> list[str]:
    found = raw.execute(
        "SELECT name FROM graph.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY 1"
    )
    return [name for (name,) in found]


def indexes(raw: sqlite3.Connection, table: str) -> set[str]:
    found = raw.execute(
        "SELECT name FROM graph.sqlite_master WHERE type = 'index' AND tbl_name = ?", (table,)
    )
    return {name for (name,) in found}


def within(statement: str) -> str:
    """A statement that makes a table or index, so that it makes it in the graph's file."""
    return _BEGIN_INDEX.sub(r'\1 "graph"."', _BEGIN_TABLE.sub('CREATE TABLE "graph"."', statement))


def _usable(raw: sqlite3.Connection) -> bool:
    """Whether the tables are this version's, and follow this log.

    A log's file may have been put back from yesterday, without the graph's: its entries are not those that
    the graph tells of, even where there are as many by now.
    """
    (form,) = raw.execute("PRAGMA graph.user_version").fetchone()
    if form != FORM:
        return False
    (begun,) = raw.execute("SELECT count(*) FROM graph.graph_state WHERE projected > 0").fetchone()
    if not begun:
        return True
    there = raw.execute("SELECT 1 FROM main.sqlite_master WHERE type = 'table' AND name = 'log_entry'")
    return there.fetchone() is not None and raw.execute(_OF_OTHER_LOG).fetchone() is None


_OF_OTHER_LOG = f"SELECT 1 FROM graph.graph_state s WHERE s.id = 1 AND {OTHER_LOG}"  # noqa: S608


def _make(raw: sqlite3.Connection) -> None:
    """Inside a transaction of the graph's file: all tables as they are meant to be, empty."""
    raw.execute("PRAGMA graph.secure_delete = ON")
    for table in tables(raw):
        raw.execute(f'DROP TABLE graph."{table}"')
    for statement in _statements():
        raw.execute(statement)
    raw.execute("PRAGMA graph.secure_delete = OFF")
    raw.execute(f"PRAGMA graph.user_version = {FORM}")


@cache
def _statements() -> tuple[str, ...]:
    """What makes the tables of the models and their indexes, as the framework makes them elsewhere."""
    from django.apps import apps
    from django.db.utils import ConnectionHandler

    handler = ConnectionHandler({"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}})
    with handler["default"].schema_editor(atomic=False) as editor:
        for model in apps.get_app_config("lineage_db").get_models():
            if model._meta.db_table.startswith("graph_"):
                editor.create_model(model)
    raw = handler["default"].connection
    made = raw.execute(
        "SELECT sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY rowid"
    ).fetchall()
    raw.close()
    return tuple(within(statement) for (statement,) in made)
