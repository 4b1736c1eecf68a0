"""Subscribers are told what failed, what is overdue and what is gone: each once, and all of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from lineage.db.models import Job, StorageState
from lineage.services import notify, storage_access, storages, subscriptions, webhook_message
from lineage.services.clock import now_us
from tests import factories
from tests.hostile_http import hostile
from tests.integration.notified import FINE, HOUR_US, WORDS, checked, items, row, stated, subscribe, tell
from tests.integration.notified import configured as configured  # noqa: PLC0414 a fixture
from tests.integration.notified import follow as follow  # noqa: PLC0414 a fixture
from tests.server import CHECKOUT
from tests.web import installation
from tests.webhooks import head_and_body, verified


def test_a_copy_that_differs_is_told_once_with_its_words(follow: Callable[[], int]) -> None:
    who = factories.registered()
    key = stated(who, "model.gguf")
    follow()
    with hostile(FINE) as server:
        number, secret = subscribe(server)
        assert tell() == 0, "what was before is not told"
        checked(who, "model.gguf", "mismatch")
        follow()
        assert tell() == 1
        assert tell() == 0
        told = verified(server.requests[0], secret)
        headers, _ = head_and_body(server.requests[0])
        assert len(server.requests) == 1
    assert told["type"] == "lineage.integrity"
    assert told["data"]["total"] == 1
    (item,) = told["data"]["items"]
    assert (item["kind"], item["key"], item["name"]) == ("failed", key, "model.gguf")
    assert item["reasons"] == ["copy-mismatch"]
    assert item["url"] == f"https://lineage.example/artifacts/{key}"
    assert item["copies"][0]["location"] == f"file://{installation.ROOT}/model.gguf"
    assert item["copies"][0]["words"] == WORDS
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 300
    assert row(number).failures == 0


def test_what_stays_failed_is_not_told_again_and_what_fails_again_is(follow: Callable[[], int]) -> None:
    who = factories.registered()
    stated(who, "model.gguf")
    follow()
    with hostile(FINE) as server:
        _, secret = subscribe(server)
        for outcome in ("mismatch", "mismatch", "inconclusive", "match", "mismatch"):
            checked(who, "model.gguf", outcome)
            follow()
            tell()
        kinds = [item["kind"] for request in server.requests for item in items(request, secret)]
    assert kinds == ["failed", "failed"]


def test_a_receiver_verifies_as_the_document_says(follow: Callable[[], int]) -> None:
    text = (CHECKOUT / "docs" / "subscriptions.md").read_text(encoding="utf-8")
    told: dict[str, Any] = {}
    exec(text.partition("```python\n")[2].partition("```")[0], told)
    with hostile(FINE) as server:
        number, secret = subscribe(server)
        assert subscriptions.test(number).ok
        headers, body = head_and_body(server.requests[0])
    told["verify"](secret, headers, body)
    for changed in (
        (secret, headers, body + b" "),
        (webhook_message.new_secret(), headers, body),
        (secret, {**headers, "webhook-id": "msg_other"}, body),
        (secret, {**headers, "webhook-timestamp": "1700000000"}, body),
    ):
        with pytest.raises(ValueError, match=r"not from us|too old"):
            told["verify"](*changed)


def test_failed_and_mended_between_two_looks_is_told_too(follow: Callable[[], int]) -> None:
    who = factories.registered()
    stated(who, "model.gguf")
    follow()
    with hostile(FINE) as server:
        _, secret = subscribe(server)
        checked(who, "model.gguf", "mismatch")
        checked(who, "model.gguf", "match")
        follow()
        tell()
        assert [item["kind"] for item in items(server.requests[0], secret)] == ["failed"]


def test_what_becomes_overdue_by_time_alone_is_told_once(follow: Callable[[], int]) -> None:
    who = factories.registered()
    stated(who, "model.gguf")
    checked(who, "model.gguf", "match")
    follow()
    with hostile(FINE) as server:
        _, secret = subscribe(server)
        assert tell(now_us() + 6 * 24 * HOUR_US) == 0
        assert tell(now_us() + 8 * 24 * HOUR_US) == 1
        assert tell(now_us() + 9 * 24 * HOUR_US) == 0
        (item,) = items(server.requests[0], secret)
    assert (item["kind"], item["reasons"]) == ("overdue", ["check-overdue"])


def test_a_storage_that_goes_and_comes_back_is_told_once_each(follow: Callable[[], int]) -> None:
    follow()
    (place,) = storages.listed()
    with hostile(FINE) as server:
        number, secret = subscribe(server)
        StorageState.objects.create(storage=place.name, gone_us=now_us(), error="It is not mounted.")
        assert (tell(), tell()) == (1, 0)
        storage_access.reached(place.name)
        assert (tell(), tell()) == (1, 0)
        gone, back = [items(request, secret)[0] for request in server.requests]
    assert (gone["kind"], gone["name"], gone["key"]) == ("storage-gone", installation.ROOT, place.name)
    assert "It is not mounted" in gone["words"][0]
    assert "none fails for that" in gone["words"][0]
    assert back["kind"] == "storage-back"
    assert row(number).told_gone == ""


def test_a_storage_is_back_only_once_it_was_reached(
    follow: Callable[[], int], configured: Callable[..., None]
) -> None:
    """Not where it was removed, nor where a restored database no longer knows that it is gone."""
    follow()
    (place,) = storages.listed()
    with hostile(FINE) as server:
        number, secret = subscribe(server)
        state = StorageState.objects.create(storage=place.name, gone_us=now_us(), error="It is not mounted.")
        assert tell() == 1
        configured(LINEAGE_STORAGE_ROOTS="")
        follow()
        assert (storages.listed(), tell()) == ([], 0)
        configured(LINEAGE_STORAGE_ROOTS=installation.ROOT)
        follow()
        state.delete()
        assert tell() == 0
        assert row(number).told_gone == place.name
        storage_access.reached(place.name)
        assert tell() == 1
        told = [items(request, secret)[0]["kind"] for request in server.requests]
    assert (told, row(number).told_gone) == (["storage-gone", "storage-back"], "")


def test_many_are_one_message_with_fifty_and_the_rest_counted(follow: Callable[[], int]) -> None:
    who = factories.registered()
    names = [f"shard-{number:02}.bin" for number in range(53)]
    for name in names:
        stated(who, name)
    follow()
    with hostile(FINE) as server:
        _, secret = subscribe(server)
        for name in names:
            checked(who, name, "mismatch")
        follow()
        assert tell() == 1
        told = verified(server.requests[0], secret)["data"]
    assert (len(told["items"]), told["total"]) == (50, 53)


def test_while_paused_nothing_is_told_and_afterwards_all_of_it(follow: Callable[[], int]) -> None:
    who = factories.registered()
    stated(who, "model.gguf")
    follow()
    with hostile(FINE) as server:
        number, secret = subscribe(server)
        subscriptions.pause(number, by="os:tests")
        checked(who, "model.gguf", "mismatch")
        follow()
        assert tell() == 0
        subscriptions.resume(number, by="os:tests")
        assert tell() == 1
        assert len(items(server.requests[0], secret)) == 1


def test_the_cursor_moves_with_the_job_and_not_before(
    follow: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after sending: the message is sent again, under the same id, and the cursor moves then."""
    who = factories.registered()
    stated(who, "model.gguf")
    follow()
    with hostile(FINE) as server:
        number, secret = subscribe(server)
        before = row(number).delivered_index
        checked(who, "model.gguf", "mismatch")
        follow()
        with monkeypatch.context() as patch:
            patch.setattr("lineage.services.job_lease.Lease.finish", _killed)
            with pytest.raises(_KilledError):
                tell()
        assert row(number).delivered_index == before
        Job.objects.filter(kind=notify.KIND).update(lease_until_us=1)
        tell()
        assert len({head_and_body(request)[0]["webhook-id"] for request in server.requests}) == 1
        assert len(server.requests) == 2
        assert verified(server.requests[0], secret) == verified(server.requests[1], secret)
    assert row(number).delivered_index > before


class _KilledError(BaseException):
    pass


def _killed(*_: object) -> None:
    raise _KilledError


def test_a_long_time_without_news_is_not_read_again_and_again(
    follow: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notify, "ADVANCE", 3)
    follow()
    with hostile(FINE) as server:
        number, _ = subscribe(server)
        before = row(number).delivered_index
        for _ in range(4):
            factories.registered()
        end = follow()
        assert tell() == 0
    assert before < row(number).delivered_index == end
