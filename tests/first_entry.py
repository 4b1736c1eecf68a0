"""What the first start leaves in the database: made by the product once in a process, afterwards put back.

Nearly every test begins with it, and to make it takes as long as many a test. Where the keys on the disk are
not those it was made with, the product makes it again. Owns: those rows, and what the process knows of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import connection

from lineage.config import current
from lineage.db.models import LogHead
from lineage.graph import sql
from lineage.services import bootstrap, keyring, platform_keys
from lineage.trust.policy import KeyRing, Role
from lineage.trust.signer import Signer

Files = tuple[tuple[str, int, bytes], ...]
ROWS_AT_ONCE = 500


@dataclass(frozen=True)
class Start:
    """What a test begins with.

    `files`: the folder of keys, by name, mode and bytes. `inserts`: statements with their values. `ring`: of
    the newest decision about keys, entry `policy_index`.
    """

    files: Files
    inserts: tuple[tuple[str, tuple[Any, ...]], ...]
    origin: str
    policy_index: int
    ring: KeyRing
    store: platform_keys.KeyStore
    keys: dict[Role, tuple[str | None, Signer]]


_made: list[Start] = []


def ensure() -> None:
    """An installation with entry 0, in an empty database."""
    if current().key_token is not None:
        bootstrap.ensure()
        return
    files = key_files()
    if _made and _made[0].files == files:
        put_back(_made[0])
        return
    before = filled_tables()
    bootstrap.ensure()
    _made[:] = [keep(before)]


def key_files() -> Files:
    """The folder of keys as it is on the disk."""
    folder = current().keys
    if not folder.is_dir():
        return ()
    found = sorted(folder.iterdir())
    return tuple((str(each), each.stat().st_mode, each.read_bytes()) for each in found if each.is_file())


def filled_tables() -> set[str]:
    """The tables that hold something."""
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        parts = [f"SELECT '{table}' WHERE EXISTS (SELECT 1 FROM {table})" for table in tables]
        cursor.execute(" UNION ALL ".join(parts))
        return {table for (table,) in cursor.fetchall()}


def keep(before: set[str]) -> Start:
    """What is in the database now, but for the tables `before`: what the migrations have filled."""
    ring = keyring.current()
    keys = platform_keys.of(ring)
    inserts = []
    with connection.cursor() as cursor:
        for table in sorted(filled_tables() - before):
            cursor.execute(f"SELECT * FROM {table}")
            while rows := cursor.fetchmany(ROWS_AT_ONCE):
                one = f"({', '.join(['%s'] * len(rows[0]))})"
                values = tuple(value for row in rows for value in row)
                inserts.append((f"INSERT INTO {table} VALUES {', '.join([one] * len(rows))}", values))
    store, used = platform_keys.store(), dict(platform_keys._kept)
    index = LogHead.objects.values_list("policy_index", flat=True).get(pk=1)
    return Start(key_files(), tuple(inserts), keys.origin, index, ring, store, used)


def put_back(start: Start) -> None:
    """Into an empty database. This process knows the keys afterwards."""
    with sql.unsynced(connection), connection.cursor() as cursor:
        for insert, values in start.inserts:
            cursor.execute(insert, values)
    platform_keys.forget()
    platform_keys._store[:] = [start.store]
    platform_keys._kept.update(start.keys)
    keyring._keep(start.origin, start.policy_index, start.ring)
