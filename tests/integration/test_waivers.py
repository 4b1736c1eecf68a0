"""An officer takes upon them that a file can run code when it is loaded: until then it does not count."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lineage.services import decide_checks as decide
from lineage.services.clock import now_us
from tests import factories
from tests.integration.projections import send, status_at
from tests.integration.test_decide_checks import DAY_US, WHO, known

pytestmark = pytest.mark.usefixtures("log", "storage_root")

Follow = Callable[[], int]
INVENTORY = "urn:lineage:predicate:inventory:v1"


def test_what_is_unsafe_is_waived_until_its_time(graph: Follow) -> None:
    key, digest = known()
    unsafe(digest)
    before = graph()
    until_us = now_us() + 3 * DAY_US
    waiver = decide.waive(key, "unsafe-format", until_us, "read line by line", person=WHO).receipt
    size = graph()
    assert status_at(key, before) == ("failed", "unsafe-format")
    assert status_at(key, size) == ("verified", "")
    assert status_at(key, size, until_us) == ("failed", "unsafe-format")
    assert status_at(key, waiver.index) == ("failed", "unsafe-format")
    decide.waive(key, "unsafe-format", None, "we wrote it", person=WHO)
    later = graph()
    assert status_at(key, later, until_us) == ("verified", "")
    decide.waive(key, "unsafe-format", until_us, "not for ever after all", person=WHO)
    assert status_at(key, graph(), until_us) == ("failed", "unsafe-format")


def unsafe(digest: str) -> None:
    """Somebody found that loading it may run code."""
    findings = [{"path": "", "finding": "It calls os.system."}]
    predicate = {"size": 1, "files": [{"path": "", "size": 1}], "unsafe": findings}
    subject = factories.artifact("model", digest)
    send(factories.registered(), factories.statement(subject, predicate_type=INVENTORY, predicate=predicate))
