"""Statements sent by libpq itself: what travels, what is said of what fails, that nothing is done then."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.db import connection

from lineage.db import bulk

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL's protocol"),
]
THINGS = bulk.Table("thing", (("id", "int8"), ("small", "int4"), ("name", "text"), ("data", "bytea")))
ROWS: list[bulk.Row] = [
    (1, -5, 'ä\u2400 {"\\},NULL', b"\0\xff"),
    (2**62, 2**31 - 1, "", b""),
    (-(2**63), None, None, None),
]


@pytest.fixture
def raw() -> Iterator[Any]:
    """A connection of its own with an empty table that ends with it."""
    own = connection.copy()
    own.settings_dict["OPTIONS"].pop("pool", None)
    own.ensure_connection()
    own.connection.execute(
        "CREATE TEMPORARY TABLE thing (id int8, small int4, name text, data bytea,"
        " UNIQUE (id) DEFERRABLE INITIALLY DEFERRED, CHECK (small <> 7))"
    )
    try:
        yield own.connection
    finally:
        own.close()


@pytest.fixture
def wire(raw: Any) -> Any:
    from lineage.db.wire import Wire

    return Wire(raw)


def things(raw: Any) -> list[bulk.Row]:
    found: list[bulk.Row] = raw.execute("SELECT id, small, name, data FROM thing").fetchall()
    return found


def test_rows_are_there_as_they_were_sent_and_come_back(raw: Any, wire: Any) -> None:
    wire.send("BEGIN")
    wire.insert(THINGS, ROWS[:2])
    wire.insert(THINGS, [])
    wire.insert(THINGS, ROWS[2:])
    wire.send("UPDATE thing SET small = %s WHERE id = %s", [-6, 1])
    wire.send("SELECT * FROM thing WHERE id = ANY(%b::int8[])", [wire.array("int8", [1])], rows=True)
    wire.send("SELECT id FROM thing WHERE name = ANY(%b::text[])", [wire.array("text", [])], rows=True)
    wire.send("SELECT * FROM thing WHERE small IS NULL", rows=True)
    assert wire.received() == [[(1, -6, *ROWS[0][2:])], [], [ROWS[2]]]
    assert raw.execute("SELECT count(*) FROM thing").fetchone() == (3,), "psycopg goes on within it"
    wire.commit()
    assert sorted(things(raw)) == sorted([(1, -6, *ROWS[0][2:]), *ROWS[1:]], key=lambda row: row[0])


@pytest.mark.parametrize("count", [1, 2, 4, 5, 9])
def test_few_rows_and_more_arrive_alike(raw: Any, wire: Any, count: int) -> None:
    """Few travel value by value, more as arrays; a number is looked up by its text, or is none."""
    raw.execute("CREATE TEMPORARY TABLE named (id int4, name text)")
    raw.execute("INSERT INTO named VALUES (17, 'é')")
    numbered = replace(THINGS, numbered=(("small", "named", "name"),))
    plain = [(2**62 - each, each - 100, "n\\é'" * each, bytes([0, each])) for each in range(count)]
    found = [(-each, ("é", "none")[each % 2], "", b"") for each in range(count)]
    empty = [(None, None, None, None)] * count
    wire.send("BEGIN")
    for table, rows in ((THINGS, plain), (numbered, found), (THINGS, empty)):
        wire.insert(table, rows)
    wire.commit()
    expected = [(each[0], None if number % 2 else 17, "", b"") for number, each in enumerate(found)]
    assert things(raw) == plain + expected + empty


@pytest.mark.parametrize("count", [1, 9])
def test_text_with_a_zero_byte_is_refused_and_not_cut_off(raw: Any, wire: Any, count: int) -> None:
    from psycopg import DataError

    wire.send("BEGIN")
    wire.insert(THINGS, [(1, 0, "a\0b", b"")] * count)
    with pytest.raises(DataError):
        wire.commit()
    raw.execute("ROLLBACK")
    assert things(raw) == []


def test_more_than_any_buffer_holds_travels_both_ways(wire: Any) -> None:
    data = [bytes([number]) * 3_000_000 for number in range(9)]
    wire.send("BEGIN")
    wire.insert(THINGS, [(number, 0, "", each) for number, each in enumerate(data)])
    for _ in range(2):  # the server waits to be read, while it is still being written to
        wire.send("SELECT data FROM thing ORDER BY id", rows=True)
        wire.send("SELECT length(%b::bytea)", [data[0]], rows=True)
    for place, found in enumerate(wire.received()):
        assert found == ([(len(data[0]),)] if place % 2 else [(each,) for each in data])


def test_what_fails_is_raised_and_what_follows_it_is_not_done(raw: Any, wire: Any) -> None:
    from psycopg import errors

    wire.send("BEGIN")
    wire.insert(THINGS, ROWS[:1])
    assert wire.received() == []
    wire.insert(THINGS, [(3, 7, "", b"")])
    wire.insert(THINGS, ROWS[1:])
    with pytest.raises(errors.CheckViolation):
        wire.commit()
    with pytest.raises(errors.InFailedSqlTransaction):
        things(raw)
    raw.execute("ROLLBACK")
    assert things(raw) == []


def test_a_commit_that_the_server_turns_into_a_rollback_is_an_error(wire: Any) -> None:
    from psycopg import Error, errors

    wire.send("BEGIN")
    wire.send("SELECT 1 / 0", rows=True)
    with pytest.raises(errors.DivisionByZero):
        wire.received()
    with pytest.raises(Error, match="not committed"):
        wire.commit()


def test_what_only_the_commit_finds_is_raised_by_it(raw: Any, wire: Any) -> None:
    from psycopg import errors

    wire.send("BEGIN")
    wire.insert(THINGS, [ROWS[0], ROWS[0]])
    assert wire.received() == []
    with pytest.raises(errors.UniqueViolation):
        wire.commit()
    assert things(raw) == []


def test_a_connection_that_is_lost_is_an_error_and_no_endless_wait(raw: Any, wire: Any) -> None:
    from psycopg import OperationalError

    wire.send("BEGIN")
    wire.insert(THINGS, ROWS)
    wire.received()
    (process,) = raw.execute("SELECT pg_backend_pid()").fetchone()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [process])
    with pytest.raises(OperationalError):
        wire.commit()
