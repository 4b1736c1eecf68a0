"""Handing over: on disk first, sent by a thread, the end of a process bounded; in a forked child too."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from lineage.client.delivery import Delivery, destination
from lineage.errors import ConfigurationError, LineageError, UnavailableError
from tests.unit.client.http_script import Script, problem, scripted

PATIENT = 60.0


@pytest.fixture
def script() -> Iterator[Script]:
    with scripted() as running:
        yield running


def test_what_is_handed_over_is_sent_and_its_receipt_given(script: Script, tmp_path: Path) -> None:
    delivery = Delivery(script.url, "lin_x_y", folder=tmp_path)
    assert delivery.settle(delivery.hand(b"{1}"), PATIENT).index == 7
    assert delivery.close(PATIENT) == 0
    assert delivery.spool.waiting() == []


def test_what_an_earlier_process_left_is_sent_at_the_start(script: Script, tmp_path: Path) -> None:
    Delivery(script.url, "", folder=tmp_path).hand(b"{left}")
    delivery = Delivery(script.url, "lin_x_y", folder=tmp_path)
    delivery.start()
    delivery.settle(delivery.hand(b"{new}"), PATIENT)
    assert script.bodies == [b"{left}", b"{new}"]


def test_without_a_token_it_waits_and_is_said(
    script: Script, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    delivery = Delivery(script.url, "", folder=tmp_path)
    name = delivery.hand(b"{1}")
    assert delivery.close(PATIENT) == 1
    assert (script.bodies, delivery.spool.waiting()) == ([], [name])
    (record,) = caplog.records
    assert "no API key" in record.message


def test_a_server_that_is_away_is_one_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    delivery = Delivery("http://127.0.0.1:9", "lin_x_secret", folder=tmp_path)
    delivery.hand(b"{1}")
    delivery.hand(b"{2}")
    assert delivery.close(PATIENT) == 2
    (record,) = caplog.records
    assert "2 signed statement(s) wait" in record.message
    assert "secret" not in caplog.text


def test_a_server_that_never_answers_ends_nobodys_patience(tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        delivery = Delivery(f"http://127.0.0.1:{silent.getsockname()[1]}", "lin_x_y", folder=tmp_path)
        name = delivery.hand(b"{1}")
        with pytest.raises(UnavailableError, match="in time"):
            delivery.settle(name, 0.05)
        assert delivery.close(0.05) == 1


def test_a_refusal_is_raised_to_who_waits_and_logged_once(
    script: Script, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    script.answers = [problem("malformed", 400)]
    delivery = Delivery(script.url, "lin_x_y", folder=tmp_path)
    with pytest.raises(LineageError, match="because"):
        delivery.settle(delivery.hand(b"{1}"), PATIENT)
    assert delivery.close(PATIENT) == 0
    assert len(delivery.spool.refused()) == 1


def test_a_forked_child_sends_too(script: Script, tmp_path: Path) -> None:
    delivery = Delivery(script.url, "lin_x_y", folder=tmp_path)
    delivery.settle(delivery.hand(b"{parent}"), PATIENT)
    child = os.fork()
    if child == 0:
        try:
            delivery.settle(delivery.hand(b"{child}"), PATIENT)
        except BaseException:
            os._exit(1)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert script.bodies == [b"{parent}", b"{child}"]


def test_the_environment_names_the_server(
    script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINEAGE_URL", script.url)
    monkeypatch.setenv("LINEAGE_TOKEN", "lin_x_y")
    monkeypatch.setenv("LINEAGE_SPOOL", str(tmp_path / "said"))
    delivery = destination(None, None, None)
    assert delivery.spool.folder.parent == tmp_path / "said"
    assert destination(None, None, None) is delivery
    with pytest.raises(ConfigurationError, match="no user or password") as caught:
        destination("https://me:hunter2@lineage.example", "t", tmp_path)
    assert "hunter2" not in str(caught.value)
    monkeypatch.delenv("LINEAGE_URL")
    with pytest.raises(ConfigurationError, match="LINEAGE_URL"):
        destination(None, None, None)
