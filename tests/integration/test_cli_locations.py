"""`lineage locations` and `lineage check-policy`, each as a person calls it."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from lineage.cli.locations import KINDS
from lineage.cli.main import run
from lineage.db.models import Storage
from lineage.graph import check_policy
from lineage.services import check_policies, storage_access, storage_values
from tests.certificates import issue

pytestmark = pytest.mark.usefixtures("log")

SECRET, TOKEN = "first-secret-value", "first-token-value"
ADD = ("locations", "add", "models", "--kind", "s3", "--uri", "s3://models/prod")


def result(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> Any:
    """The command's JSON."""
    capsys.readouterr()
    assert run([*arguments, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def refused(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 1) -> str:
    """What is said of a command that does not work."""
    capsys.readouterr()
    assert run(list(arguments)) == code
    return capsys.readouterr().err


def test_a_storage_is_configured_paused_and_removed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "ca.pem").write_text(issue("ca").pem)
    made = result(capsys, *ADD, "--region", "eu-west-1", "--ca", str(tmp_path / "ca.pem"))
    assert (made["uri"], made["region"], made["state"]) == ("s3://models/prod", "eu-west-1", "unknown")
    assert made["ca_certificates"][0]["subject"] == "CN=ca"
    assert result(capsys, "locations", "pause", "models")["state"] == "paused"
    assert result(capsys, "locations", "resume", "models")["state"] == "unknown"
    changed = result(capsys, "locations", "change", "models", "--region", "")
    assert (changed["region"], changed["uri"]) == ("", "s3://models/prod")
    assert [row["name"] for row in result(capsys, "locations", "list")["locations"]] == ["models"]
    assert run(["locations", "list"]) == 0
    assert "s3://models/prod" in capsys.readouterr().out
    assert result(capsys, "locations", "remove", "models") == {"name": "models", "removed": True}
    assert not Storage.objects.exists()


def test_a_secret_comes_from_a_file_or_stdin_and_is_never_printed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_text(SECRET + "\n")
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{TOKEN}\n"))
    files = ("--secret-file", str(tmp_path / "secret"), "--token-file", "-")
    assert run([*ADD, "--username", "AKIA", *files]) == 0
    found = storage_access.access_of(Storage.objects.get())
    assert (found.secret, found.token) == (SECRET, TOKEN)
    assert run(["locations", "list", "--json"]) == 0
    told = "".join(capsys.readouterr())
    assert SECRET not in told
    assert TOKEN not in told
    moved = refused(capsys, "locations", "change", "models", "--uri", "s3://theirs")
    assert "send it again" in moved
    twice = refused(capsys, "locations", "change", "models", "--secret-file", "-", "--token-file", "-")
    assert "Only one secret" in twice


def test_a_secret_is_asked_for_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal(""))
    monkeypatch.setattr("click.prompt", lambda *_, **__: SECRET)
    assert run([*ADD, "--username", "AKIA"]) == 0
    assert storage_access.access_of(Storage.objects.get()).secret == SECRET


def test_there_is_no_way_to_give_a_secret_as_an_argument(capsys: pytest.CaptureFixture[str]) -> None:
    for option in ("--secret", "--password", "--token"):
        assert "No such option" in refused(capsys, *ADD, option, SECRET, code=3)


def test_what_is_wrong_is_said(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "Invalid value for '--kind'" in refused(capsys, *ADD[:4], "ftp", *ADD[5:], code=3)
    assert "(at uri)" in refused(capsys, *ADD[:6], "gs://models")
    assert "can't be read" in refused(capsys, *ADD, "--ca", str(tmp_path / "nothing"))
    assert "No storage" in refused(capsys, "locations", "pause", "nothing")
    assert not Storage.objects.exists()
    assert tuple(scheme.kind for scheme in storage_values.KINDS) == KINDS


def test_a_check_gives_its_answer_as_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*ADD, "--endpoint", "http://169.254.169.254"]) == 0
    found = result(capsys, "locations", "check", "models", code=1)
    assert (found["ok"], "169.254.169.254" in found["reason"]) == (False, True)
    (row,) = result(capsys, "locations", "list")["locations"]
    assert (row["state"], row["failures"]) == ("gone", 1)


def test_a_policy_is_shown_and_adopted(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert result(capsys, "check-policy", "show")["entry"] is None
    assert run(["check-policy", "show"]) == 0
    said = capsys.readouterr().out
    assert "Nobody has decided yet" in said
    assert "Every 7 days, the digest that names it is computed again." in said
    policy = {
        "default": {"full": "30d"},
        "rules": [{"name": "loans", "every": {"quick": "1h", "full": "1d"}, "roles": ["model"]}],
        "limits": [{"location": "s3://models", "concurrency": 1, "quietHours": ["22:00-06:00"]}],
    }
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(policy))
    receipt = result(capsys, "check-policy", "set", str(file))
    assert check_policies.current().default.full == 30 * 86_400
    shown = result(capsys, "check-policy", "show")
    assert (shown["entry"], shown["person"].startswith("os:")) == (receipt["index"], True)
    assert run(["check-policy", "show"]) == 0
    said = capsys.readouterr().out
    assert "“loans”: copies of artifacts with the role model\n  Every day, the digest" in said
    assert "s3://models\n  one check at a time\n  no checks from 22:00 to 06:00 UTC" in said
    assert run(["check-policy", "show", "--body"]) == 0
    body = capsys.readouterr().out
    assert check_policy.parse(body.encode()) == check_policies.current()
    monkeypatch.setattr(sys, "stdin", io.StringIO('{"default": {"full": "never"}}'))
    assert "(at $.default.full)" in refused(capsys, "check-policy", "set", "-")
