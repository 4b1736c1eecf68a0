"""A question that hangs keeps nobody waiting; one answer serves all who ask at the same time."""

from __future__ import annotations

import threading

import pytest

from lineage.errors import UnavailableError
from lineage.services.probe import Probe


def test_an_answer_and_an_error_come_through() -> None:
    assert Probe(lambda: 7, seconds=60).ask() == 7

    def fail() -> int:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        Probe(fail, seconds=60).ask()


def test_a_hanging_question_is_given_up_and_not_asked_twice() -> None:
    let_go, asked = threading.Event(), []

    def hang() -> str:
        asked.append(1)
        let_go.wait(60)
        return "late"

    probe = Probe(hang, seconds=0.05, keep_seconds=60)
    for _ in range(3):
        with pytest.raises(UnavailableError, match=r"within 0\.05 s"):
            probe.ask()
    assert asked == [1]
    let_go.set()
    question = probe._question
    assert question is not None
    assert question.answered.wait(60)
    assert probe.ask() == "late"


def test_an_answer_is_kept_as_long_as_it_says() -> None:
    numbers = iter(range(10))
    kept = Probe(lambda: next(numbers), seconds=60, keep_seconds=60)
    assert [kept.ask(), kept.ask()] == [0, 0]
    kept.forget()
    assert kept.ask() == 1
    fresh = Probe(lambda: next(numbers), seconds=60)
    assert [fresh.ask(), fresh.ask()] == [2, 3]
