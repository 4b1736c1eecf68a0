"""Databases of their own in a running cluster, for tests."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg
from psycopg import sql


@contextmanager
def fresh_database(cluster: str) -> Iterator[str]:
    """The URL of a new, empty database, dropped after the block with whoever is still connected.

    `cluster` is the URL of any database of it, with a role that may make others.
    """
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(cluster, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        yield urlsplit(cluster)._replace(path=f"/{name}").geturl()
    finally:
        with psycopg.connect(cluster, autocommit=True) as connection:
            drop(connection, name)


def drop(connection: psycopg.Connection, name: str) -> None:
    """Drop a database, ending the sessions that its role has in it.

    Not `WITH (FORCE)`: that refuses where an autovacuum worker is at the database just then, whose process
    no ordinary role may end. Without it PostgreSQL sends such a worker away, and waits for who is going.
    """
    own = "FROM pg_stat_activity WHERE datname = %s AND usename = current_user"
    connection.execute(f"SELECT pg_terminate_backend(pid) {own}", [name])
    connection.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))


def replaced_if_empty(url: str, fill: Callable[[str], None]) -> bool:
    """Put a copy of the database that `fill` once filled in place of one without a table; whether it was so.

    One that lies in a tablespace of its own is left as it is. The copy's pattern stays in the cluster as long
    as that is there.
    """
    with psycopg.connect(url) as connection:
        if connection.execute("SELECT 1 FROM pg_tables WHERE schemaname = 'public'").fetchone():
            return False
        own = "SELECT 1 FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace"
        if connection.execute(
            f"{own} WHERE datname = current_database() AND spcname <> 'pg_default'"
        ).fetchone():
            return False
    parts = urlsplit(url)
    pattern = f"pattern_{os.getpid()}"
    with psycopg.connect(parts._replace(path="/postgres").geturl(), autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [pattern]).fetchone():
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(pattern)))
            fill(parts._replace(path=f"/{pattern}").geturl())
        name = sql.Identifier(parts.path[1:])
        drop(connection, parts.path[1:])
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(name, sql.Identifier(pattern)))
    return True
