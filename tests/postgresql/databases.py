"""Databases of their own in a running cluster, for tests."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit


@contextmanager
def fresh_database(cluster: str) -> Iterator[str]:
    """The URL of a new, empty database, dropped after the block with whoever is still connected.

    `cluster` is the URL of any database of it, with a role that may make others.
    """
    import psycopg
    from psycopg import sql

    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(cluster, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        yield urlsplit(cluster)._replace(path=f"/{name}").geturl()
    finally:
        with psycopg.connect(cluster, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
