"""The pool looks at a connection before it gives it away.

A server that is restarted, or ends a connection, says so on it: then there is something to read where nothing
was asked. To look for that costs some microseconds; the pool's own check costs a round trip each time, and
after a restart waits longer and longer between one dead connection and the next, so that nobody gets one of
the living for more than ten seconds.
"""

from __future__ import annotations

from typing import Any

from django.db.backends.postgresql.base import DatabaseWrapper as PostgresqlWrapper

from lineage.db.waiting import has_spoken


class DatabaseWrapper(PostgresqlWrapper):
    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        connection = super().get_new_connection(conn_params)
        if self.pool is None or not has_spoken(connection):
            return connection
        self.pool.putconn(connection)
        self.pool.check()  # all at once: where one is dead, most are
        return super().get_new_connection(conn_params)
