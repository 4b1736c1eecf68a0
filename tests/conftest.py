"""Fixtures that every room's tests share.

`log` gives an empty, bootstrapped installation in a real SQLite file; `graph` projects what the test sent.
`server` is a real process: granian on a free port with a home of its own.
"""

from __future__ import annotations

import gc
import json
import os
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest
from django.test import Client
from hypothesis import settings

from tests import factories
from tests.postgresql.cluster import wait_for_disk
from tests.server import Server, started

pytest_plugins = ["tests.services", "tests.soak", "tests.sharing", "tests.cypher", "tests.conformance.report"]

# A busy machine is no bug, so no example has a deadline. CI tries the same examples each time: a change fails
# there for what it did, and elsewhere each run looks for new ones.
settings.register_profile("unhurried", deadline=None, max_examples=60, derandomize="CI" in os.environ)
settings.load_profile("unhurried")


LONG = tuple(
    f"tests/{name}.py"
    for name in (
        *("conformance/test_cases", "conformance/test_random", "replay/test_replay", "workers/test_kills"),
        *("integration/test_neo4j_outages", "integration/test_neo4j_plans", "integration/test_up_full"),
        *("integration/test_client_mlflow", "integration/test_example", "integration/test_graph_check_neo4j"),
        *("integration/test_localservices", "operation/test_ready"),
        *("web/test_browser", "web/test_stored_xss"),
    )
)
"""Files of about a minute or more."""


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Thousands of tests are collected, which all stay: to look for garbage among them only takes time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


@pytest.hookimpl(trylast=True)  # after they were shuffled
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take long come first: where processes share them, the others wait for the last of them."""
    items.sort(key=lambda item: (item.nodeid.startswith("tests/unit/"), not item.nodeid.startswith(LONG)))


def forget_other_logs() -> None:
    """Drop what this process keeps in memory of another test's log."""
    from lineage.services import (
        access_records,
        check_policies,
        consequences,
        forgetting,
        high_water,
        high_water_file,
        keyring,
        layout_records,
        status_counts,
        taint,
        tiles,
        withdrawals,
    )

    # Every log of this process has the same keys, so the same origin, by which these know it.
    keyring.forget()
    check_policies.forget()
    consequences.forget()
    withdrawals.forget()
    forgetting.forget()
    layout_records.forget()
    status_counts.forget()
    taint.forget()
    tiles.forget()
    access_records.forget_waiting()
    high_water.forget()
    high_water_file.path().unlink(missing_ok=True)


@pytest.fixture
def log(transactional_db: None) -> None:
    """An installation with entry 0."""
    from tests import first_entry

    forget_other_logs()
    first_entry.ensure()


@pytest.fixture
def durable(log: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Commits wait for the disk as they do in the product."""
    from django.db import connection

    from lineage.services import log_connection

    def anew(wanted: bool) -> None:
        """Each connection."""
        if connection.vendor == "postgresql":
            from tests.settings_postgresql import CLUSTER

            wait_for_disk(CLUSTER, wanted=wanted)
            connection.close_pool()  # type: ignore[attr-defined]  # not in the stubs
        connection.close()
        log_connection.close()

    monkeypatch.setattr("tests.sqlite.base.DatabaseWrapper.durable", True)
    anew(True)
    yield
    anew(False)


@pytest.fixture
def graph(log: None) -> Callable[[], int]:
    """Call it to bring the graph up to the log; returns how many entries it has followed."""
    from lineage.services import project

    def follow() -> int:
        while project.project_pending():
            pass
        return project.watermark()

    return follow


class Api:
    """A client with one API key. Answers are Django's; `.json()` works on problems too."""

    def __init__(self, secret: str | None) -> None:
        self.http = Client(headers={"Authorization": f"Bearer {secret}"} if secret else {})

    def get(self, path: str, **parameters: Any) -> Any:
        return self.http.get(path, parameters)

    def post(self, path: str, data: Any = b"", content_type: str = "application/json", **extra: Any) -> Any:
        body = data if isinstance(data, bytes) else json.dumps(data).encode()
        return self.http.post(path, body, content_type=content_type, **extra)

    def attest(self, envelope: bytes, query: str = "") -> Any:
        return self.post(f"/api/v1/attestations{query}", envelope, "application/vnd.in-toto+json")


@pytest.fixture
def api(log: None) -> Api:
    """A client with every scope."""
    return Api(factories.token("attest", "read", "check", "decide", "operate"))


@pytest.fixture
def as_scope(log: None) -> Callable[..., Api]:
    """`as_scope("read")` is a client whose API key has just these scopes; `as_scope()` has no key."""

    def make(*scopes: str) -> Api:
        return Api(factories.token(*scopes) if scopes else None)

    return make


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real server process, shared by the session: name things freshly."""
    with started(tmp_path_factory.mktemp("server")) as running:
        yield running


def problem(answer: Any) -> tuple[int, str]:
    """Status and slug of a problem document, checked to be one."""
    assert answer["Content-Type"] == "application/problem+json", answer.content[:300]
    document = json.loads(answer.content)
    assert document["status"] == answer.status_code
    assert document["title"]
    assert document["detail"]
    return answer.status_code, document["type"].removeprefix("urn:lineage:problem:")
