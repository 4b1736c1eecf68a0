"""Send wake-ups to Celery's workers through Redis, and get over its absence.

Owns: the connection, how long to wait for Redis, how often to say that it is away. Used by `wake`'s thread
alone.
"""

from __future__ import annotations

import logging
import time

from celery import Celery
from kombu import Connection
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from lineage import broker
from lineage.services.wake import Message

FIRST_BACKOFF_SECONDS = 0.5
LONGEST_BACKOFF_SECONDS = 30.0
SAY_SECONDS = 60.0

log = logging.getLogger(__name__)


class Sender:
    """A connection to Redis that is made anew after it was lost."""

    def __init__(self, url: str) -> None:
        self._celery = Celery("lineage-wake", fixups=[], set_as_current=False)
        self._celery.conf.update(broker.settings(url))
        self._connection: Connection | None = None
        self._backoff = FIRST_BACKOFF_SECONDS
        self._said_at = float("-inf")

    def send(self, messages: list[Message]) -> None:
        """Send all of them. Without Redis there is nobody to wake: wait a while, and beat does it later."""
        try:
            if self._connection is None:
                self._connection = self._celery.connection_for_write()
            for message in messages:
                self._send(self._connection, *message)
            self._backoff = FIRST_BACKOFF_SECONDS
        except (OperationalError, RedisError, OSError) as error:
            self._say(error)
            if self._connection is not None:
                self._connection.release()
                self._connection = None
            time.sleep(self._backoff)
            self._backoff = min(LONGEST_BACKOFF_SECONDS, self._backoff * 2)

    def _send(self, connection: Connection, name: str, queue: str, arguments: tuple[str, ...]) -> None:
        if broker.has_room(connection, queue):
            self._celery.send_task(name, arguments, queue=queue, connection=connection)

    def _say(self, error: Exception) -> None:
        if time.monotonic() < self._said_at + SAY_SECONDS:
            return
        self._said_at = time.monotonic()
        log.warning(
            "Redis can't be reached (%s): workers are woken by their schedule alone, so what is appended "
            "shows later. Nothing is lost.",
            type(error).__name__,
        )
