"""Exit codes, laziness and words of the command line as a whole."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from lineage.cli import exits, main
from lineage.errors import ConfigurationError, LineageError, MalformedError


def test_every_command_is_there_and_named_as_it_is_called() -> None:
    for name, module in main.COMMANDS.items():
        command = importlib.import_module(module).command
        assert isinstance(command, click.Command), name
        assert command.help, name


def _each(command: click.Command, path: tuple[str, ...]) -> list[tuple[tuple[str, ...], click.Command]]:
    if isinstance(command, click.Group):
        return [leaf for name, below in command.commands.items() for leaf in _each(below, (*path, name))]
    return [(path, command)]


def test_every_command_that_gives_a_result_gives_json() -> None:
    leaves = [
        leaf
        for name, module in main.COMMANDS.items()
        for leaf in _each(importlib.import_module(module).command, (name,))
    ]
    assert len(leaves) > 15
    without = {path for path, command in leaves if not any("--json" in p.opts for p in command.params)}
    # A process, two whose result is their exit code, and one whose result is a file in the format asked for.
    assert without == {("worker",), ("healthy",), ("prepare",), ("export",)}


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["bogus"],
        ["--bogus"],
        ["hash"],
        ["hash", "/does/not/exist"],
        ["verify"],
        ["keys"],
        ["keys", "bogus"],
        ["keys", "revoke", "abc", "--from", "yesterday", "--reason", "r"],
        ["keys", "register", "--name", "n", "--public-key", "f"],
        ["keys", "register", "--name", "n", "--public-key", "f", "--any", "--kind", "model"],
        ["up", "--port", "99999"],
        ["users", "create", "a@example.org", "--role", "king"],
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_3_with_words_on_stderr_alone(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(arguments) == exits.EXIT_USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert "lineage" in err


@pytest.mark.parametrize("arguments", [["--help"], ["keys", "--help"], ["--version"]])
def test_help_is_a_result(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(arguments) == 0
    out, err = capsys.readouterr()
    assert "lineage" in out
    assert err == ""


def test_an_error_is_one_line_with_what_where_and_what_to_do() -> None:
    error = MalformedError("It is\nwrong.", where="$.a", hint="Mend it")
    assert exits.sentence(error) == "It is wrong (at $.a). Mend it."
    assert exits.sentence(LineageError("../x is wrong")) == "../x is wrong."


@pytest.mark.parametrize(("error", "code"), [(LineageError("no"), 1), (ConfigurationError("no"), 3)])
def test_an_error_that_a_command_raises_is_its_exit_code(
    error: LineageError, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command()
    def failing() -> None:
        raise error

    monkeypatch.setattr(importlib.import_module("lineage.cli.hash"), "command", failing)
    assert main.run(["hash"]) == code
    assert capsys.readouterr() == ("", "lineage: no.\n")


_LOADED = """
import sys, json
from lineage.cli.main import run
code = run(sys.argv[1:])
server = {"django", "rest_framework", "granian"}
print(json.dumps([code, sorted(module for module in sys.modules if module.split(".")[0] in server)]))
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["hash", __file__],
        ["verify", __file__],
        ["keys", "generate", "--out", "/does/not/exist/k"],
        ["--help"],
    ],
    ids=" ".join,
)
def test_thin_commands_import_nothing_of_the_server(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _LOADED, *arguments], capture_output=True, text=True, check=True
    )
    _, loaded = json.loads(done.stdout.splitlines()[-1])
    assert loaded == []


def test_several_web_processes_need_one_secret(tmp_path: Path) -> None:
    environment = {"LINEAGE_HOME": str(tmp_path), "LINEAGE_WEB_WORKERS": "2", "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, "-m", "lineage.cli.web"],
        check=False,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 3
    assert "LINEAGE_SECRET_KEY" in done.stderr
