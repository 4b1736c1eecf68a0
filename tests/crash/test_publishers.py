"""Several publish and append at the same time: one tree, each size signed once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, connections

from lineage.db.models import Checkpoint, LogHead
from lineage.services import intake, publish
from tests import factories
from tests.crash.whole import reread

pytestmark = pytest.mark.usefixtures("log")


def _ask(sql: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


def _together(*acts: Callable[[], object]) -> None:
    """All at once, each in a thread; what one raises is raised here."""
    failed: list[BaseException] = []

    def go(act: Callable[[], object]) -> None:
        try:
            act()
        except BaseException as error:
            failed.append(error)
            raise
        finally:
            connections.close_all()

    threads = [threading.Thread(target=go, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_publishers_at_the_same_time_sign_one_tree() -> None:
    signer = factories.registered()
    over = threading.Event()
    made: list[int] = []

    def append() -> None:
        try:
            for _ in range(12):
                intake.submit_set([signer.envelope(factories.statement()) for _ in range(25)], token="t")
        finally:
            over.set()

    def follow() -> None:
        while True:
            last = over.is_set()
            one = publish.publish_once()
            if one is not None:
                made.append(one.size)
            elif last:
                return

    _together(append, follow, follow, follow)
    log = reread(_ask)
    assert log.published == log.size == LogHead.objects.get(pk=1).size
    assert len(set(made)) == len(made), "two publishers signed the same size"
    assert sorted(made) == list(Checkpoint.objects.order_by("size").values_list("size", flat=True))
