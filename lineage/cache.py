"""What the web processes count together: failed sign-ins and requests, in Redis where there is one.

Owns: Django's cache, of which rate limits are the only user, and what happens while Redis is away: each
process counts by itself, and says so once. A limit is then looser by the number of processes, and never gone.
Does not own: the limits (allauth's, and `lineage.services.rate_limits`).
"""

from __future__ import annotations

import json
import logging
import time
from threading import Lock
from typing import Any

from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache

CONNECT_SECONDS = 0.5
CALL_SECONDS = 1.0
REST_SECONDS = 5.0
"""How long Redis is left alone by a process after it did not answer: no sign-in waits for it each time."""

MAX_ENTRIES = 50_000
"""Counters in a process's own memory; with more the oldest are forgotten, and their limits begin anew."""

log = logging.getLogger(__name__)


class JsonValues:
    """Values as JSON. Django's own way unpickles, which would hand whoever writes to Redis this process."""

    def dumps(self, value: object) -> bytes:
        return json.dumps(value).encode()

    def loads(self, data: bytes) -> Any:
        return json.loads(data)


class LocalCounters(LocMemCache):
    """This process's memory."""

    def count(self, key: str, before: str, seconds: int, more: int = 1) -> tuple[int, int]:
        """`more` under `key`, which is forgotten after `seconds`: how many that are, and under `before`."""
        return self._more(key, seconds, more), int(self.get(before) or 0)

    def _more(self, key: str, seconds: int, more: int) -> int:
        if self.add(key, more, seconds):
            return more
        try:
            return int(self.incr(key, more))
        except ValueError:  # it ended between the two
            self.set(key, more, seconds)
            return more


class _InRedis(RedisCache):
    def count(self, key: str, before: str, seconds: int, more: int = 1) -> tuple[int, int]:
        """As `LocalCounters.count`, in one round trip: calls of programs wait for it."""
        ours, theirs = self.make_and_validate_key(key), self.make_and_validate_key(before)
        with self._cache.get_client(ours, write=True).pipeline() as pipeline:
            pipeline.incr(ours, more)
            pipeline.expire(ours, seconds)
            pipeline.get(theirs)
            count, _, earlier = pipeline.execute()
        return int(count), int(earlier or 0)


class SharedCounters(BaseCache):
    """Redis, or this process's memory while Redis does not answer."""

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(params)
        self._shared = _InRedis([server], params)  # a list: in a text Django would split at commas
        self._alone = LocalCounters("lineage-alone", {**params, "OPTIONS": {"MAX_ENTRIES": MAX_ENTRIES}})

    def count(self, *args: Any, **kwargs: Any) -> tuple[int, int]:
        count, before = self._either("count", *args, **kwargs)
        return int(count), int(before)

    def add(self, *args: Any, **kwargs: Any) -> bool:
        return bool(self._either("add", *args, **kwargs))

    def get(self, *args: Any, **kwargs: Any) -> Any:
        return self._either("get", *args, **kwargs)

    def set(self, *args: Any, **kwargs: Any) -> None:
        self._either("set", *args, **kwargs)

    def incr(self, *args: Any, **kwargs: Any) -> int:
        return int(self._either("incr", *args, **kwargs))

    def touch(self, *args: Any, **kwargs: Any) -> bool:
        return bool(self._either("touch", *args, **kwargs))

    def delete(self, *args: Any, **kwargs: Any) -> bool:
        return bool(self._either("delete", *args, **kwargs))

    def _either(self, method: str, *args: Any, **kwargs: Any) -> Any:
        from redis.exceptions import RedisError

        if _rest.over():
            try:
                answer = getattr(self._shared, method)(*args, **kwargs)
            except (RedisError, OSError) as error:
                _rest.begin(error)
            else:
                _rest.end()
                return answer
        return getattr(self._alone, method)(*args, **kwargs)


class _Rest:
    """Since when this process has left Redis alone. One for all of its threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._away = False
        self._until = 0.0

    def over(self) -> bool:
        """Whether Redis may be asked: one caller tries at a time, the others don't wait for it."""
        with self._lock:
            if not self._away:
                return True
            if time.monotonic() < self._until:
                return False
            self._until = time.monotonic() + REST_SECONDS
            return True

    def begin(self, error: Exception) -> None:
        with self._lock:
            first, self._away = not self._away, True
            self._until = time.monotonic() + REST_SECONDS
        if first:
            log.warning(
                "Redis does not answer (%s): each web process counts failed sign-ins and requests by itself.",
                type(error).__name__,
            )

    def end(self) -> None:
        if not self._away:
            return
        with self._lock:
            self._away = False
        log.info("Redis answers again: failed sign-ins and requests are counted together.")


_rest = _Rest()


def settings(broker: str) -> dict[str, Any]:
    """Django's `CACHES`."""
    if not broker:
        return {
            "default": {
                "BACKEND": "lineage.cache.LocalCounters",
                "OPTIONS": {"MAX_ENTRIES": MAX_ENTRIES},
            }
        }
    return {
        "default": {
            "BACKEND": "lineage.cache.SharedCounters",
            "LOCATION": broker,
            "KEY_PREFIX": "lineage",
            "OPTIONS": {
                "serializer": "lineage.cache.JsonValues",
                "socket_connect_timeout": CONNECT_SECONDS,
                "socket_timeout": CALL_SECONDS,
                "retry": None,
            },
        }
    }
