"""Turns at SQLite's lock: one after the other, none for ever, and what the dead had is free."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lineage.db import turn
from lineage.db.turn import Turn

PATIENCE_SECONDS = 60
HOLDS = """
import sys, time
from types import SimpleNamespace
from lineage.db.turn import Turn
with Turn().at(SimpleNamespace(vendor="sqlite", settings_dict={"NAME": sys.argv[1]})):
    print("mine", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def database(tmp_path: Path) -> Any:
    path = tmp_path / "lineage.sqlite3"
    path.touch()
    return SimpleNamespace(vendor="sqlite", settings_dict={"NAME": path})


@contextmanager
def another_process(database: Any) -> Iterator[subprocess.Popen[str]]:
    """One that has the turn."""
    command = [sys.executable, "-c", HOLDS, str(database.settings_dict["NAME"])]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "mine\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def held(database: Any) -> bool:
    """Whether somebody has the turn."""
    with turn_file(database) as file:
        free = turn._free(file)
    return not free


@contextmanager
def turn_file(database: Any) -> Iterator[int]:
    file = os.open(f"{database.settings_dict['NAME']}{turn.SUFFIXES[0]}", os.O_RDWR)
    try:
        yield file
    finally:
        os.close(file)


def test_a_turn_is_given_back_also_after_an_error(database: Any) -> None:
    def fail() -> None:
        with Turn().at(database):
            assert held(database)
            raise ValueError("in the block")

    with pytest.raises(ValueError, match="in the block"):
        fail()
    assert not held(database)


def test_two_askers_of_one_process_write_one_after_the_other(database: Any) -> None:
    inside = most = 0
    counting = threading.Lock()

    def write(asker: Turn) -> None:
        nonlocal inside, most
        for _ in range(50):
            with asker.at(database):
                with counting:
                    inside += 1
                    most = max(most, inside)
                with counting:
                    inside -= 1

    askers = (Turn(), Turn(modest_seconds=0.001))
    threads = [threading.Thread(target=write, args=(asker,)) for asker in askers * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    assert not any(thread.is_alive() for thread in threads)
    assert (inside, most) == (0, 1)


@pytest.mark.parametrize("modest_seconds", [0.0, 0.01])
def test_who_writes_again_and_again_lets_another_in(database: Any, modest_seconds: float) -> None:
    done = threading.Event()
    busy = Turn()

    def write_for_ever() -> None:
        while not done.is_set():
            with busy.at(database):
                pass

    thread = threading.Thread(target=write_for_ever)
    thread.start()
    other = Turn(modest_seconds)
    try:
        for _ in range(20):
            with other.at(database):
                assert held(database)
    finally:
        done.set()
        thread.join(PATIENCE_SECONDS)


def test_what_a_killed_process_had_is_free(database: Any) -> None:
    with another_process(database) as process:
        assert held(database)
        process.kill()
        process.wait(PATIENCE_SECONDS)
        assert not held(database)


def test_a_stopped_process_is_not_waited_for_for_ever(database: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn, "LONGEST_SECONDS", 0.05)
    with another_process(database) as process:
        os.kill(process.pid, signal.SIGSTOP)
        with Turn().at(database):
            assert held(database)  # by the other one still: SQLite's own lock decides now
        assert held(database)


def test_a_forked_child_does_not_keep_its_parents_turn(database: Any) -> None:
    context = multiprocessing.get_context("fork")
    goes_on = context.Event()
    asker = Turn()
    with asker.at(database):
        child = context.Process(target=goes_on.wait)
        child.start()
    try:
        assert not held(database)
        asker.close()  # as if the parent had died: the child alone has its descriptors
        assert not held(database)
    finally:
        goes_on.set()
        child.join(PATIENCE_SECONDS)


def test_a_child_can_take_a_turn_of_its_own(database: Any) -> None:
    context = multiprocessing.get_context("fork")
    took = context.Event()
    asker = Turn()

    def take() -> None:
        with asker.at(database):
            took.set()

    with asker.at(database):
        child = context.Process(target=take)
        child.start()
    child.join(PATIENCE_SECONDS)
    assert took.is_set()
    assert not held(database)


@pytest.mark.parametrize("name", [":memory:", "file:memorydb_default?mode=memory&cache=shared"])
def test_a_database_in_memory_has_no_files(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with Turn().at(SimpleNamespace(vendor="sqlite", settings_dict={"NAME": name})):  # type: ignore[arg-type]
        pass
    assert not list(tmp_path.iterdir())


def test_without_room_for_its_files_writers_go_on(
    database: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turn, "SUFFIXES", ("-" + "x" * 300,))  # longer than a name may be
    with Turn().at(database):
        pass
    assert "don't wait in line" in caplog.text


def test_postgresql_has_a_line_of_its_own(database: Any) -> None:
    database.vendor = "postgresql"
    with Turn().at(database):
        pass
    assert not Path(f"{database.settings_dict['NAME']}{turn.SUFFIXES[0]}").exists()


def test_nobody_sleeps_whom_nobody_waits_for(database: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    slept = list[float]()
    monkeypatch.setattr("lineage.db.turn.time.sleep", slept.append)
    mine = Turn()
    for _ in range(2):
        with mine.at(database):
            pass
    assert slept == []
