"""What a line of the program's own log looks like, whoever writes it, and what may never be in one.

Owns: the two forms (`LINEAGE_LOG_FORMAT`), the ids of request and job that a line is about, the redaction of
secrets. Does not own: which events are logged. Nothing here needs Django, so that the web server's own
supervisor writes the same lines.

No code passes a secret to a logger; `redact` is the last line of defence, because drivers put addresses into
their messages.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

import msgspec

ACCESS = "lineage.access"
"""The logger that has a line a request."""

request_id: ContextVar[str] = ContextVar("lineage_request_id", default="")
job_id: ContextVar[int | None] = ContextVar("lineage_job_id", default=None)

_HIDDEN = "[hidden]"
_SIGNS = (
    "://",
    "lin_",
    "authorization",
    "cookie",
    "bearer ",
    "basic ",
    "sessionid",
    "csrftoken",
    "passw",
    "secret",
)
"""Without any of these, in lower case, a text holds nothing that `_SECRETS` would find."""
_SECRETS: tuple[tuple[re.Pattern[str], str], ...] = (
    # `scheme://user:password@host`. A password may hold what a URL may not; the last @ ends it.
    (re.compile(r"(://[^\s/:@]*):[^\s/]*@"), rf"\1:{_HIDDEN}@"),
    (re.compile(r"(?i)\b((?:proxy-)?authorization|(?:set-)?cookie)([\"']?\s*[:=]\s*).*"), rf"\1\2{_HIDDEN}"),
    (re.compile(r"(?i)\b(bearer|basic) [a-z0-9._~+/=-]{8,}"), rf"\1 {_HIDDEN}"),
    (re.compile(r"\blin_([0-9a-zA-Z]+)_[0-9a-zA-Z_-]+"), rf"lin_\1_{_HIDDEN}"),
    (
        re.compile(r"(?i)(sessionid|csrftoken|password|passwd|secret(?:_key)?)([\"']?\s*[:=]\s*)[^\s,;&)}]+"),
        rf"\1\2{_HIDDEN}",
    ),
)


def redact(text: str) -> str:
    """The text without passwords in URLs, tokens, cookies and the values of the usual headers and fields."""
    lower = text.lower()
    for sign in _SIGNS:
        if sign in lower:
            break
    else:
        return text
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


@contextmanager
def job(number: int) -> Iterator[None]:
    """Every line inside is about this job."""
    token = job_id.set(number)
    try:
        yield
    finally:
        job_id.reset(token)


_NOTHING: dict[str, Any] = dict.fromkeys(logging.makeLogRecord({}).__dict__)
_NOTHING |= {"args": (), "lineno": 0}
"""Whatever else a record has."""


class _Finished(logging.LogRecord):
    """A record whose text is finished, without what Python looks up for each: where in the program it was
    written, and by whom. No form here shows that, and it takes a third of a line's time."""

    def __init__(self, name: str, level: int, text: str, fields: Mapping[str, object]) -> None:
        now = time.time()
        self.__dict__ |= _NOTHING | {
            "name": name,
            "msg": text,
            "fields": fields,
            "levelno": level,
            "levelname": logging.getLevelName(level),
            "created": now,
            "msecs": int(now % 1 * 1000),
        }


def write(logger: logging.Logger, level: int, text: str, fields: Mapping[str, object]) -> None:
    """Log a line of which there may be thousands a second, if such are logged."""
    if logger.isEnabledFor(level):
        logger.handle(_Finished(logger.name, level, text, fields))


class TextFormatter(logging.Formatter):
    """For people: one line, a traceback below it."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s%(about)s: %(message)s")
        self._second = (-1, "")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        """As Python's; each second is written once."""
        second, text = self._second
        if second != int(record.created):
            second = int(record.created)
            text = time.strftime(self.default_time_format, self.converter(second))
            self._second = (second, text)
        return f"{text},{int(record.msecs):03d}"

    def format(self, record: logging.LogRecord) -> str:
        record.about = _about()
        return redact(super().format(record))


class JsonFormatter(logging.Formatter):
    """For programs: one JSON object a line, UTF-8.

    Members: ts (RFC 3339, UTC), level, logger, message, pid; request_id, job_id, exception (the traceback)
    where there is one; whatever the record has under `fields`.
    """

    def format(self, record: logging.LogRecord) -> str:
        members: dict[str, Any] = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": redact(record.getMessage()),
            "pid": os.getpid(),
        }
        if request := request_id.get():
            members["request_id"] = request
        if (number := job_id.get()) is not None:
            members["job_id"] = number
        if record.exc_info:
            members["exception"] = redact(self.formatException(record.exc_info))
        if record.stack_info:
            members["stack"] = redact(record.stack_info)
        for name, value in getattr(record, "fields", {}).items():
            members.setdefault(name, redact(value) if isinstance(value, str) else value)
        return msgspec.json.encode(members).decode()


FORMATTERS = {"text": TextFormatter, "json": JsonFormatter}


def settings(form: str, level: str) -> dict[str, Any]:
    """The configuration for `logging.config`: all goes to standard error in the form `text` or `json`.

    `level` is the least that is written: `debug`, `info`, `warning`. A line a request is `info`.

    `_granian` is the web server's own logger, which has a handler of its own unless it is named here.
    """
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": FORMATTERS[form]}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": level.upper()},
        "loggers": {
            "_granian": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
            # A line a wake-up would be some each second.
            "celery": {"level": "WARNING"},
            # The driver's every try; what comes of them in the end is said by whoever asked.
            "neo4j": {"level": "ERROR"},
            # Answers of 400 and above have their line in the access log; what went wrong inside is an error.
            "django.request": {"level": "ERROR"},
        },
    }


def be_brief() -> None:
    """Let no line of this process be told where in the program it was written, and by which thread: neither
    form shows it, and finding it costs as much as the rest of a line.

    Source: Python's Logging HOWTO, "Optimization".
    """
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False


def _about() -> str:
    request, number = request_id.get(), job_id.get()
    if request:
        return f" [request {request}]"
    return "" if number is None else f" [job {number}]"
