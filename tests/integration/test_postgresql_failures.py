"""PostgreSQL fails at every point of an append: the caller is told, the next one goes on, nothing twice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
import pytest
from django.db import DEFAULT_DB_ALIAS, OperationalError, connection, connections
from django.test import Client
from psycopg_pool import PoolTimeout

from lineage.db.bulk import COPY_ROWS
from lineage.db.models import Entry, LogHead, User
from lineage.errors import UnavailableError
from lineage.services import forgetting, high_water, intake, log_batch, log_connection, project, publish
from lineage.services.receipts import Submitted
from tests import factories
from tests.conftest import Api, problem

pytestmark = [
    pytest.mark.usefixtures("log", "check_log"),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="kills connections to PostgreSQL"),
]


@contextmanager
def beside() -> Iterator[psycopg.Connection]:
    """A connection of its own to the same database."""
    where = connection.get_connection_params()
    named = {name: where[name] for name in ("dbname", "user", "password", "host", "port")}
    with psycopg.connect(**named, autocommit=True) as other:
        yield other


def cut() -> None:
    """End every connection to the database but the one that asks; this thread has none then."""
    connection.close()
    with beside() as other:
        other.execute(
            "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def cut_before(owner: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real: Callable[..., Any] = getattr(owner, name)

    def cut_first(*args: Any, **kwargs: Any) -> Any:
        monkeypatch.setattr(owner, name, real)
        cut()
        return real(*args, **kwargs)

    monkeypatch.setattr(owner, name, cut_first)


def cut_after(owner: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real: Callable[..., Any] = getattr(owner, name)

    def cut_last(*args: Any, **kwargs: Any) -> Any:
        monkeypatch.setattr(owner, name, real)
        answer = real(*args, **kwargs)
        cut()
        return answer

    monkeypatch.setattr(owner, name, cut_last)


def commit_and_fail(owner: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commit is done, and its answer lost on the way."""
    real: Callable[..., Any] = getattr(owner, name)

    def lose(*args: Any, **kwargs: Any) -> Any:
        monkeypatch.setattr(owner, name, real)
        real(*args, **kwargs)
        cut()
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(owner, name, lose)


def commits(entries: int) -> Any:
    """What commits so many: few are sent by a wire."""
    from lineage.db.wire import Wire

    return Wire if entries < COPY_ROWS else type(connections[DEFAULT_DB_ALIAS])


POINTS: dict[str, tuple[Callable[[pytest.MonkeyPatch, int], None], bool]] = {
    "with the head locked": (lambda m, _: cut_after(log_batch, "_head", m), False),
    "before the rows are written": (lambda m, _: cut_before(log_batch.Batch, "write", m), False),
    "between the rows and the commit": (lambda m, n: cut_before(commits(n), "commit", m), False),
    "after the commit, its answer lost": (lambda m, n: commit_and_fail(commits(n), "commit", m), True),
}
"""Where the connection is cut, and whether the entry is in the log then."""


@pytest.mark.parametrize("entries", [1, 60], ids=["unnest", "COPY"])
@pytest.mark.parametrize("point", POINTS)
def test_a_connection_that_is_cut(point: str, entries: int, monkeypatch: pytest.MonkeyPatch) -> None:
    signer = factories.registered()
    before = LogHead.objects.get(pk=1).size
    envelopes = [signer.envelope(factories.statement()) for _ in range(entries)]
    arrange, written = POINTS[point]
    arrange(monkeypatch, entries)
    with pytest.raises(UnavailableError, match="could not be written"):
        intake.submit_set(envelopes, token="t")
    assert LogHead.objects.get(pk=1).size == before + entries * written
    again = intake.submit_set(envelopes, token="t")
    created = {answer.created for answer in again if isinstance(answer, Submitted)}
    assert (len(again), created) == (entries, {not written})
    assert LogHead.objects.get(pk=1).size == before + entries


def test_a_connection_that_was_cut_while_idle_is_opened_again() -> None:
    signer = factories.registered()
    cut()
    assert intake.submit(signer.envelope(factories.statement()), token="t").created


def test_a_server_that_crashes_keeps_what_was_acknowledged() -> None:
    from tests.settings_postgresql import CLUSTER

    signer = factories.registered()
    kept = [intake.submit(signer.envelope(factories.statement()), token="t").receipt for _ in range(5)]
    connection.close()
    CLUSTER.kill()
    lost = signer.envelope(factories.statement())
    with pytest.raises(UnavailableError):
        intake.submit(lost, token="t")
    CLUSTER.start()
    assert intake.submit(lost, token="t").created
    found = dict(Entry.objects.values_list("envelope_digest", "index"))
    assert {r.digest.partition(":")[2]: r.index for r in kept}.items() <= found.items()


def test_who_waits_too_long_for_the_head_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    signer = factories.registered()
    log_connection.close()
    options = connection.settings_dict["OPTIONS"]
    monkeypatch.setitem(options, "options", options["options"] + " -c lock_timeout=200")
    envelope = signer.envelope(factories.statement())
    with beside() as other, other.transaction():
        other.execute("SELECT 1 FROM log_head FOR UPDATE")
        with pytest.raises(UnavailableError):
            intake.submit(envelope, token="t")
    assert intake.submit(envelope, token="t").created
    log_connection.close()


@contextmanager
def no_connection_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    connection.close()
    wrapper: Any = connections[DEFAULT_DB_ALIAS]
    pool = wrapper.pool
    pool.open()
    monkeypatch.setattr(pool, "timeout", 0.2)
    usual, size = (pool.min_size, pool.max_size), max(1, pool.get_stats().get("pool_size", 0))
    pool.resize(min(usual[0], size), size)  # it makes no more: what it has can be taken
    taken: list[Any] = []
    try:
        # Somebody may have one for good, such as a thread that a test before has left.
        with suppress(PoolTimeout):
            while len(taken) < size:
                taken.append(pool.getconn(timeout=10))
        yield
    finally:
        pool.resize(*usual)
        for one in taken:
            pool.putconn(one)


def test_without_a_connection_left_callers_are_told_to_come_back(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = User.objects.create_user("a@example.com", "a password of some length")
    pages = Client()
    pages.force_login(person)
    api.http.raise_request_exception = pages.raise_request_exception = False
    signer = factories.registered()
    # What this process has seen of the log a moment ago is enough, however long the calls below take.
    for remembers in (forgetting, high_water):
        monkeypatch.setattr(remembers, "LOOK_SECONDS", 600.0)
        remembers.forget()  # registering looked for a second only
    intake.submit(signer.envelope(factories.statement()), token="t")
    with no_connection_left(monkeypatch):
        told: Any = api.get("/api/v1/attestations")
        assert problem(told) == (503, "unavailable")
        assert int(told["Retry-After"]) >= 1
        page: Any = pages.get("/models")
        assert page.status_code == 503
        assert int(page["Retry-After"]) >= 1
        # Appending has a connection of its own, and this process knows the ring.
        assert intake.submit(signer.envelope(factories.statement()), token="t").created
    assert api.get("/api/v1/attestations").status_code == 200


def test_who_waits_for_a_projection_holds_no_connection(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    signer = factories.registered()
    held: list[bool] = []

    def sleep(seconds: float) -> None:
        held.append(connection.connection is not None)
        publish.publish_once()

    monkeypatch.setattr("api.attestations.time.sleep", sleep)
    answer = api.attest(signer.envelope(factories.statement()), "?wait=published")
    assert answer.json()["state"] == "published"
    assert held == [False]


def test_projectors_at_the_same_time_do_each_entry_once_and_fail_none() -> None:
    signer = factories.registered()
    intake.submit_set([signer.envelope(factories.statement()) for _ in range(60)], token="t")
    failed: list[BaseException] = []

    def follow(rebuilds: bool) -> None:
        try:
            if rebuilds:
                project.rebuild()
            while project.project_pending(3):
                pass
        except BaseException as error:
            failed.append(error)
            raise
        finally:
            connection.close()

    threads = [threading.Thread(target=follow, args=(number == 2,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert project.project_pending() == 0
    assert project.watermark() == LogHead.objects.get(pk=1).size


def test_a_pool_of_dead_connections_gives_a_living_one(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    with no_connection_left(monkeypatch):
        pass  # now it has as many as it may have
    cut()
    for _ in range(3):
        assert api.get("/api/v1/attestations").status_code == 200
