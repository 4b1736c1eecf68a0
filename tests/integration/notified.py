"""What tests of subscriptions do all the time, and the fixtures `configured` and `follow`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lineage import config
from lineage.db.models import Job, Subscription
from lineage.services import jobs, notify, subscriptions
from lineage.services.clock import now_us
from tests import factories
from tests.hostile_http import Hostile, answer
from tests.web import installation
from tests.webhooks import verified

FINE = answer(b"", "204 No Content")
HOUR_US = 3_600_000_000
WORDS = "The metadata key tokenizer.chat_template differs: expected 1f, found 2e."


@pytest.fixture
def configured(log: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """`configured(LINEAGE_…=…)` sets more; receivers on this machine are allowed."""

    def more(**values: str) -> None:
        for name, value in values.items():
            monkeypatch.setenv(name, value)
        config.current.cache_clear()

    more(
        LINEAGE_STORAGE_ROOTS=installation.ROOT,
        LINEAGE_PRIVATE_NETWORKS="127.0.0.0/8",
        LINEAGE_PUBLIC_URL="https://lineage.example",
    )
    yield more
    config.current.cache_clear()


@pytest.fixture
def follow(configured: Callable[..., None], graph: Callable[[], int]) -> Callable[[], int]:
    return graph


def artifact(name: str) -> tuple[str, str]:
    digest = factories.sha256(name)
    return f"sha256:{digest}", digest


def stated(who: factories.Signer, name: str) -> str:
    key, digest = artifact(name)
    location = f"file://{installation.ROOT}/{name}"
    installation.send(who, factories.statement(factories.artifact(name, digest, downloadLocation=location)))
    return key


def checked(who: factories.Signer, name: str, outcome: str, *, at_us: int | None = None) -> None:
    from lineage.trust.leaf import rfc3339

    key, digest = artifact(name)
    observed = {"match": key, "mismatch": f"sha256:{'e' * 64}", "inconclusive": ""}[outcome]
    row = {
        "digest": key, "location": f"file://{installation.ROOT}/{name}", "method": "sha256", "expected": key,
        "observed": observed, "outcome": outcome, "at": rfc3339(at_us or now_us()), "reason": WORDS,
    }  # fmt: skip
    subject = factories.artifact(name, digest)
    installation.send(
        who, factories.statement(subject, predicate_type=installation.CHECK, predicate={"rows": [row]})
    )


def tell(at_us: int | None = None) -> int:
    """What the schedule and a worker of the short queue do; returns how many jobs were worked off."""
    for key, arguments in notify.due(now_us() if at_us is None else at_us):
        jobs.enqueue(notify.KIND, key, arguments)
    Job.objects.filter(kind=notify.KIND, state="queued").update(due_us=0)  # no test waits for a pause
    return jobs.drain("tests", queues=["short"])


def subscribe(server: Hostile, path: str = "/hook") -> tuple[int, str]:
    record, secret = subscriptions.add("webhook", f"{server.url}{path}", by="os:tests")
    return record.id, secret


def row(number: int) -> Subscription:
    return Subscription.objects.get(pk=number)


def items(request: bytes, secret: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = verified(request, secret)["data"]["items"]
    return found
