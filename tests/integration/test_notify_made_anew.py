"""What is told, and what is not, while the graph is made anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lineage.db.models import Job, StorageState
from lineage.errors import UnavailableError
from lineage.services import jobs, notify, standing, storages
from lineage.services.clock import now_us
from tests import factories
from tests.hostile_http import hostile
from tests.integration.made_anew import emptied, replayed
from tests.integration.notified import FINE, HOUR_US, checked, items, row, stated, subscribe, tell
from tests.integration.notified import configured as configured  # noqa: PLC0414 a fixture
from tests.integration.notified import follow as follow  # noqa: PLC0414 a fixture
from tests.webhooks import head_and_body

WEEK_US = 7 * 24 * HOUR_US


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standing, "LATE_US", 0)


def test_what_failed_is_told_once_the_graph_tells_it_again(follow: Callable[[], int]) -> None:
    who = factories.registered()
    stated(who, "model.gguf")
    follow()
    with hostile(FINE) as server:
        number, secret = subscribe(server)
        before = row(number).delivered_index
        checked(who, "model.gguf", "mismatch")
        follow()
        ((key, arguments),) = notify.due(now_us())
        jobs.enqueue(notify.KIND, key, arguments)
        emptied()
        jobs.drain("tests", queues=["short"])
        job = Job.objects.get(kind=notify.KIND)
        assert (job.state, job.attempts, row(number).delivered_index) == ("queued", 0, before)
        assert server.requests == []
        follow()
        tell()
        (item,) = items(server.requests[0], secret)
        assert len(server.requests) == 1
    assert (item["kind"], row(number).delivered_index > before) == ("failed", True)


def test_what_becomes_overdue_meanwhile_is_told_afterwards(follow: Callable[[], int]) -> None:
    who = factories.registered()
    stated(who, "model.gguf")
    checked(who, "model.gguf", "match")
    checked(who, "model.gguf", "match")
    size = follow()
    later = now_us() + WEEK_US + 24 * HOUR_US
    with hostile(FINE) as server:
        _, secret = subscribe(server)
        for entries in (0, size - 1):
            replayed(entries)
            assert tell(later) == 0
        follow()
        assert tell(later) == 1
        assert [item["kind"] for item in items(server.requests[0], secret)] == ["overdue"]


def test_a_storage_that_went_is_told_all_the_same(follow: Callable[[], int]) -> None:
    stated(factories.registered(), "model.gguf")
    follow()
    (place,) = storages.listed()
    with hostile(FINE) as server:
        number, secret = subscribe(server)
        before = row(number).delivered_index
        StorageState.objects.update_or_create(
            storage=place.name, defaults={"gone_us": now_us(), "error": "away"}
        )
        emptied()
        assert tell() == 1
        assert [item["kind"] for item in items(server.requests[0], secret)] == ["storage-gone"]
    assert (row(number).delivered_index, row(number).told_gone) == (before, place.name)


def test_a_storage_that_went_waits_for_no_graph(follow: Callable[[], int]) -> None:
    """Its job was in line with other news before the graph was emptied; those are told afterwards."""
    who = factories.registered()
    stated(who, "model.gguf")
    follow()
    (place,) = storages.listed()
    with hostile(FINE) as server:
        number, secret = subscribe(server)
        before = row(number).delivered_index
        checked(who, "model.gguf", "mismatch")
        follow()
        StorageState.objects.update_or_create(
            storage=place.name, defaults={"gone_us": now_us(), "error": "away"}
        )
        ((key, arguments),) = notify.due(now_us())
        jobs.enqueue(notify.KIND, key, arguments)
        emptied()
        jobs.drain("tests", queues=["short"])
        assert [item["kind"] for item in items(server.requests[0], secret)] == ["storage-gone"]
        assert (row(number).delivered_index, row(number).told_gone) == (before, place.name)
        follow()
        tell()
        assert [item["kind"] for item in items(server.requests[1], secret)] == ["failed"]


def test_what_is_left_out_of_a_message_comes_under_another_id(
    follow: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A receiver that has taken the first, and whose answer was lost, would drop the second as a double."""
    who = factories.registered()
    stated(who, "model.gguf")
    follow()
    (place,) = storages.listed()
    real = notify.send

    def unanswered(*arguments: Any) -> None:
        real(*arguments)
        raise UnavailableError("The answer was lost.")

    with hostile(FINE) as server:
        number, secret = subscribe(server)
        checked(who, "model.gguf", "mismatch")
        size = follow()
        StorageState.objects.update_or_create(
            storage=place.name, defaults={"gone_us": now_us(), "error": "away"}
        )
        ((key, arguments),) = notify.due(now_us())
        jobs.enqueue(notify.KIND, key, arguments)
        emptied()
        monkeypatch.setattr(notify, "send", unanswered)
        jobs.drain("tests", queues=["short"])
        follow()
        for send in (unanswered, real):
            monkeypatch.setattr(notify, "send", send)
            tell()
        told = [[item["kind"] for item in items(request, secret)] for request in server.requests]
        ids = [head_and_body(request)[0]["webhook-id"] for request in server.requests]
    assert told == [["storage-gone"], ["storage-gone", "failed"], ["storage-gone", "failed"]]
    assert ids[0] != ids[1] == ids[2]
    assert row(number).delivered_index == size


def test_who_subscribes_meanwhile_is_not_told_what_was_before(follow: Callable[[], int]) -> None:
    who = factories.registered()
    stated(who, "model.gguf")
    checked(who, "model.gguf", "mismatch")
    follow()
    with hostile(FINE) as server:
        emptied()
        subscribe(server)
        follow()
        assert tell() == 0
        assert server.requests == []
