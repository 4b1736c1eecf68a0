"""Where SQLite and PostgreSQL differ in queries that are written once: a fragment by its name in braces.

Owns: the fragments, and how lists become parameters. Does not own: any query. A list of any length is one
parameter (a column of a list of rows is one on PostgreSQL), so that a query's text never changes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

_EDGES = ("source bigint", "type text", "target bigint")
_GROUPS = (
    "node bigint",
    "location text",
    "outcome text",
    "strength smallint",
    "signer bigint",
    "cutoff bigint",
)


def _sqlite_rows(columns: Sequence[str]) -> str:
    names = [column.split()[0] for column in columns]
    read = (f"json_extract(value, '$[{place}]') AS {name}" for place, name in enumerate(names))
    return f"(SELECT {', '.join(read)} FROM json_each(%s)) w"  # noqa: S608 our own names


def _postgresql_rows(columns: Sequence[str]) -> str:
    names, kinds = zip(*(column.split() for column in columns), strict=True)
    return f"unnest({', '.join(f'%s::{kind}[]' for kind in kinds)}) w ({', '.join(names)})"


_FRAGMENTS = {
    "sqlite": {
        "ids": "json_each(%s) w",
        "texts": "json_each(%s) w",
        "digests": "(SELECT substr(%s, 1 + 32 * key, 32) AS value FROM json_each(%s)) w",
        "edges": _sqlite_rows(_EDGES),
        "groups": _sqlite_rows(_GROUPS),
        # Takes a column's affinity away, without which SQLite would seek by the first column of a comparison
        # of rows alone.
        "plain": "+",
        "like": "LIKE",
        "bigint": "%s",
        "text": "%s",
        "null": "NULL",
    },
    "postgresql": {
        "ids": "unnest(%s::bigint[]) w (value)",
        "texts": "unnest(%s::text[]) w (value)",
        "digests": "unnest(%s::bytea[]) w (value)",
        "edges": _postgresql_rows(_EDGES),
        "groups": _postgresql_rows(_GROUPS),
        "plain": "",
        "bigint": "%s::bigint",
        "text": "%s::text",
        "null": "NULL::bigint",
        "like": "ILIKE",  # of ASCII letters alone, because the columns compare by bytes: as SQLite's LIKE
    },
}
"""`ids`, `texts`, `digests`: a table `w` with the column `value`; `edges`, `groups`: with those above."""


_ALIASES = ("c", "e", "n", "s")
_IN_VOID = "(SELECT value FROM void)"
_ALL = {f"but_{alias}": "" for alias in _ALIASES}
_KEPT = {f"but_{alias}": f' AND {alias}."index" NOT IN {_IN_VOID}' for alias in _ALIASES}
_GONE = {f"only_{alias}": f' AND {alias}."index" IN {_IN_VOID}' for alias in _ALIASES}
_VOID = "void (value) AS (SELECT w.value FROM {ids})"


@cache
def query(template: str, vendor: str, *, withdrawn: bool = False) -> str:
    """The query with the fragments of a database.

    With `withdrawn` its first parameter is a list of log indexes, which conditions `{but_c}` leave out of the
    rows of alias `c`, and `{only_c}` alone keep.
    """
    fragments = _FRAGMENTS[vendor]
    if not withdrawn:
        return template.format_map(fragments | _ALL)
    start = "WITH RECURSIVE "
    if template.startswith(start):
        template = f"{start}{_VOID}, {template.removeprefix(start)}"
    else:
        template = f"WITH {_VOID} {template}"
    return template.format_map(fragments | _KEPT | _GONE)


@cache
def tells_withdrawn(template: str) -> bool:
    """Whether it matters to the query what was withdrawn."""
    return "{but_" in template or "{only_" in template


def listed(rows: Sequence[Any], vendor: str) -> list[Any]:
    """The parameters of `ids`, `texts`, `edges` or `groups`. `rows` must not be empty."""
    if vendor == "sqlite":
        return [json.dumps(rows)]
    if isinstance(rows[0], (list, tuple)):
        return [_array(column) for column in zip(*rows, strict=True)]
    return [_array(rows)]


def listed_digests(digests: Sequence[str], vendor: str) -> list[Any]:
    """The parameters of `digests`, which are in hex. There must be one."""
    found = [bytes.fromhex(digest) for digest in digests]
    return [b"".join(found), json.dumps([0] * len(found))] if vendor == "sqlite" else [found]


def numbers(values: Iterable[int]) -> str:
    """Integers as PostgreSQL writes an array: the driver would take a microsecond for each of a list."""
    return "{" + ",".join(map(str, values)) + "}"


def _array(values: Sequence[Any]) -> Any:
    return numbers(values) if isinstance(values[0], int) else list(values)
