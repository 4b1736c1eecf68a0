"""A trace of a real log is a behaviour of the specification; falsified, it is none."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from lineage.errors import UnavailableError
from lineage.services import intake, project, publish
from tests import factories
from tests.crash.trace import Trace
from tests.services import unavailable
from tests.spec import replay, tlc

pytestmark = [pytest.mark.usefixtures("log"), pytest.mark.service]
Events = list[dict[str, Any]]


def _ask(sql: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


def _recorded(path: Path) -> Trace:
    """Two rounds of sending, publishing and projecting, with a crash between them."""
    trace = Trace(path)
    signer = factories.registered()
    for _ in range(2):
        for _ in range(3):
            receipt = intake.submit(signer.envelope(factories.statement()), token="t").receipt
            trace.acknowledged(receipt.digest.removeprefix("sha256:"), receipt.index)
        trace.look(_ask)
        assert publish.publish_once()
        assert project.project_pending()
        trace.look(_ask)
        trace.crashed()
    return trace


def _lost(events: Events) -> None:
    """The last acknowledged entry never came into the log."""
    for look in _looks(events)[2:]:
        look["entries"].pop()
        look["head"] -= 1
        look["checkpoints"] = [min(size, look["head"]) for size in look["checkpoints"]]
        look["projected"] = min(look["projected"], look["head"])


def _lost_later(events: Events) -> None:
    """It was there, and is gone after the crash."""
    last = _looks(events)[-1]
    last["entries"].pop()
    last["head"] -= 1
    last["checkpoints"].pop()
    last["projected"] -= 1


def _exchanged(events: Events) -> None:
    last = _looks(events)[-1]["entries"]
    last[2][1], last[3][1] = last[3][1], last[2][1]


def _told_another(events: Events) -> None:
    next(event for event in events if event["event"] == "ack")["index"] += 1


def _watermark_ahead(events: Events) -> None:
    look = _looks(events)[0]
    look["projected"] = look["head"] + 1


def _checkpoint_ahead(events: Events) -> None:
    look = _looks(events)[0]
    look["checkpoints"] = [look["head"] + 1]


def _checkpoint_gone(events: Events) -> None:
    _looks(events)[-1]["checkpoints"].pop(0)


FALSE: dict[str, tuple[Callable[[Events], None], str]] = {
    "lost": (_lost, "told"),
    "lost later": (_lost_later, "look"),
    "exchanged": (_exchanged, "look"),
    "told another index": (_told_another, "told"),
    "watermark ahead": (_watermark_ahead, "project"),
    "checkpoint ahead": (_checkpoint_ahead, "publish"),
    "checkpoint gone": (_checkpoint_gone, "look"),
}
"""What is made of the trace, and the step that is none then."""


def _looks(events: Events) -> Events:
    return [event for event in events if event["event"] == "look"]


def test_a_real_trace_is_replayed_and_falsified_ones_are_refused(tmp_path: Path) -> None:
    try:
        tlc.jar()
    except UnavailableError as error:
        unavailable(f"{error.message} {error.hint}".rstrip())
    traces = {"as it was": _recorded(tmp_path / "true.jsonl")}
    for name, (falsify, _) in FALSE.items():
        events = copy.deepcopy(traces["as it was"].events())
        falsify(events)
        traces[name] = traces["as it was"].copy(tmp_path / f"{name}.jsonl", events)
    refused = dict(zip(traces, replay.replayed(list(traces.values()), tmp_path), strict=True))
    assert refused.pop("as it was") == ""
    found = {name: re.findall(r'op \|-> "(\w+)"', step) for name, step in refused.items()}
    assert found == {name: [op] for name, (_, op) in FALSE.items()}
