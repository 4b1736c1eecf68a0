"""Progress is drawn on a terminal only, and only for work that takes a while."""

from __future__ import annotations

import io
import sys

import pytest

from lineage.cli import output


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def on_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Called in the test itself: between set-up and test pytest puts its own stderr back."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    return terminal


def test_short_work_draws_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_terminal(monkeypatch)
    with output.progress("hashing") as advance:
        advance(5)
    assert terminal.getvalue() == ""


def test_long_work_draws_a_bar_and_clears_it(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_terminal(monkeypatch)
    monkeypatch.setattr(output, "PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(output, "_REDRAW_SECONDS", 0.0)
    with output.progress("hashing", total=4000) as advance:
        advance(1000)
        advance(1000)
    drawn = terminal.getvalue()
    assert " 25% 1.0 kB" in drawn
    assert "[############            ]  50% 2.0 kB" in drawn
    assert drawn.endswith("\r\x1b[K")


def test_a_pipe_gets_no_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "PATIENCE_SECONDS", 0.0)
    pipe = io.StringIO()
    monkeypatch.setattr(sys, "stderr", pipe)
    with output.progress("hashing") as advance:
        advance(1000)
    assert pipe.getvalue() == ""


@pytest.mark.parametrize(
    ("size", "words"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (3.4e9, "3.4 GB"), (5e15, "5000.0 TB")]
)
def test_amounts_are_in_powers_of_ten(size: float, words: str) -> None:
    assert output.amount(size) == words


def test_a_table_aligns_and_may_be_empty() -> None:
    assert output.table(("A", "B"), [("x", ""), ("long", "y")]) == ["A     B", "x", "long  y"]
    assert output.table(("A", "B"), []) == ["A  B"]
