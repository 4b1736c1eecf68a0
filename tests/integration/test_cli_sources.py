"""`lineage sources` and `lineage sync`, each as a person calls it."""

from __future__ import annotations

import io
import json
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from lineage import config
from lineage.cli import main
from lineage.cli.main import run
from lineage.cli.text_files import MAX_FILE
from lineage.db.models import Source
from lineage.services import sources
from tests.certificates import issue

pytestmark = pytest.mark.usefixtures("log")

URL = "https://mlflow.example.com"
SECRET = "first-secret-value"


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


def test_a_server_is_followed_paused_and_left(capsys: pytest.CaptureFixture[str]) -> None:
    made = result(capsys, "sources", "add", "lab", "--url", f"{URL}/", "--poll-seconds", "7")
    assert (made["url"], made["poll_seconds"], made["auth"]) == (URL, 7, "none")
    assert made["created_by"].startswith("os:")
    assert result(capsys, "sources", "pause", "lab")["sync"]["state"] == "paused"
    assert result(capsys, "sources", "resume", "lab")["sync"]["state"] == "waiting"
    assert [row["name"] for row in result(capsys, "sources", "list")["sources"]] == ["lab"]
    assert run(["sources", "list"]) == 0
    assert "waiting" in capsys.readouterr().out
    assert result(capsys, "sources", "remove", "lab") == {"name": "lab", "removed": True}
    assert not Source.objects.exists()


def test_a_secret_comes_from_a_file_or_stdin_and_is_never_printed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_text(SECRET + "\n")
    signing_in = ("--auth", "basic", "--username", "ann", "--secret-file")
    assert run(["sources", "add", "lab", "--url", URL, *signing_in, str(tmp_path / "secret")]) == 0
    assert sources.settings_of(Source.objects.get()).secret == SECRET
    monkeypatch.setattr(sys, "stdin", io.StringIO("from-stdin-value\n"))
    assert run(["sources", "change", "lab", "--secret-file", "-"]) == 0
    assert sources.settings_of(Source.objects.get()).secret == "from-stdin-value"
    assert run(["sources", "list", "--json"]) == 0
    told = "".join(capsys.readouterr())
    assert SECRET not in told
    assert "from-stdin-value" not in told
    assert '"has_secret": true' in told


def test_there_is_no_way_to_give_a_secret_as_an_argument(capsys: pytest.CaptureFixture[str]) -> None:
    for option in ("--secret", "--password", "--token"):
        said = refused(capsys, "sources", "add", "lab", "--url", URL, option, SECRET, code=3)
        assert "No such option" in said


def test_on_a_terminal_it_is_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr("click.prompt", lambda text, **options: SECRET if options["hide_input"] else "")
    assert run(["sources", "add", "lab", "--url", URL, "--auth", "token"]) == 0
    assert sources.settings_of(Source.objects.get()).secret == SECRET
    assert SECRET not in "".join(capsys.readouterr())


def test_without_one_it_says_what_is_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert "The token is missing" in refused(capsys, "sources", "add", "lab", "--url", URL, "--auth", "token")


def test_no_part_of_a_file_that_is_too_long_is_taken(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = issue("lineage").pem + "\n" * MAX_FILE
    (tmp_path / "ca").write_text(long)
    monkeypatch.setattr(sys, "stdin", io.StringIO(long))
    for option, file in (("--ca", str(tmp_path / "ca")), ("--secret-file", "-")):
        said = refused(capsys, "sources", "add", "lab", "--url", URL, "--auth", "token", option, file)
        assert "has more than 1,048,576 characters" in said
    assert not Source.objects.exists()


def test_certificates_come_from_files(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    mine = issue("lineage")
    (tmp_path / "cert").write_text(mine.pem)
    (tmp_path / "key").write_text(mine.key_pem)
    files = ("--client-certificate", str(tmp_path / "cert"), "--client-key", str(tmp_path / "key"))
    made = result(capsys, "sources", "add", "lab", "--url", URL, "--ca", str(tmp_path / "cert"), *files)
    assert [one["subject"] for one in made["ca_certificates"]] == ["CN=lineage"]
    assert sources.settings_of(Source.objects.get()).client_key_pem == mine.key_pem
    (tmp_path / "empty").write_text("")
    empty = ("--client-certificate", str(tmp_path / "empty"), "--ca", str(tmp_path / "empty"))
    changed = result(capsys, "sources", "change", "lab", *empty)
    assert (changed["client_certificates"], changed["ca_certificates"]) == ([], [])
    assert Source.objects.get().client_key_box == ""
    assert "can't be read" in refused(capsys, "sources", "change", "lab", "--ca", str(tmp_path / "nothing"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("add", "Lab", "--url", URL), "1 to 63"),
        (("add", "lab", "--url", "ftp://h"), "Expected an address"),
        (("add", "lab", "--url", URL, "--data-root", "/etc"), "storage roots"),
        (("change", "nothing", "--poll-seconds", "5"), "no source of this name"),
        (("check", "nothing"), "no source of this name"),
        (("remove", "nothing"), "no source of this name"),
        (("webhook-secret", "nothing"), "no source of this name"),
    ],
)
def test_what_is_wrong_is_one_line(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    assert said in refused(capsys, "sources", *arguments)


def test_a_name_is_used_again_only_where_it_continues(capsys: pytest.CaptureFixture[str]) -> None:
    from lineage.db.models import SourceObject

    row = {"digest": "0" * 64, "state": "present", "ended": True, "record": b"", "first_index": 1}
    SourceObject.objects.create(source="lab", kind="run", external_id="r", entry_index=1, **row)
    assert "followed before" in refused(capsys, "sources", "add", "lab", "--url", URL)
    assert run(["sources", "add", "lab", "--url", URL, "--continue"]) == 0


def test_a_webhook_secret_is_alone_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sources", "add", "lab", "--url", URL]) == 0
    capsys.readouterr()
    assert run(["sources", "webhook-secret", "lab"]) == 0
    made = capsys.readouterr()
    secret = made.out.strip()
    assert sources.webhook_secret_of(Source.objects.get()) == secret
    assert len(secret) >= 40
    assert secret not in made.err


def test_the_key_of_secrets_is_the_owner_s_alone() -> None:
    sources.new_webhook_secret(_added().name, by="os:tests")
    assert stat.S_IMODE((config.current().keys / "sources.key").stat().st_mode) == 0o600


def _added() -> Source:
    assert run(["sources", "add", "lab", "--url", URL]) == 0
    return Source.objects.get()


def test_without_sources_a_sync_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sync"]) == 0
    assert "lineage sources add" in capsys.readouterr().err
    assert "no source of this name" in refused(capsys, "sync", "nothing")


def test_the_commands_are_listed() -> None:
    assert {"sources", "sync"} <= set(main.COMMANDS)
