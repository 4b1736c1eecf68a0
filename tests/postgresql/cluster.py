"""A cluster of tests need not wait for the disk: none of them pulls the plug, and many make databases.

A process that is killed loses nothing by that, nor does one of PostgreSQL's own.
"""

from __future__ import annotations

import psycopg

from lineage.localservices.service import LOOPBACK, LocalService, secret


def wait_for_disk(service: LocalService, *, wanted: bool) -> None:
    """Have what is written reach the disk before anything is said to be done, or not.

    Connections that are made from then on do so.
    """
    setting = "on" if wanted else "off"
    with _superuser(service) as connection:
        connection.execute(f"ALTER SYSTEM SET fsync = {setting}")
        connection.execute("SELECT pg_reload_conf()")
    while True:
        with _superuser(service) as connection:
            if connection.execute("SHOW fsync").fetchone() == (setting,):
                return


def _superuser(service: LocalService) -> psycopg.Connection:
    return psycopg.connect(
        host=LOOPBACK,
        port=service.port,
        user="postgres",
        password=secret(service.directory / "cluster" / "superuser-password"),
        dbname="postgres",
        autocommit=True,
    )
