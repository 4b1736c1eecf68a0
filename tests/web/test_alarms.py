"""What is wrong with storages: one alarm each, on the first page, the system page and in the figures."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from lineage.db.models import StorageState, StorageSweep
from lineage.services import condition, gone_storages, metrics, sightings, storages
from lineage.services.clock import now_us
from tests import factories
from tests.web.axe import violations
from tests.web.conftest import PASSWORD, sign_in
from tests.web.installation import Installation

HOUR_US = 3_600_000_000


def go(hours: int = 8) -> str:
    """Let the one storage be gone for so long; returns its name."""
    (place,) = storages.listed()
    since = now_us() - hours * HOUR_US
    StorageState.objects.create(
        storage=place.name, gone_us=since, reached_us=since, tried_us=now_us(), error="It is not mounted."
    )
    return place.name


def first_page(client: Client, query: str = "") -> str:
    answer = client.get(f"/{query}")
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_storage_that_is_gone_is_one_alarm(auditor: Client, installed: Installation) -> None:
    assert "out of reach for" not in first_page(auditor)
    name = go()
    shown = first_page(auditor)
    assert shown.count('aria-label="Storage out of reach"') == 1
    assert f'<a href="/locations/{name}">/srv/data</a>' in shown
    assert "has been out of reach for 8 hours." in shown
    assert "It is not mounted." in shown
    assert "2 copies lie there" in shown
    assert "out of reach for" not in first_page(auditor, "?as_of=5"), "it is about now"


def test_one_that_is_configured_no_more_is_no_alarm(auditor: Client, installed: Installation) -> None:
    StorageState.objects.create(storage="folder-00000000", gone_us=1, tried_us=1, error="away")
    assert gone_storages.listed() == []
    assert "out of reach for" not in first_page(auditor)


def test_the_system_page_says_so_and_stays_ready(auditor: Client, installed: Installation) -> None:
    assert condition_of("storage") == ("ok", "None of 1 is known to be out of reach.")
    go()
    state, reason = condition_of("storage")
    assert state == "degraded"
    assert reason.startswith("/srv/data can't be reached since 2")
    assert "It is not mounted. Copies there are not checked meanwhile, and none fails for that." in reason
    assert condition.now().ready
    assert "Storages: behind." in auditor.get("/system").content.decode()


def condition_of(name: str) -> tuple[str, str]:
    found = {each.name: each for each in condition.services(sightings.look())}
    return found[name].state, found[name].reason


def test_figures_of_copies_are_by_storage(installed: Installation) -> None:
    name = go()
    StorageSweep.objects.create(
        storage=name, job_id=1, entry_index=1, started_us=now_us(), finished_us=now_us(), bytes=4711,
        matches=1, mismatches=0, inconclusive=0,
    )  # fmt: skip
    StorageSweep.objects.create(
        storage=name, job_id=2, entry_index=2, started_us=1, finished_us=1, bytes=10**9, matches=1,
        mismatches=0, inconclusive=0,
    )  # fmt: skip
    metrics.forget()
    text = metrics.exposition().decode()
    found = {_sample(line) for line in text.splitlines()}
    of_storage = f'storage="{name}"'
    for family, labels, value in (
        ("lineage_copies", ('outcome="match"', of_storage), "1.0"),
        ("lineage_copies", ('outcome="mismatch"', of_storage), "1.0"),
        ("lineage_copies_overdue", (of_storage,), "0.0"),
        ("lineage_storage_gone", (of_storage,), "1.0"),
        ("lineage_storage_day_bytes", (of_storage,), "4711.0"),
    ):
        assert (family, labels, value) in found, family
    assert any(family == "lineage_copies_due" for family, *_ in found)
    metrics.forget()


def _sample(line: str) -> tuple[str, tuple[str, ...], str]:
    family, _, rest = line.partition("{")
    labels, _, value = rest.partition("} ")
    return family, tuple(sorted(labels.split(","))), value


@pytest.mark.service
def test_axe_finds_nothing_in_the_alarm(installed: Installation, page: Any, live_server: Any) -> None:
    go()
    page.set_viewport_size({"width": 1280, "height": 800})
    sign_in(page, live_server.url, factories.user("auditor", PASSWORD).email)
    page.goto(f"{live_server.url}/")
    assert violations(page) == []
