"""One Cypher question, asked in a process of its own: `python -m lineage.graph.cypher_process`.

Owns: the order (text, plan, then the very same text and parameters in the same read transaction), the limits
that hold while the answer comes in, Neo4j's errors in our words. Reads one `Question` as JSON from standard
input and writes one `Reply`. Does not own: who may ask and the record of it (`services.graph_query`).

A process, because nothing else bounds what one row can cost its reader: `RETURN collect(…)` may be one value
of a gigabyte, which the driver takes in whole before anybody can count it. Its memory is limited by the
kernel, it ends itself by an alarm, and its end closes the connection, on which Neo4j ends the transaction.
"""

from __future__ import annotations

import re
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, LiteralString

import msgspec

from lineage import bolt_driver
from lineage.errors import ForbiddenError, LineageError, MalformedError, TooLargeError, UnavailableError
from lineage.graph import cypher_guard, cypher_text

DATABASE = "neo4j"
CONNECT_SECONDS = 5.0
SERVER_SECONDS = 10.0
"""For what we ask about the server itself: the first time, it has to make a plan."""
GRACE_SECONDS = 6.0
"""How long after its time limit a question may still run: Neo4j looks every two seconds."""
ROWS_AT_ONCE = 100
ADDED_FUNCTIONS = "SHOW FUNCTIONS YIELD name, isBuiltIn WHERE NOT isBuiltIn RETURN name"
ENDLESS = (
    "SHOW TRANSACTIONS YIELD metaData, elapsedTime WHERE metaData.lineage_question IS NOT NULL "
    "RETURN metaData.lineage_question, elapsedTime.milliseconds, metaData.lineage_seconds"
)
PROJECTED = "MATCH (p:Projection {id: 1}) RETURN p.projected"


class Question(msgspec.Struct, frozen=True):
    """`number` is that of its record; `rows` and `bytes` limit the answer, `seconds` the time.

    `memory`: bytes of address space that this process may have.
    """

    uri: str
    user: str
    password: str
    number: int
    query: str
    parameters: dict[str, Any]
    rows: int
    bytes: int
    seconds: int
    memory: int


class Answer(msgspec.Struct, frozen=True):
    """`projected`: entries below this index were in the graph; None where nothing ever was."""

    columns: list[str]
    rows: list[list[Any]]
    truncated: bool
    projected: int | None


class Failure(msgspec.Struct, frozen=True):
    """A `LineageError` on its way to the process that asked."""

    slug: str
    message: str
    hint: str = ""
    where: str = ""
    extra: dict[str, Any] = {}
    limit: int = 0

    def error(self) -> LineageError:
        kind = next(kind for kind in _KINDS if kind.slug == self.slug)
        if kind is TooLargeError:
            return TooLargeError(self.message, limit=self.limit, hint=self.hint, where=self.where)
        if kind is UnavailableError:
            return UnavailableError(self.message, retry_after=5, hint=self.hint)
        return kind(self.message, hint=self.hint, where=self.where, extra=dict(self.extra))


class Reply(msgspec.Struct, frozen=True):
    """Exactly one of the two."""

    answer: Answer | None = None
    failure: Failure | None = None


_KINDS: tuple[type[LineageError], ...] = (ForbiddenError, MalformedError, TooLargeError, UnavailableError)


def ask(question: Question) -> Answer:
    """Judge the question and run it.

    Raises: ForbiddenError, MalformedError with Neo4j's words and the position, TooLargeError for a limit,
        UnavailableError.
    """
    cypher_text.check(question.query)
    bolt_driver.load()
    import neo4j

    with _told_plainly(question):
        driver = neo4j.GraphDatabase.driver(
            question.uri,
            auth=(question.user, question.password),
            connection_timeout=CONNECT_SECONDS,
            connection_acquisition_timeout=CONNECT_SECONDS,
            max_connection_pool_size=1,
            max_transaction_retry_time=0,
            notifications_min_severity="OFF",
            telemetry_disabled=True,
        )
        with (
            driver,
            driver.session(
                database=DATABASE, default_access_mode=neo4j.READ_ACCESS, fetch_size=ROWS_AT_ONCE
            ) as session,
        ):
            _check_server(session, question)
            # By these one that does not end is found again.
            marks = {"lineage_question": question.number, "lineage_seconds": question.seconds}
            with session.begin_transaction(metadata=marks, timeout=question.seconds) as transaction:
                return _run(transaction, question)


def _check_server(session: Any, question: Question) -> None:
    """What holds for the whole server: nothing of ours runs on for ever, no function of somebody's own."""
    for _, milliseconds, seconds in _about_server(session, ENDLESS):
        if milliseconds > (seconds + GRACE_SECONDS) * 1000:
            raise UnavailableError(
                f"An earlier query has been running in Neo4j for {milliseconds // 1000} s, beyond its limit "
                f"of {seconds} s, and does not let itself be stopped.",
                hint="Neo4j must be restarted to end it; pages and answers come from the database meanwhile.",
            )
    added = [name for (name,) in _about_server(session, ADDED_FUNCTIONS)]
    cypher_text.check_functions(question.query, added)


def _about_server(session: Any, text: LiteralString) -> list[list[Any]]:
    import neo4j
    from neo4j.exceptions import AuthError, ClientError

    try:
        rows: list[list[Any]] = session.run(neo4j.Query(text, timeout=SERVER_SECONDS)).values()
    except AuthError:
        raise
    except ClientError as error:
        raise UnavailableError(
            f"Neo4j does not tell what it is doing ({error.code}).", retry_after=5
        ) from error
    return rows


def _run(transaction: Any, question: Question) -> Answer:
    # On a line of its own, so that positions in Neo4j's messages need only one line taken off.
    explained = transaction.run("EXPLAIN\n" + question.query, question.parameters).consume()
    cypher_guard.check(explained.plan, explained.query_type, DATABASE)
    projected = transaction.run(PROJECTED).values()
    result = transaction.run(question.query, question.parameters)
    columns = list(result.keys())
    rows, truncated = _take(result, question)
    transaction.rollback()
    return Answer(columns, rows, truncated, projected[0][0] if projected else None)


def _take(result: Any, question: Question) -> tuple[list[list[Any]], bool]:
    """The rows within the limits, and whether there were more."""
    from lineage.graph.cypher_values import encode

    rows: list[list[Any]] = []
    size = 0
    for record in result:
        if len(rows) == question.rows:
            return rows, True
        row = [encode(value) for value in record.values()]
        size += len(msgspec.json.encode(row))
        if size > question.bytes:
            if not rows:
                raise _too_big(question)
            return rows, True
        rows.append(row)
    return rows, False


def _too_big(question: Question) -> TooLargeError:
    return TooLargeError(
        f"The first row alone is larger than {question.bytes >> 20} MiB, the limit of an answer.",
        limit=question.bytes,
        hint="Return counts, keys or parts of lists: collect(n.key)[..100].",
    )


# Neo4j's errors


@contextmanager
def _told_plainly(question: Question) -> Iterator[None]:
    from neo4j.exceptions import AuthError, DriverError, Neo4jError

    try:
        yield
    except AuthError as error:
        raise UnavailableError(
            "Neo4j refuses the user or password of LINEAGE_GRAPH_URL.", retry_after=60
        ) from error
    except Neo4jError as error:
        raise _in_our_words(error.code or "", error.message or "", question) from error
    except (DriverError, OSError) as error:
        raise UnavailableError(
            "Neo4j can't be reached.", retry_after=5, hint="`lineage doctor` says what it knows."
        ) from error


_POSITION = re.compile(r"\(line (\d+), column (\d+) \(offset: (\d+)\)\)")


def _in_our_words(code: str, message: str, question: Question) -> LineageError:
    """The error of a query that Neo4j refused or stopped."""
    if "TransactionTimedOut" in code or code.endswith(
        ("Transaction.Terminated", "TransactionMarkedAsFailed")
    ):
        return TooLargeError(
            f"The query was stopped after {question.seconds} s, its time limit.",
            limit=question.seconds,
            hint="Begin at one node by its key, bound the length of paths (*1..5), or raise `seconds`.",
        )
    if "OutOfMemory" in code:
        return TooLargeError(
            "The query needs more memory than Neo4j gives to one.", limit=0, hint="Return less at once."
        )
    if code.endswith("Statement.AccessMode"):
        return ForbiddenError("This page only reads the graph; Neo4j refused to write.", where="query")
    if code.startswith("Neo.ClientError.Security"):
        return UnavailableError(f"Neo4j does not let Lineage's own user do this ({code}).", retry_after=60)
    if code.startswith("Neo.ClientError."):
        return _mistake(code, message)
    return UnavailableError(f"Neo4j could not answer ({code or 'no code'}).", retry_after=5)


def _mistake(code: str, message: str) -> MalformedError:
    """Neo4j's own message, without the excerpt below it, and where in the text it points to."""
    text = message.partition('\n"')[0].strip()
    found = _POSITION.search(text)
    text = _POSITION.sub("", text).strip()
    extra: dict[str, object] = {"code": code}
    where = "query"
    if found and int(found[2]):  # what is about the query as a whole has column 0
        line, column = max(1, int(found[1]) - 1), int(found[2])
        extra |= {"line": line, "column": column}
        where = f"line {line}, column {column}"
    return MalformedError(text or code, where=where, extra=extra)


# The process


def _limit_self(question: Question) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (question.memory, question.memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # The default action ends the process, whatever it is doing.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, lifetime(question.seconds))
    # The driver looks for these for its own data frames; they take address space for nothing.
    for name in ("numpy", "pandas", "pyarrow"):
        sys.modules[name] = None  # type: ignore[assignment]


def lifetime(seconds: int) -> float:
    """After how many seconds a process with a time limit of `seconds` has surely ended."""
    return seconds + 2 * CONNECT_SECONDS + 2 * SERVER_SECONDS + GRACE_SECONDS


def reply(question: Question) -> Reply:
    try:
        return Reply(answer=ask(question))
    except LineageError as error:
        limit = error.limit if isinstance(error, TooLargeError) else 0
        extra = {name: value for name, value in error.extra.items() if name != "limit"}
        return Reply(failure=Failure(error.slug, error.message, error.hint, error.where, extra, limit))
    except MemoryError:
        return Reply(
            failure=Failure(
                TooLargeError.slug,
                "A part of the answer is too big to be read.",
                "Return counts, keys or parts of lists: collect(n.key)[..100].",
                limit=question.bytes,
            )
        )


def main() -> None:
    question = msgspec.json.decode(sys.stdin.buffer.read(), type=Question)
    _limit_self(question)
    encoded = msgspec.json.encode(reply(question))
    sys.stdout.buffer.write(encoded)


if __name__ == "__main__":
    main()
