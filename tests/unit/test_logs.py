"""Lines of the program's own log: both forms, ids, and no secret in any of them."""

from __future__ import annotations

import json
import logging
import sys
import threading

import pytest

from lineage import logs

SECRET = "tr0ub4dor-and-3"


def record(message: str, *arguments: object, **more: object) -> logging.LogRecord:
    made = logging.LogRecord("lineage.test", logging.WARNING, __file__, 1, message, arguments, None)
    made.__dict__.update(more)
    return made


@pytest.mark.parametrize(
    "text",
    [
        f"connection to postgresql://lineage:{SECRET}@db:5432/lineage failed",
        f"redis://:{SECRET}@broker:6379/0",
        f"bolt://neo4j:{SECRET}@graph:7687",
        f"postgresql://lineage:{SECRET}@with@signs@db/x",
        f"Authorization: Bearer {SECRET}",
        f"authorization=Basic {SECRET}",
        f"{{'Authorization': 'Bearer {SECRET}', 'Cookie': 'sessionid={SECRET}'}}",
        f"Cookie: sessionid={SECRET}; csrftoken={SECRET}",
        f"Set-Cookie: sessionid={SECRET}; Path=/",
        f"host=db user=lineage password={SECRET} dbname=x",
        f"token lin_1a2b3c4d_{SECRET} was refused",
        f"a stray Bearer {SECRET} in a message",
        f"LINEAGE_SECRET_KEY={SECRET}",
    ],
)
@pytest.mark.parametrize("form", ["text", "json"])
def test_no_secret_in_a_line(form: str, text: str) -> None:
    formatter = logs.FORMATTERS[form]()
    assert SECRET not in formatter.format(record(text))
    assert SECRET not in formatter.format(record("said: %s", text))
    assert SECRET not in formatter.format(record("x", fields={"note": text}))
    try:
        raise RuntimeError(text)
    except RuntimeError:
        raised = record("failed", exc_info=sys.exc_info())
        raised.exc_info = sys.exc_info()
    line = formatter.format(raised)
    assert SECRET not in line
    assert "RuntimeError" in line


@pytest.mark.parametrize(
    "text",
    [
        "GET api:nodes 200 in 1.3 ms",
        "see https://example.com/a:b@c and redis://broker:6379/0",
        "lin_1a2b3c4d was revoked",
        "the secretary passed by",
    ],
)
def test_other_text_stays_as_it_is(text: str) -> None:
    assert logs.redact(text) == text


def test_json_is_one_object_a_line() -> None:
    formatter = logs.JsonFormatter()
    with logs.job(17):
        token = logs.request_id.set("abc-1")
        try:
            line = formatter.format(record("two\nlines %s", "ü", fields={"ms": 1.5, "level": "no"}))
        finally:
            logs.request_id.reset(token)
    assert "\n" not in line
    found = json.loads(line)
    assert found.pop("ts").endswith("+00:00")
    assert found.pop("pid") > 0
    assert found == {
        "level": "WARNING",
        "logger": "lineage.test",
        "message": "two\nlines ü",
        "request_id": "abc-1",
        "job_id": 17,
        "ms": 1.5,
    }
    assert "job_id" not in json.loads(formatter.format(record("after")))


def test_text_names_the_request_or_the_job() -> None:
    formatter = logs.TextFormatter()
    with logs.job(17):
        assert "lineage.test [job 17]: hello" in formatter.format(record("hello"))
    assert "lineage.test: hello" in formatter.format(record("hello"))


def test_times_are_written_as_python_writes_them() -> None:
    ours, plain = logs.TextFormatter(), logging.Formatter()
    for created in (
        0.0,
        1_700_000_000.25,
        1_700_000_000.75,
        1_700_000_001.0,
        1_700_000_000.25,
        1_719_792_000.5,
    ):
        line = record("hello")
        line.created, line.msecs = created, created % 1 * 1000
        assert ours.formatTime(line) == plain.formatTime(line)


def test_another_thread_has_its_own_job() -> None:
    seen: list[int | None] = []
    with logs.job(17):
        thread = threading.Thread(target=lambda: seen.append(logs.job_id.get()))
        thread.start()
        thread.join(60)
    assert seen == [None]
