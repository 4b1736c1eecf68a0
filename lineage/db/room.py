"""Whether a database failed because there was no room left for what it was to write."""

from __future__ import annotations

import errno
import sqlite3

_POSTGRESQL = "53100"
"""Source: PostgreSQL, appendix A: disk_full."""
_SQLITE = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE})


def none_left(error: BaseException) -> bool:
    """Of a driver's error, one of Django's around it, or the operating system's."""
    cause: BaseException | None = error
    while cause is not None:
        if (
            getattr(cause, "sqlstate", None) == _POSTGRESQL
            or getattr(cause, "sqlite_errorcode", None) in _SQLITE
        ):
            return True
        if isinstance(cause, OSError) and cause.errno in {errno.ENOSPC, errno.EDQUOT}:
            return True
        cause = cause.__cause__
    return False
