"""`lineage subscriptions`: a secret alone on stdout, once; exit codes say what came of a test."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from lineage import config
from lineage.cli import main
from tests.hostile_http import answer, hostile
from tests.webhooks import verified


@pytest.fixture(autouse=True)
def configured(log: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("LINEAGE_PRIVATE_NETWORKS", "127.0.0.0/8")
    config.current.cache_clear()
    yield
    config.current.cache_clear()


def run(*arguments: str) -> int:
    return main.run(["subscriptions", *arguments])


def test_from_add_to_remove(capsys: pytest.CaptureFixture[str]) -> None:
    with hostile(answer(b"")) as server:
        assert run("add", "webhook", f"{server.url}/hook") == 0
        said = capsys.readouterr()
        secret = said.out.strip()
        assert secret.startswith("whsec_")
        assert secret not in said.err
        assert run("list", "--json") == 0
        listed = capsys.readouterr().out
        (record,) = json.loads(listed)["subscriptions"]
        assert secret not in listed
        number = str(record["id"])
        assert run("test", number) == 0
        assert verified(server.requests[0], secret)["type"] == "lineage.test"
    capsys.readouterr()
    assert run("test", number) == 1
    assert "nothing answers at its address" in capsys.readouterr().out
    assert (run("pause", number), run("resume", number), run("new-secret", number)) == (0, 0, 0)
    assert "whsec_" in capsys.readouterr().out
    assert run("remove", number) == 0
    assert run("remove", number) == 1


def test_mail_without_a_server_says_what_to_set(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("add", "email", "team@example.com") == 1
    assert "LINEAGE_EMAIL_URL" in capsys.readouterr().err
