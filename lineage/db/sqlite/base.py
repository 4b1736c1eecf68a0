"""The log's file, and the graph's attached to each connection: a statement names the tables of either.

Whoever appends to the log must not wait for the graph's transactions, nor carry its pages to the disk. So a
transaction of the framework locks the log's file alone, and one that writes the graph locks the graph's alone
(`begin`). Source: SQLite, ATTACH DATABASE; sqlite.org/isolation.html.
"""

from __future__ import annotations

from typing import Any

from django.db.backends.sqlite3.base import DatabaseWrapper as SqliteWrapper

from lineage.db.sqlite import graph_file


class DatabaseWrapper(SqliteWrapper):
    """`OPTIONS` has `graph`, statements that set up its file as `init_command` does the log's. Without
    it a connection has the log's file alone. And `mapped`, how many bytes of each file are read as memory."""

    maps = True
    """Whether it has `mapped` any bytes: not once it was told otherwise (`mapping`)."""

    def get_connection_params(self) -> dict[str, Any]:
        parameters: dict[str, Any] = super().get_connection_params()
        self._graph: str | None = parameters.pop("graph", None)
        self._mapped = int(parameters.pop("mapped", 0))
        return parameters

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        raw = super().get_new_connection(conn_params)
        try:
            if self.maps:  # of what is attached from now on, too
                raw.execute(f"PRAGMA mmap_size={self._mapped}").fetchall()
            if self._graph is not None:
                graph_file.attach(raw, str(conn_params["database"]), self._graph)
        except BaseException:
            raw.close()
            raise
        return raw

    def _start_transaction_under_autocommit(self) -> None:
        if self._graph is None or self.transaction_mode != "IMMEDIATE":  # type: ignore[attr-defined]
            super()._start_transaction_under_autocommit()  # type: ignore[misc]  # not in the stubs
            return
        with self.wrap_database_errors:
            graph_file.begin(self.connection, "main")

    def map_nothing(self) -> None:
        """Read by copying pages from now on, by this connection and those after it."""
        if self.maps:
            self.maps = False
            if self.connection is not None:
                self.connection.execute("PRAGMA mmap_size=0").fetchall()
