"""Redacting, holding and retention at the command line, each as a person calls it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lineage.cli.main import run
from lineage.db.models import Entry, Envelope
from lineage.services import decision_records, project
from tests import factories
from tests.integration.projections import send

pytestmark = pytest.mark.usefixtures("log")


@pytest.fixture
def sent() -> str:
    """The digest of an attestation's envelope, which the graph has not followed yet."""
    index = send(factories.registered(), factories.statement(factories.artifact("model")))
    return f"sha256:{Entry.objects.get(pk=index).envelope_digest}"


def done(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    """The decision's action, from its receipt."""
    capsys.readouterr()
    assert run([*arguments, "--reason", "told so", "--json"]) == 0
    decision = decision_records.one(json.loads(capsys.readouterr().out)["index"])
    assert decision.person.startswith("os:")
    return decision.action


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    capsys.readouterr()
    assert run([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def stored(digest: str) -> bool:
    return Envelope.objects.filter(entry__envelope_digest=digest.removeprefix("sha256:")).exists()


def test_an_envelope_is_redacted_once(capsys: pytest.CaptureFixture[str], sent: str) -> None:
    assert done(capsys, "redact", sent, "--yes") == "redact"
    assert not stored(sent)
    assert project.watermark() == Entry.objects.count(), "the graph is made anew"
    assert run(["redact", sent, "--yes", "--reason", "again"]) == 1
    assert "is redacted already" in capsys.readouterr().err
    assert run(["redact", "sha256:zz", "--yes", "--reason", "no digest"]) == 3


def test_a_hold_stands_until_it_is_released(capsys: pytest.CaptureFixture[str], sent: str) -> None:
    assert done(capsys, "holds", "place", "case 7", "--envelope", sent) == "hold"
    assert run(["redact", sent, "--yes", "--reason", "why"]) == 1
    assert "covers it" in capsys.readouterr().err
    (hold,) = told(capsys, "holds", "list")
    assert (hold["name"], hold["envelopes"]) == ("case 7", [sent])
    assert run(["holds", "list"]) == 0
    assert "case 7" in capsys.readouterr().out
    assert done(capsys, "holds", "release", str(hold["decided"]["index"])) == "release-hold"
    assert told(capsys, "holds", "list") == []
    assert stored(sent)


def test_a_policy_is_adopted_and_followed(
    capsys: pytest.CaptureFixture[str], sent: str, tmp_path: Path
) -> None:
    assert told(capsys, "retention", "show") is None
    file = tmp_path / "classes.json"
    file.write_text(json.dumps([{"name": "all", "days": 30, "kinds": ["attestation"]}]))
    assert done(capsys, "retention", "adopt", str(file)) == "retention"
    assert told(capsys, "retention", "show")["classes"][0]["days"] == 30
    assert told(capsys, "retention", "apply") == {"decided": 0, "kept_all_the_same": 0, "erased": 0}
    assert stored(sent)
    for text in ("[", '[{"name": "x", "days": "1"}]', "[" * 200_000):
        file.write_text(text)
        assert run(["retention", "adopt", str(file), "--reason", "wrong"]) == 3
