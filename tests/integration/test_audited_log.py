"""The audit reads the whole log or a part of it, and says what it read."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from click.testing import CliRunner

from lineage.cli.log import command as log_command
from lineage.db.log import Checkpoint, LogHead
from lineage.errors import MalformedError
from lineage.services import intake, log_audit, publish, redact
from tests import factories
from tests.integration.projections import RandomLog
from tests.integration.thefts import as_thief, grown, no_envelope

pytestmark = pytest.mark.usefixtures("log")


def test_a_whole_log_agrees_with_itself() -> None:
    grown(40)
    factories.registered()
    assert publish.publish_once() is not None
    RandomLog(4).grow(5)
    head = LogHead.objects.get(pk=1)
    seen: list[int] = []
    report = log_audit.audit(report=lambda done, total: seen.append(done))
    assert report.wrong == ""
    assert (report.start, report.size, report.read, report.redacted) == (0, head.size, head.size, 0)
    assert report.checkpoints == Checkpoint.objects.count()
    assert report.published == publish.published_size() < head.size
    assert "agrees with itself" in report.sentence()
    assert log_audit.audit(start=head.size - 3).root_hash == report.root_hash


def test_a_part_is_read_with_the_leaves_before_it() -> None:
    grown(20)
    size = LogHead.objects.get(pk=1).size
    report = log_audit.audit(start=size - 5)
    assert (report.wrong, report.read, report.start) == ("", 5, size - 5)
    assert log_audit.audit(start=size).wrong == ""
    with pytest.raises(MalformedError, match="can't begin at"):
        log_audit.audit(start=size + 1)


def test_what_was_redacted_is_no_damage(graph: Callable[[], int]) -> None:
    signer = factories.registered()
    subject = factories.artifact("gone", factories.sha256("gone"))
    made = factories.statement(subject)
    receipt = intake.submit(signer.envelope(made), token="t").receipt
    grown(3)
    graph()
    redact.redact([receipt.digest], "asked by the person it names", person="os:test")
    report = log_audit.audit()
    assert (report.wrong, report.redacted) == ("", 1)
    assert "of 1 the bytes were redacted" in report.sentence()


def test_the_command_names_the_damage_and_fails() -> None:
    grown(20)
    assert CliRunner().invoke(log_command, ["audit"]).exit_code == 0
    with as_thief() as steal:
        expected = no_envelope(steal)
    damaged = CliRunner().invoke(log_command, ["audit", "--json"])
    assert damaged.exit_code == 1
    assert expected in json.loads(damaged.stdout)["wrong"]
