"""Decisions about one artifact at the command line, each as a person calls it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.management import call_command, get_commands

from lineage.cli.main import COMMANDS, run
from lineage.db.models import Copy, Entry, Storage
from lineage.services import artifact_decided, as_of, decision_records
from lineage.services.artifact_decided import ArtifactDecided
from tests import factories
from tests.integration.projections import ROOT, send

pytestmark = pytest.mark.usefixtures("log", "storage_root")

NAME = "decided at the command line"
KEY = f"sha256:{factories.sha256(NAME)}"
PLACE = f"file://{ROOT}/decided.bin"
WITHOUT_DATABASE = {
    "attest",
    "hash",
    "healthy",
    "predicates",
    "prepare",
    "send-spooled",
    "services",
    "verify",
    "verify-layout",
}
"""Commands that need no `manage.py`, or come before it."""


@pytest.fixture
def known() -> None:
    """It is in the log alone: each command brings the graph up to it."""
    send(factories.registered(), factories.statement(factories.artifact(NAME, factories.sha256(NAME))))


def done(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    capsys.readouterr()
    assert run([*arguments, "--reason", "told so", "--json"]) == 0
    said = capsys.readouterr()
    receipt = json.loads(said.out)
    assert f"by entry {receipt['index']} of the log." in said.err
    decision = decision_records.one(receipt["index"])
    assert decision.person.startswith("os:")
    assert json.loads(bytes(decision.body))["reason"] == "told so"
    return decision.action


def decided() -> ArtifactDecided:
    return artifact_decided.of_node(KEY, as_of.resolve(None))


def test_a_copy_is_added_and_withdrawn(capsys: pytest.CaptureFixture[str], known: None) -> None:
    assert done(capsys, "locations", "add-copy", KEY, PLACE) == "add-location"
    assert Copy.objects.get().location == PLACE
    assert done(capsys, "locations", "withdraw-copy", KEY, PLACE) == "withdraw-location"
    assert not Copy.objects.exists()
    assert run(["locations", "withdraw-copy", KEY, PLACE, "--reason", "again"]) == 1
    assert "is withdrawn already" in capsys.readouterr().err


def test_a_finding_is_waived(capsys: pytest.CaptureFixture[str], known: None) -> None:
    assert done(capsys, "waive", KEY, "unsafe-format", "--until", "2199-12-31") == "waive"
    waiver = decided().waiver
    assert waiver is not None
    assert (waiver.until, waiver.by.reason) == ("2199-12-31T00:00:00.000000Z", "told so")
    assert done(capsys, "waive", KEY, "unsafe-format", "--for-ever") == "waive"
    waiver = decided().waiver
    assert waiver is not None
    assert waiver.until == ""


def test_how_critical_it_is(capsys: pytest.CaptureFixture[str], known: None) -> None:
    assert done(capsys, "criticality", KEY, "high") == "criticality"
    assert decided().level == "high"
    assert run(["criticality", KEY, "low", "--reason", "it is not used any more"]) == 0
    assert capsys.readouterr().out.strip().isdigit()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("criticality", KEY, "extreme", "--reason", "r"), 3, "extreme"),
        (("criticality", KEY, "high"), 3, "--reason"),
        (("criticality", KEY, "high", "--reason", ""), 3, "printable line"),
        (("criticality", "run:aa", "high", "--reason", "r"), 3, "Only an artifact"),
        (("criticality", f"sha256:{'0' * 64}", "high", "--reason", "r"), 1, "no"),
        (("waive", KEY, "copy-mismatch", "--for-ever", "--reason", "r"), 3, "copy-mismatch"),
        (("waive", KEY, "unsafe-format", "--reason", "r"), 3, "--for-ever"),
        (
            ("waive", KEY, "unsafe-format", "--for-ever", "--until", "2199-01-01", "--reason", "r"),
            3,
            "one of",
        ),
        (("waive", KEY, "unsafe-format", "--until", "2020-01-01", "--reason", "r"), 3, "in the future"),
        (("waive", KEY, "unsafe-format", "--until", "soon", "--reason", "r"), 3, "soon"),
        (("locations", "add-copy", KEY, "s3://nowhere/x", "--reason", "r"), 3, "in no storage"),
        (("locations", "withdraw-copy", KEY, PLACE, "--reason", "r"), 1, "Nobody has stated"),
    ],
    ids=lambda value: "_".join(value[:1] + value[2:3]) if isinstance(value, tuple) else None,
)
def test_what_can_not_be_decided(
    capsys: pytest.CaptureFixture[str], known: None, arguments: tuple[str, ...], code: int, words: str
) -> None:
    before = Entry.objects.count()
    capsys.readouterr()
    assert run(list(arguments)) == code
    said = capsys.readouterr()
    assert words in said.err
    assert said.out == ""
    assert Entry.objects.count() == before


def test_a_copy_in_a_paused_storage_is_said_not_to_be_read(
    capsys: pytest.CaptureFixture[str], known: None
) -> None:
    """Exit code 1 for who asks for that artifact; who asks for all is told, and that is no failure."""
    Storage.objects.create(
        name="apart", kind="s3", uri="s3://apart", paused=True, created_us=1, created_by="tests"
    )
    assert run(["locations", "add-copy", KEY, "s3://apart/x", "--reason", "it lies there"]) == 0
    capsys.readouterr()
    assert run(["reverify", KEY]) == 1
    assert "apart is paused: 1 copy not read" in capsys.readouterr().out
    assert run(["reverify", "--all"]) == 0
    assert "apart is paused: 1 copy not read" in capsys.readouterr().out


def test_manage_py_has_every_command_that_works_on_the_database(
    capsys: pytest.CaptureFixture[str], known: None
) -> None:
    ours = {name for name, room in get_commands().items() if room == "lineage"}
    assert {name.replace("-", "_") for name in COMMANDS.keys() - WITHOUT_DATABASE} - ours == set()
    call_command("criticality", KEY, "high", "--reason=as an operator")
    assert decided().level == "high"
    with pytest.raises(SystemExit) as stopped:
        call_command("check_policy", "bogus")
    assert stopped.value.code == 3
