"""Operators ask the graph in Neo4j's own language: one question, judged, bounded, and written down.

Owns: the limits, who may have a question running, the record of each (`GraphQuery`), the process that asks.
Does not own: what a question may do (`graph.cypher_text`, `graph.cypher_guard`), asking (`cypher_process`).

The record is committed before the question leaves this process and completed afterwards, also where the
question is refused or fails. Statuses are not in Neo4j: they are derived in the database.
"""

from __future__ import annotations

import json
import logging
import math
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from time import monotonic
from typing import Any

import msgspec
from django.db import connection, transaction
from django.db.models import QuerySet

import lineage
from lineage.config import current
from lineage.db.models import GraphQuery, LogHead
from lineage.errors import (
    ForbiddenError,
    LineageError,
    MalformedError,
    NotFoundError,
    RateLimitedError,
    TooLargeError,
    UnavailableError,
)
from lineage.graph import cypher_process
from lineage.graph.cypher_process import Question, Reply
from lineage.service_urls import Bolt
from lineage.services.clock import now_us

MOST_QUERY = 10_000
"""Characters of a query."""
MOST_PARAMETERS = 64 << 10
"""Bytes of the parameters as JSON."""
MOST_NESTING = 16
MOST_ROWS = 10_000
ROWS = 1_000
MOST_SECONDS = 60
SECONDS = 10
MOST_ANSWER = 4 << 20
"""Bytes of the rows as JSON."""
MOST_MEMORY = 512 << 20
"""Address space of the process that asks: it takes 64 MiB, and several times an answer on top."""
MOST_RUNNING = 3
"""Questions of the whole installation at one time; each may keep one of Neo4j's threads busy."""
KEPT_PARAMETERS = 4_000
"""Characters of the parameters that the record keeps."""
KEPT_REASON = 2_000
_INT64 = 1 << 63
_START_SECONDS = 30.0
"""What a busy machine may need to start a process and end it, on top of its own limits."""

log = logging.getLogger(__name__)


class Asked(msgspec.Struct, frozen=True):
    """A question as somebody put it. `rows` and `seconds` are limits that they chose."""

    query: str
    parameters: dict[str, Any] = {}
    rows: int = ROWS
    seconds: int = SECONDS


class Found(msgspec.Struct, frozen=True):
    """The answer. `projected` of `tree_size` log entries were in Neo4j when it was read.

    `rows` are lists in the order of `columns`, values in the form of `graph.cypher_form`. `truncated`:
    there were more rows than `limit`, or than fit into 4 MiB. `ms` is the time that it took here.
    """

    columns: list[str]
    rows: list[list[Any]]
    truncated: bool
    limit: int
    seconds: int
    ms: int
    projected: int
    tree_size: int


def run(asked: Asked, person: str) -> Found:
    """Ask for `person`: an e-mail address or a token's name, as in `api.authentication.Caller`.

    Raises:
        NotFoundError: no Neo4j is configured.
        MalformedError: the query or parameters; with Neo4j's message, line and column.
        ForbiddenError: what the query would do, or may do.
        TooLargeError: the text, the answer, or the time.
        RateLimitedError: the person has a question running.
        UnavailableError: Neo4j is away, or too many questions are running.
    """
    record = _begin(asked, person)
    started = monotonic()
    try:
        bolt = _checked(asked, record)
        answer = _ask(bolt, asked, record.pk)
    except LineageError as error:
        _complete(record, started, outcome=_outcome(error), reason=_reason(error))
        raise
    ms = _complete(
        record,
        started,
        outcome=GraphQuery.Outcome.ANSWERED,
        rows=len(answer.rows),
        truncated=answer.truncated,
    )
    return Found(
        answer.columns,
        answer.rows,
        answer.truncated,
        asked.rows,
        asked.seconds,
        ms,
        answer.projected or 0,
        _tree_size(),
    )


def configured() -> bool:
    """Whether this installation has a Neo4j."""
    return current().graph is not None


def listed() -> QuerySet[GraphQuery]:
    """The records, newest first."""
    return GraphQuery.objects.order_by("-pk")


def _tree_size() -> int:
    return LogHead.objects.values_list("size", flat=True).filter(pk=1).first() or 0


# The record


def _begin(asked: Asked, person: str) -> GraphQuery:
    """Write down that somebody asks. It is not yet running: the limits may still refuse it."""
    at = now_us()
    return GraphQuery.objects.create(
        at_us=at,
        person=person,
        query=_text(asked.query, MOST_QUERY),
        parameters=_text(
            json.dumps(asked.parameters, ensure_ascii=False, separators=(",", ":")), KEPT_PARAMETERS
        ),
        outcome=GraphQuery.Outcome.RUNNING,
        until_us=0,
    )


def _text(text: str, most: int) -> str:
    """Fit for a text column of every database."""
    whole = text[:most].encode("utf-8", "replace").decode()
    return whole.replace("\0", "\N{SYMBOL FOR NULL}")


def _complete(record: GraphQuery, started: float, **values: object) -> int:
    ms = round((monotonic() - started) * 1000)
    GraphQuery.objects.filter(pk=record.pk).update(ms=ms, **values)
    return ms


def _outcome(error: LineageError) -> GraphQuery.Outcome:
    refused = isinstance(error, ForbiddenError | RateLimitedError)
    return GraphQuery.Outcome.REFUSED if refused else GraphQuery.Outcome.FAILED


def _reason(error: LineageError) -> str:
    return _text(
        " ".join(part for part in (f"{error.slug}:", error.message, error.where) if part), KEPT_REASON
    )


# Limits


def _checked(asked: Asked, record: GraphQuery) -> Bolt:
    """Everything that needs no Neo4j; afterwards the question counts as running."""
    bolt = current().graph
    if bolt is None:
        raise NotFoundError(
            "No Neo4j is configured, so there is nothing to ask in Cypher.",
            hint="Set LINEAGE_GRAPH_URL=bolt://user:password@host and restart; pages and the REST "
            "interface answer from the database without it.",
        )
    if len(asked.query) > MOST_QUERY:
        raise TooLargeError(
            f"The query has {len(asked.query):,} characters; the limit is {MOST_QUERY:,}.", limit=MOST_QUERY
        )
    _check_characters(asked)
    _check_parameters(asked.parameters)
    if not 1 <= asked.rows <= MOST_ROWS:
        raise MalformedError(f"`limit` is a whole number from 1 to {MOST_ROWS}.", where="limit")
    if not 1 <= asked.seconds <= MOST_SECONDS:
        raise MalformedError(f"`seconds` is a whole number from 1 to {MOST_SECONDS}.", where="seconds")
    _admit(record, asked.seconds)
    return bolt


def _check_characters(asked: Asked) -> None:
    for where, text in (
        ("query", asked.query),
        ("parameters", json.dumps(asked.parameters, ensure_ascii=False)),
    ):
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise MalformedError(
                "It holds half of a surrogate pair, which is no character.", where=where
            ) from error


def _check_parameters(parameters: Mapping[str, Any]) -> None:
    size = len(msgspec.json.encode(parameters))
    if size > MOST_PARAMETERS:
        raise TooLargeError(
            f"The parameters have {size:,} bytes; the limit is {MOST_PARAMETERS:,}.", limit=MOST_PARAMETERS
        )
    waiting: list[tuple[Any, int]] = [(parameters, 1)]
    while waiting:
        value, depth = waiting.pop()
        if depth > MOST_NESTING:
            raise TooLargeError(
                f"The parameters are nested more than {MOST_NESTING} deep.", limit=MOST_NESTING
            )
        if isinstance(value, dict | list):
            parts = value.values() if isinstance(value, dict) else value
            waiting.extend((part, depth + 1) for part in parts)
        elif isinstance(value, int) and not -_INT64 <= value < _INT64:
            raise MalformedError("A parameter is no 64-bit integer.", where="parameters")
        elif isinstance(value, float) and not math.isfinite(value):
            raise MalformedError("A parameter is no finite number.", where="parameters")


def _admit(record: GraphQuery, seconds: int) -> None:
    """Let one question run: one a person, `MOST_RUNNING` in all processes together."""
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("LOCK TABLE access_graph_query IN SHARE ROW EXCLUSIVE MODE")
        now = now_us()
        running = GraphQuery.objects.filter(outcome=GraphQuery.Outcome.RUNNING, until_us__gt=now)
        people = list(running.values_list("person", flat=True))
        if record.person in people:
            raise RateLimitedError(
                "Another query of yours is running.", hint="Wait for its answer, or for its time limit."
            )
        if len(people) >= MOST_RUNNING:
            raise UnavailableError(
                f"{len(people)} queries are running, as many as may at one time.", retry_after=5
            )
        until = now + int(cypher_process.lifetime(seconds) * 1_000_000)
        GraphQuery.objects.filter(pk=record.pk).update(until_us=until)


# The process


def _ask(bolt: Bolt, asked: Asked, number: int) -> cypher_process.Answer:
    question = Question(
        bolt.uri,
        bolt.user,
        bolt.password,
        number,
        asked.query,
        asked.parameters,
        asked.rows,
        MOST_ANSWER,
        asked.seconds,
        MOST_MEMORY,
    )
    reply = _reply(question)
    if reply.failure is not None:
        raise reply.failure.error()
    assert reply.answer is not None
    return reply.answer


def _reply(question: Question) -> Reply:
    """Raises: TooLargeError where the process was cut off by its alarm or its memory limit."""
    longest = cypher_process.lifetime(question.seconds)
    try:
        process = subprocess.run(
            [sys.executable, "-m", "lineage.graph.cypher_process"],
            input=msgspec.json.encode(question),
            capture_output=True,
            check=False,
            env=_environment(),
            timeout=longest + _START_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise _cut_off(question) from error
    if process.returncode == -signal.SIGALRM:
        raise _cut_off(question)
    if process.returncode or not process.stdout:
        log.error("query %d ended with %d: %s", question.number, process.returncode, process.stderr[-4000:])
        raise TooLargeError(
            "The process that reads the answer was ended: a part of the answer is too big.",
            limit=question.bytes,
            hint="Return counts, keys or parts of lists: collect(n.key)[..100].",
        )
    return msgspec.json.decode(process.stdout, type=Reply)


def _cut_off(question: Question) -> TooLargeError:
    return TooLargeError(
        f"The query did not end after {question.seconds} s, its time limit, and was cut off.",
        limit=question.seconds,
        hint="While Neo4j still works on it, no other query is taken.",
    )


def _environment() -> dict[str, str]:
    """Ours without Lineage's settings: what the process needs, secrets included, it is told."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LINEAGE_")}
    return kept | {"PYTHONPATH": str(Path(lineage.__file__).resolve().parents[1])}
