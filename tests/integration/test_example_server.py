"""The example's MLflow server as `lineage up` keeps it: at its port, or said where it can't be."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lineage.cli.example_server import FOLDER, ExampleServer
from lineage.processes import alive
from tests.integration.uptree import until

pytestmark = pytest.mark.service


@contextmanager
def begun(home: Path, said: list[str]) -> Iterator[ExampleServer]:
    server = ExampleServer(home, said.append)
    server.begin()
    try:
        yield server
    finally:
        server.stop()


def test_it_keeps_its_port_and_says_when_it_can_not(tmp_path: Path) -> None:
    said: list[str] = []
    with begun(tmp_path, said) as first:
        url = first.url
        assert not first.moved
    with begun(tmp_path, said) as second:
        assert (second.url, second.moved) == (url, False)
    with socket.create_server(("127.0.0.1", int(url.rpartition(":")[2]))), begun(tmp_path, said) as third:
        assert third.url != url
        assert third.moved
    assert said == []


def test_one_that_can_not_start_is_said_and_raises_nothing(tmp_path: Path) -> None:
    (tmp_path / FOLDER).parent.mkdir()
    (tmp_path / FOLDER).write_text("in the way")
    said: list[str] = []
    with begun(tmp_path, said) as server:
        assert (server.url, server.moved) == ("", False)
        server.tend()  # not before its pause is over
    assert len(said) == 1
    assert "no MLflow server" in said[0]


def test_one_that_was_killed_leaves_nothing_and_runs_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lineage.cli.example_server.FIRST_PAUSE_SECONDS", 0.0)
    said: list[str] = []
    with begun(tmp_path, said) as server:
        first, url = server.process, server.url
        os.kill(first, signal.SIGKILL)
        until(lambda: server.process == 0, "its end")
        assert server.url == url  # whoever is told now finds it there later

        def again() -> bool:
            server.tend()
            return server.process not in {0, first}

        until(again, "another one")
        assert server.url == url
        assert not alive(first)
    assert ["starting its MLflow server again" in each for each in said] == [True]
