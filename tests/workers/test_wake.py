"""Wake-ups through a real Redis: sent at once, bounded where nobody takes them, harmless where it is away."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from itertools import count

import pytest
from redis import Redis

from lineage import broker, config
from lineage.services import wake, wake_sender
from tests.workers.crew import Crew, until

_databases = count(1)


@pytest.fixture
def own_redis(fresh_redis: str) -> str:
    """A database of Redis that no other test here has: a thread that sends may outlive its test."""
    return f"{fresh_redis.rstrip('/').removesuffix('/0')}/{next(_databases)}"


@pytest.fixture
def bell(own_redis: str, monkeypatch: pytest.MonkeyPatch) -> wake._Bell:
    """This process's, which nobody has rung, of an installation with that Redis."""
    settings = replace(config.current(), broker=own_redis)
    monkeypatch.setattr(wake, "current", lambda: settings)
    monkeypatch.setattr(wake, "_bell", wake._Bell())
    return wake._bell


@pytest.fixture
def sender(own_redis: str) -> Iterator[wake_sender.Sender]:
    sender = wake_sender.Sender(own_redis)
    yield sender
    if sender._connection is not None:
        sender._connection.release()
    sender._celery.close()


@pytest.fixture
def client(own_redis: str) -> Iterator[Redis]:
    with Redis.from_url(own_redis, socket_timeout=30) as client:
        yield client


@pytest.mark.usefixtures("bell")
def test_an_append_and_a_job_are_told(client: Redis) -> None:
    wake.soon()
    wake.job(broker.LONG)
    until("both are there", lambda: (client.llen("graph"), client.llen("long")) == (1, 1))
    (message,) = client.lrange("long", 0, -1)
    assert json.loads(message)["headers"]["task"] == broker.DRAIN


@pytest.mark.usefixtures("bell")
def test_children_have_their_parent_send(client: Redis) -> None:
    before = set(threading.enumerate())
    pipe = wake.Pipe()
    (listener,) = set(threading.enumerate()) - before
    children = [_child(pipe, job=job) for job in (True, False)]
    os.close(pipe._write)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0]
    listener.join()  # it has read what they told: nobody else has the other end any more
    os.close(pipe._read)
    until("all is told", lambda: (client.llen("graph") >= 1, client.llen("long")) == (True, 1))
    assert client.llen("short") == 0


def _child(pipe: wake.Pipe, *, job: bool) -> int:
    """A process that tells of an append, and of a job; it has no thread that sends."""
    child = os.fork()
    if child == 0:
        try:
            pipe.use()
            wake.soon()
            if job:
                wake.job(broker.LONG)
            os._exit(0 if wake._bell._thread is None else 1)
        except BaseException:
            os._exit(2)
    return child


def test_a_full_pipe_keeps_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wake.Pipe, "_listen", lambda self: None)
    pipe = wake.Pipe()
    for _ in range(1 << 17):  # twice what a pipe holds
        pipe.ring((broker.PROJECT, broker.GRAPH, ()))
    os.close(pipe._write)
    assert os.read(pipe._read, 2) == b"\0\0"
    os.close(pipe._read)


def test_a_job_does_not_wait_for_a_streams_pause(
    client: Redis, bell: wake._Bell, monkeypatch: pytest.MonkeyPatch
) -> None:
    bell._wanted[(broker.PROJECT, broker.GRAPH, ())] = wake.STREAM
    monkeypatch.setattr(wake, "STREAM_PAUSE_SECONDS", 3600.0)
    wake.soon()
    until("the stream is told", lambda: client.llen("graph") == 1)
    wake.soon()
    assert bell._streams
    assert not bell._at_once.is_set()
    wake.job(broker.LONG)
    until("the job is told", lambda: client.llen("long") == 1)
    assert client.llen("graph") == 2  # what waited goes with it
    wake.soon()
    until("a lone entry is told", lambda: client.llen("graph") == 3)


def test_without_a_broker_nothing_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    bell = wake._Bell()
    monkeypatch.setattr(wake, "_bell", bell)
    wake.soon()
    wake.job(broker.SHORT)
    assert bell._thread is None


def test_a_queue_that_nobody_empties_stays_small(sender: wake_sender.Sender, client: Redis) -> None:
    message = (broker.PROJECT, broker.GRAPH, ())
    for _ in range(3):
        sender.send([message] * broker.MAX_WAITING)
    assert client.llen("graph") == broker.MAX_WAITING


def test_an_absent_redis_is_said_once_and_got_over(
    sender: wake_sender.Sender,
    own_redis: str,
    client: Redis,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(wake_sender, "FIRST_BACKOFF_SECONDS", 0.01)
    monkeypatch.setattr(wake_sender, "LONGEST_BACKOFF_SECONDS", 0.01)
    sender._celery.conf.update(broker.settings("redis://127.0.0.1:1/0"))  # nothing listens there
    message = (broker.PROJECT, broker.GRAPH, ())
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            sender.send([message])
    assert [record.getMessage()[:27] for record in caplog.records] == ["Redis can't be reached (Ope"]
    sender._celery.conf.update(broker.settings(own_redis))
    sender.send([message])
    assert client.llen("graph") == 1


def test_a_forked_child_has_a_bell_of_its_own() -> None:
    before = wake._bell
    child = os.fork()
    if child == 0:
        os._exit(0 if wake._bell is not before and wake._bell._thread is None else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def test_celery_projects_and_publishes_what_is_appended(crew: Crew) -> None:
    """Web and workers apart: an append in one process is soon in the graph and under a checkpoint."""
    crew.beat()
    crew.worker("graph", queues="graph", concurrency=3)
    crew.run(
        "from lineage.services import intake\nfrom tests import factories\nwho = factories.registered()\n"
        "for _ in range(20): intake.submit(who.envelope(factories.statement()), token='tests')"
    )
    size = crew.one("SELECT size FROM log_head")
    until("it is projected", lambda: crew.one("SELECT projected FROM graph_state") == size)
    until("it is published", lambda: crew.one("SELECT max(size) FROM log_checkpoint") == size)
    assert "graph" in {name for (name,) in crew.rows("SELECT name FROM worker_beat")}
