"""What the first start leaves in the database: made by the product once in a process, afterwards put back.

Nearly every test begins with it, and to make it takes as long as many a test. Where the keys on the disk are
not those it was made with, the product makes it again. Owns: those rows, and what the process knows of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import connection

from lineage.config import current
from lineage.graph import sql
from lineage.services import bootstrap, keyring, platform_keys
from lineage.trust.policy import KeyRing, Role
from lineage.trust.signer import Signer

Files = tuple[tuple[str, int, bytes], ...]


@dataclass(frozen=True)
class _Start:
    """`files`: the folder of keys, by name, mode and bytes. `inserts`: statements with their values."""

    files: Files
    inserts: tuple[tuple[str, tuple[Any, ...]], ...]
    origin: str
    ring: KeyRing
    store: platform_keys.KeyStore
    keys: dict[Role, tuple[str | None, Signer]]


_made: list[_Start] = []


def ensure() -> None:
    """An installation with entry 0, in an empty database."""
    if current().key_token is not None:
        bootstrap.ensure()
        return
    files = _files()
    if _made and _made[0].files == files:
        _put_back(_made[0])
        return
    before = _filled()
    bootstrap.ensure()
    _made[:] = [_kept(before)]


def _files() -> Files:
    folder = current().keys
    if not folder.is_dir():
        return ()
    found = sorted(folder.iterdir())
    return tuple((str(each), each.stat().st_mode, each.read_bytes()) for each in found if each.is_file())


def _filled() -> set[str]:
    """The tables that hold something."""
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        parts = [f"SELECT '{table}' WHERE EXISTS (SELECT 1 FROM {table})" for table in tables]
        cursor.execute(" UNION ALL ".join(parts))
        return {table for (table,) in cursor.fetchall()}


def _kept(before: set[str]) -> _Start:
    """`before`: what the migrations have filled."""
    ring = keyring.current()
    keys = platform_keys.of(ring)
    inserts = []
    with connection.cursor() as cursor:
        for table in sorted(_filled() - before):
            cursor.execute(f"SELECT * FROM {table}")
            rows = cursor.fetchall()
            one = f"({', '.join(['%s'] * len(rows[0]))})"
            values = tuple(value for row in rows for value in row)
            inserts.append((f"INSERT INTO {table} VALUES {', '.join([one] * len(rows))}", values))
    store, used = platform_keys.store(), dict(platform_keys._kept)
    return _Start(_files(), tuple(inserts), keys.origin, ring, store, used)


def _put_back(start: _Start) -> None:
    with sql.unsynced(connection), connection.cursor() as cursor:
        for insert, values in start.inserts:
            cursor.execute(insert, values)
    platform_keys.forget()
    platform_keys._store[:] = [start.store]
    platform_keys._kept.update(start.keys)
    keyring._keep(start.origin, 0, start.ring)
