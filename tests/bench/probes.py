"""Looking beside the server how far its graphs have followed the log, without asking the server itself."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
from neo4j import GraphDatabase
from psycopg.conninfo import make_conninfo

from lineage.db.sqlite import graph_file
from lineage.service_urls import Bolt

LOG_FILES = 48
"""Of 16 MB each, of PostgreSQL's write-ahead log: at 800 statements a second one lasts for about a second."""

Query = Callable[[str], int]
"""The one number that a query answers."""

_FEW_FILES = "SELECT count(*) < %s FROM pg_ls_waldir()"
_BEHIND = (
    "SELECT (SELECT size FROM log_head WHERE id = 1) - (SELECT coalesce(max(projected), 0) FROM graph_state)"
)


class Probe:
    """Reads the database, and Neo4j where there is one. `close` it."""

    def __init__(
        self,
        query: Query,
        close: Callable[[], None],
        graph: Bolt | None = None,
        database: psycopg.Connection | None = None,
    ) -> None:
        self.ask, self._close, self._graph, self._database = query, close, None, database
        if graph is not None:
            self._graph = GraphDatabase.driver(
                graph.uri, auth=(graph.user, graph.password), notifications_min_severity="OFF"
            )

    @classmethod
    def sqlite(cls, path: Path) -> Probe:
        # Kept open: opening both files took longer than what is asked, from those who are measured.
        database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        database.execute("ATTACH DATABASE ? AS graph", [f"{path}{graph_file.SUFFIX}"])

        def query(sql: str) -> int:
            return int(database.execute(sql).fetchone()[0])

        return cls(query, database.close)

    @classmethod
    def postgresql(cls, url: str, graph: Bolt | None) -> Probe:
        database = psycopg.connect(url, autocommit=True)

        def query(sql: str) -> int:
            row = database.execute(sql.encode()).fetchone()
            return int(row[0]) if row else 0

        return cls(query, database.close, graph, database)

    def behind(self) -> dict[str, int]:
        """Entries that each backend has still to follow."""
        found = {"sql": self.ask(_BEHIND)}
        if self._graph is not None:
            size = self.ask("SELECT size FROM log_head")
            rows = self._graph.execute_query("MATCH (p:Projection) RETURN p.projected AS projected").records
            found["neo4j"] = size - (rows[0]["projected"] if rows else 0)
        return found

    def settle(self, home: Path) -> None:
        """Have the system, and PostgreSQL started in this folder, write what they have.

        PostgreSQL has files of its write-ahead log to use again then, as a server that has run for a while.
        One that has just begun makes them: 30 to 50 ms each in which commits wait.
        """
        if self._database is not None:
            cluster = home / "database" / "cluster"
            with psycopg.connect(self._superuser(cluster), autocommit=True) as database:
                while database.execute(_FEW_FILES, [LOG_FILES]).fetchone() == (True,):
                    database.execute("SELECT pg_logical_emit_message(false, '', 'full'), pg_switch_wal()")
                database.execute("CHECKPOINT")
        os.sync()

    def _superuser(self, cluster: Path) -> str:
        assert self._database is not None
        password = (cluster / "superuser-password").read_text().strip()
        return make_conninfo(self._database.info.dsn, user="postgres", dbname="postgres", password=password)

    def wait_level(self) -> float:
        """Seconds until every backend is level."""
        begin = time.perf_counter()
        while any(self.behind().values()):
            time.sleep(0.02)
        return time.perf_counter() - begin

    def close(self) -> None:
        self._close()
        if self._graph is not None:
            self._graph.close()
