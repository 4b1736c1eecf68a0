"""Sets are verified by no more threads at once than there are processors for this process."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from lineage import config
from lineage.errors import LineageError, MalformedError
from lineage.services import intake
from lineage.services.log_batch import Prepared
from lineage.trust.policy import KeyRing

CALLERS = 4
SET = [b"line"] * (2 * intake.ABREAST + 1)


@pytest.fixture(autouse=True)
def of_this_test() -> Iterator[None]:
    intake._processors.cache_clear()
    yield
    intake._processors.cache_clear()


@pytest.mark.parametrize(
    ("processors", "web_workers", "wanted"), [(1, 1, 1), (2, 1, 2), (2, 2, 1), (2, 8, 1), (64, 1, 2)]
)
def test_so_many_at_once(
    monkeypatch: pytest.MonkeyPatch, processors: int, web_workers: int, wanted: int
) -> None:
    settings = replace(config.current(), web_workers=web_workers)
    monkeypatch.setattr(intake, "current", lambda: settings)
    monkeypatch.setattr("lineage.processors.usable", lambda: processors)
    within = most = begun = 0
    lock, all_in = threading.Lock(), threading.Barrier(wanted)

    def prepare(lines: Sequence[bytes], ring: Any) -> list[Prepared | LineageError]:
        nonlocal within, most, begun
        with lock:
            within, begun = within + 1, begun + 1
            most, first = max(most, within), begun <= wanted
        if first:
            all_in.wait(60)  # so many do get in at once
        with lock:
            within -= 1
        return [MalformedError("told for each line") for _ in lines]

    monkeypatch.setattr(intake, "_prepare_abreast", prepare)
    ring = KeyRing.__new__(KeyRing)  # which nobody looks at here
    with ThreadPoolExecutor(CALLERS) as pool:
        answers = list(pool.map(lambda _: intake._prepare_all(SET, ring), range(CALLERS)))
    assert most == wanted
    assert [len(each) for each in answers] == [len(SET)] * CALLERS


def test_an_error_gives_the_place_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(lines: Sequence[bytes], ring: Any) -> list[Prepared | LineageError]:
        raise RuntimeError("not an answer")

    monkeypatch.setattr(intake, "_prepare_abreast", fail)
    ring = KeyRing.__new__(KeyRing)
    for _ in range(2 * intake.MOST_AT_ONCE):
        with pytest.raises(RuntimeError):
            intake._prepare_all(SET, ring)
