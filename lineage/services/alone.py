"""One at a time in the whole installation, as far as that saves work.

Not a guard of anything: whatever is done alone must be harmless when two do it. On PostgreSQL an advisory
lock, which ends with its connection; SQLite has one machine and few processes, and everybody may go on.
Source: PostgreSQL, Explicit Locking, Advisory Locks.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import InterfaceError, OperationalError, connection


@contextmanager
def alone(what: str) -> Iterator[bool]:
    """True where nobody else is at `what` now; then nobody else is until the block ends."""
    if connection.vendor != "postgresql":
        yield True
        return
    number = zlib.crc32(what.encode())
    if not _ask("SELECT pg_try_advisory_lock(%s)", number):
        yield False
        return
    try:
        yield True
    finally:
        try:
            _ask("SELECT pg_advisory_unlock(%s)", number)
        except (OperationalError, InterfaceError):
            connection.close()  # the lock went with the connection


def _ask(sql: str, number: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(sql, [number])
        row = cursor.fetchone()
    return bool(row and row[0])
