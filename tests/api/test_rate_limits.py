"""How often one may ask, by key, person and address."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import redis
from django.core.cache import cache
from django.test import Client, override_settings

from lineage import cache as counters
from lineage import config
from lineage.errors import RateLimitedError
from lineage.people_settings import Rate
from lineage.services import rate_limits
from tests import factories
from tests.conftest import Api, problem
from tests.server import free_port

MINUTE = Rate(5, 60)


class Clock:
    def __init__(self) -> None:
        self.now = 60_000.0

    def time(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def nothing_was_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Redis that did not answer a moment ago is left alone."""
    monkeypatch.setattr(counters, "_rest", counters._Rest())


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    """The limits' own, at the beginning of a window."""
    made = Clock()
    monkeypatch.setattr(rate_limits, "time", made)
    monkeypatch.setattr(rate_limits, "_ahead", {})
    cache.clear()
    yield made
    cache.clear()


@pytest.fixture
def limited(log: None, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`limited(rate_limit=Rate(5, 60))` sets the limits of this process."""

    def limit(**limits: Rate | None) -> None:
        settings = config.current()
        changed = replace(settings, people=replace(settings.people, **limits))  # type: ignore[arg-type]
        monkeypatch.setattr("api.throttling.current", lambda: changed)
        monkeypatch.setattr("lineage.web.pages.current", lambda: changed)

    return limit


def let_in(name: str, limit: Rate, tries: int = 20) -> int:
    count = 0
    for _ in range(tries):
        try:
            rate_limits.take(name, limit)
        except RateLimitedError:
            continue
        count += 1
    return count


def test_so_many_are_let_in_and_no_more(clock: Clock) -> None:
    assert let_in("a", MINUTE) == 5
    assert let_in("b", MINUTE) == 5  # each name by itself
    with pytest.raises(RateLimitedError) as refused:
        rate_limits.take("a", MINUTE)
    assert refused.value.retry_after == 72  # the next window, and a fifth of it
    clock.now += refused.value.retry_after - 1
    assert let_in("a", MINUTE) == 0
    clock.now += 1
    assert let_in("a", MINUTE) == 1


def test_a_window_slides_over_its_border(clock: Clock) -> None:
    clock.now += 59
    assert let_in("a", MINUTE) == 5
    clock.now += 1  # a fixed window would let in five more
    assert let_in("a", MINUTE) == 0
    clock.now += 30
    assert let_in("a", MINUTE) == 2
    with pytest.raises(RateLimitedError) as refused:
        rate_limits.take("a", MINUTE)
    clock.now += refused.value.retry_after
    assert let_in("a", MINUTE, 1) == 1


def test_whoever_does_not_wait_is_still_let_in_as_often_as_others(clock: Clock) -> None:
    count = 0
    for _ in range(600):
        count += let_in("a", MINUTE, 2)
        clock.now += 1
    assert 40 <= count <= 55


def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many were counted each time that the counters are asked."""
    found: list[int] = []
    real = counters.LocalCounters.count

    def count(self: Any, key: str, before: str, seconds: int, more: int = 1) -> tuple[int, int]:
        found.append(more)
        return real(self, key, before, seconds, more)

    monkeypatch.setattr(counters.LocalCounters, "count", count)
    return found


def test_who_asks_often_is_counted_ahead(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    often = Rate(1000, 60)
    found = asked(monkeypatch)
    assert let_in("a", often, 31) == 31
    assert found == [1, 2, 4, 8, 10, 10]
    found.clear()
    assert let_in("b", often, 1) == 1, "each name by itself"
    clock.now += 60
    assert let_in("a", often, 1) == 1, "and each window"
    assert found == [1, 1]


@pytest.mark.parametrize("count", [5, 199, 200, 999, 1000, 3000])
def test_one_process_lets_in_exactly_as_many_counted_ahead(count: int, clock: Clock) -> None:
    limit = Rate(count, 60)
    clock.now += 30
    assert let_in("a", limit, count + 5) == count
    clock.now += 45  # a quarter of the next window has passed: three of four of the last count
    assert let_in("a", limit, count + 5) == count // 4


def test_processes_let_in_no_more_than_the_limit_counted_ahead(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever their turns: a process is what it has counted ahead; the counters are all's."""
    limit, chance = Rate(1000, 60), random.Random(4711)
    processes: list[dict[str, Any]] = [{} for _ in range(4)]
    count = 0
    for _ in range(4000):
        monkeypatch.setattr(rate_limits, "_ahead", chance.choice(processes))
        count += let_in("a", limit, 1)
    assert count == 1000
    for left in processes:
        assert not any(ahead.left for ahead in left.values())
    clock.now += 60
    assert not let_in("a", limit, 1)


def test_what_was_counted_ahead_and_not_used_is_gone_with_its_window(clock: Clock) -> None:
    limit = Rate(1000, 60)
    assert let_in("a", limit, 17) == 17  # ten were counted at the last time, of which eight are left
    clock.now += 60
    assert let_in("a", limit, 1000) == 1000 - 25


def test_many_names_do_not_fill_the_memory(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limits, "_MAX_KEPT", 10)
    for number in range(100):
        assert let_in(f"name-{number}", Rate(1000, 60), 3) == 3
    assert len(rate_limits._ahead) <= 10


def test_no_limit_counts_nothing(clock: Clock) -> None:
    rate_limits.take("a", None)
    assert let_in("a", MINUTE) == 5


def test_threads_of_a_process_count_together(clock: Clock) -> None:
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda: found.append(let_in("a", Rate(100, 60), 50))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 90 <= sum(found) <= 100  # one that came too late at the border leaves its place free


@pytest.mark.service
def test_processes_count_together_in_redis(clock: Clock, fresh_redis: str) -> None:
    with override_settings(CACHES=counters.settings(fresh_redis)):
        assert let_in("a", MINUTE, 3) == 3
    with override_settings(CACHES=counters.settings(fresh_redis)):  # as another process: nothing in memory
        assert let_in("a", MINUTE) == 2
        assert let_in("b", MINUTE) == 5


@pytest.mark.service
@pytest.mark.parametrize("away", [False, True], ids=["there", "away"])
def test_counters_in_redis_are_as_in_memory(fresh_redis: str, away: bool) -> None:
    """Each is forgotten in time; while Redis is away this process counts by itself."""
    server = f"redis://127.0.0.1:{free_port()}/0" if away else fresh_redis
    wanted = counters.LocalCounters(factories.fresh("counters"), {})
    a, b, c, d, e = (factories.fresh(letter) for letter in "abcde")
    with override_settings(CACHES=counters.settings(server)):
        for key, before in [(b, a), (b, a), (c, b), (b, b), (d, c)]:
            assert cache.count(key, before, 100) == wanted.count(key, before, 100)  # type: ignore[attr-defined]
        assert cache.count(b, a, 100, 7) == wanted.count(b, a, 100, 7)  # type: ignore[attr-defined]
        for _ in range(8):
            cache.incr(b, -1)
            wanted.incr(b, -1)
        assert cache.count(e, b, 100) == wanted.count(e, b, 100) == (1, 2)  # type: ignore[attr-defined]
    if not away:
        kept = redis.Redis.from_url(fresh_redis)
        assert {90 < float(kept.ttl(key)) <= 100 for key in kept.keys("*")} == {True}


def test_a_key_without_attest_is_limited(limited: Callable[..., None]) -> None:
    limited(rate_limit=MINUTE)
    api, other = Api(factories.token("read")), Api(factories.token("read"))
    assert [api.get("/api/v1/keys").status_code for _ in range(5)] == [200] * 5
    answer = api.get("/api/v1/keys")
    assert problem(answer) == (429, "rate-limited")
    assert answer["Retry-After"] == "72"
    assert "5 requests" in answer.json()["detail"]
    assert other.get("/api/v1/keys").status_code == 200


def test_a_key_with_attest_is_not_unless_that_is_set(limited: Callable[..., None]) -> None:
    limited(rate_limit=MINUTE)
    api = Api(factories.token("attest", "read"))
    assert {api.get("/api/v1/keys").status_code for _ in range(20)} == {200}
    limited(rate_limit=MINUTE, attest_rate_limit=Rate(3, 60))
    statuses = [api.attest(b"{").status_code for _ in range(5)]
    assert statuses == [400, 400, 400, 429, 429]


def test_whoever_guesses_keys_is_slowed_down_by_address(limited: Callable[..., None]) -> None:
    limited(rate_limit=MINUTE)

    def guess(address: str) -> Any:
        headers = {"Authorization": "Bearer lin_00000000_nothing"}
        return Client(headers=headers, REMOTE_ADDR=address).get("/api/v1/keys")

    assert [guess("192.0.2.1").status_code for _ in range(6)] == [401] * 5 + [429]
    assert guess("192.0.2.2").status_code == 401
    statuses = [guess(f"2001:db8::{number}").status_code for number in range(1, 7)]
    assert statuses == [401] * 5 + [429]  # one machine has them all
    assert Client(REMOTE_ADDR="192.0.2.1").get("/api/v1/keys").status_code == 429  # without any key as well
    key = factories.token("read")
    assert (
        Client(headers={"Authorization": f"Bearer {key}"}, REMOTE_ADDR="192.0.2.1")
        .get("/api/v1/keys")
        .status_code
        == 200
    )


def test_a_person_has_one_limit_on_pages_and_calls(limited: Callable[..., None]) -> None:
    limited(rate_limit=MINUTE)
    client = Client()
    client.force_login(factories.user("auditor"), "allauth.account.auth_backends.AuthenticationBackend")
    assert [client.get("/keys").status_code for _ in range(3)] == [200] * 3
    assert [client.get("/api/v1/keys").status_code for _ in range(3)] == [200, 200, 429]
    answer = client.get("/keys")
    assert answer.status_code == 429
    assert answer["Retry-After"] == "72"
    assert "5 requests" in answer.content.decode()


def test_what_is_public_has_no_limit(limited: Callable[..., None]) -> None:
    limited(rate_limit=Rate(1, 60))
    assert {Client().get("/health/live").status_code for _ in range(5)} == {200}
