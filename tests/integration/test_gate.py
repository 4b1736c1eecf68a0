"""`lineage gate` and its REST call: open for what is verified, untainted and fresh; else it says why not."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from lineage.cli import server
from lineage.cli.main import run
from lineage.db.models import LogAudit
from lineage.errors import MalformedError, UnavailableError
from lineage.graph import sql_same
from lineage.graph.check_policy import CheckPolicy, Schedule
from lineage.services import decide_checks, follow, gate, reasons
from lineage.services.clock import now_us
from tests import factories
from tests.conftest import Api, problem
from tests.integration.projections import ROOT, check, key_of, observe, send

pytestmark = pytest.mark.usefixtures("log", "storage_root")

Follow = Callable[[], int]
PLACE, OTHER = f"file://{ROOT}/m.bin", f"file://{ROOT}/n.bin"
WHO = "officer@example.com"
HOUR_US = 3600 * 1_000_000
ABSENT = "sha256:" + "0" * 64


@pytest.fixture
def key() -> str:
    """An artifact that is signed for, with a copy at PLACE."""
    made = factories.artifact(downloadLocation=PLACE)
    send(factories.registered(), factories.statement(made))
    return key_of(made["name"])


def look(key: str, outcome: str, *, at: str = PLACE, hours_ago: float = 0) -> None:
    observe(check(key.partition(":")[2], at, outcome, now_us() - int(hours_ago * HOUR_US)))


def told(capsys: pytest.CaptureFixture[str], *arguments: str, code: int) -> Any:
    """The gate's JSON, after its exit code was as expected."""
    capsys.readouterr()
    assert run(["gate", *arguments, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def slugs(answer: Any, member: str = "reasons") -> list[str]:
    return [reason["slug"] for reason in answer[member]]


def test_it_is_open_for_what_is_verified_and_fresh(key: str, capsys: pytest.CaptureFixture[str]) -> None:
    look(key, "match", hours_ago=2)
    answer = told(capsys, key, code=0)
    assert (answer["verdict"], answer["status"], answer["reasons"]) == ("open", "verified", [])
    assert [copy["location"] for copy in answer["copies"]] == [PLACE]
    assert run(["gate", key]) == 0
    assert capsys.readouterr().out.startswith("Open: artifact-")
    assert told(capsys, key, "--max-age", "3h", code=0)["verdict"] == "open"
    late = told(capsys, key, "--max-age", "1h", code=1)
    assert (late["verdict"], slugs(late)) == ("closed", ["older-than-asked"])
    assert late["reasons"][0]["about"][0].startswith(f"{PLACE}: matched last ")


def test_it_names_the_copy_that_is_bad(key: str, capsys: pytest.CaptureFixture[str], graph: Follow) -> None:
    graph()
    decide_checks.add_location(key, OTHER, "a second copy", person=WHO)
    look(key, "match")
    assert slugs(told(capsys, key, code=1)) == ["never-checked"]
    look(key, "mismatch", at=OTHER)
    answer = told(capsys, key, code=1)
    assert slugs(answer) == ["copy-mismatch"]
    (about,) = answer["reasons"][0]["about"]
    assert about.startswith(f"{OTHER}, checked ")
    assert "found sha256:" + "f" * 64 in about
    assert run(["gate", key]) == 1
    said = capsys.readouterr().out
    assert "may not be deployed" in said
    assert f"- {reasons.sentence('copy-mismatch')}.\n" in said
    decide_checks.withdraw_location(key, OTHER, "thrown away", person=WHO)
    assert told(capsys, key, code=0)["verdict"] == "open"


def test_what_is_overdue_is_told_with_its_last_match(key: str, capsys: pytest.CaptureFixture[str]) -> None:
    look(key, "match", hours_ago=5)
    decide_checks.set_check_policy(CheckPolicy(Schedule(full=3600)), person=WHO)
    answer = told(capsys, key, code=1)
    assert (answer["status"], slugs(answer)) == ("expired", ["check-overdue"])
    assert "which counted until" in answer["reasons"][0]["about"][0]


def test_a_copy_that_could_not_be_read_is_a_note_while_its_match_counts(
    key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    look(key, "inconclusive", hours_ago=3)
    assert slugs(told(capsys, key, code=1)) == ["inconclusive"]
    look(key, "match", hours_ago=2)
    look(key, "inconclusive", hours_ago=1)
    assert slugs(told(capsys, key, code=0), "notes") == ["unread"]


def test_without_a_copy_it_passes_only_where_that_is_accepted(capsys: pytest.CaptureFixture[str]) -> None:
    made = factories.artifact()
    send(factories.registered(), factories.statement(made))
    key = key_of(made["name"])
    answer = told(capsys, key, code=1)
    assert (answer["status"], slugs(answer)) == ("verified", ["bytes-not-checked"])
    accepted = told(capsys, key, "--accept-unchecked", code=0)
    assert (accepted["verdict"], slugs(accepted, "notes")) == ("open", ["bytes-not-checked"])


def test_a_compromised_signer_closes_it(capsys: pytest.CaptureFixture[str]) -> None:
    lost = factories.registered(name="lost laptop")
    made = factories.artifact(downloadLocation=PLACE)
    send(lost, factories.statement(made))
    key = key_of(made["name"])
    look(key, "match")
    assert told(capsys, key, code=0)["verdict"] == "open"
    factories.revoke(lost, compromised=True)
    answer = told(capsys, key, code=1)
    assert slugs(answer)[:1] == ["signer-revoked"]
    assert (answer["tainted"], "tainted" in slugs(answer)) == (True, True)
    taint = next(reason for reason in answer["reasons"] if reason["slug"] == "tainted")
    assert "compromised key" in taint["sentence"]


def test_the_other_digests_of_the_same_bytes_count(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever is bound by somebody who is believed; copies are checked by one of them."""
    other = hashlib.sha512(b"m").hexdigest()
    made = factories.artifact(downloadLocation=PLACE)
    binder = factories.registered()
    send(binder, factories.statement({**made, "digest": {**made["digest"], "sha512": other}}))
    send(factories.registered(), factories.statement({"name": "m", "digest": {"sha512": other}}))
    key = f"sha512:{other}"
    look(key_of(made["name"]), "match")
    assert told(capsys, key, "--accept-unchecked", code=0)["verdict"] == "open"
    look(key_of(made["name"]), "mismatch")
    answer = told(capsys, key, "--accept-unchecked", code=1)
    assert (answer["status"], slugs(answer)) == ("verified", ["same-bytes"])
    assert answer["reasons"][0]["about"] == [key_of(made["name"])]
    assert "failed (copy-mismatch)" in answer["reasons"][0]["sentence"]
    factories.revoke(binder)
    assert told(capsys, key, "--accept-unchecked", code=0)["verdict"] == "open"


@pytest.mark.parametrize("most", [1_000, 100])
def test_no_number_of_false_digests_hides_one_that_failed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """Said before the true one, and disbelieved since; or so many that they are not all looked at."""
    monkeypatch.setattr(sql_same, "MOST", most)
    liar, other = factories.registered(), hashlib.sha512(b"m").hexdigest()
    false = [factories.artifact() for _ in range(250)]
    both = [{**made, "digest": {**made["digest"], "sha512": other}} for made in false]
    send(liar, factories.statement(*both))
    made = factories.artifact(downloadLocation=PLACE)
    send(factories.registered(), factories.statement({**made, "digest": {**made["digest"], "sha512": other}}))
    look(key_of(made["name"]), "mismatch")
    answer = told(capsys, f"sha512:{other}", "--accept-unchecked", code=1)
    assert ("same-bytes" in slugs(answer), len(answer["reasons"])) == (True, 1)
    assert ("not all are looked at" in answer["reasons"][0]["sentence"]) == (most == 100)
    factories.revoke(liar)
    answer = told(capsys, f"sha512:{other}", "--accept-unchecked", code=1)
    assert answer["reasons"][0]["about"] == [key_of(made["name"])]


def test_a_waiver_opens_it_and_is_told(key: str, capsys: pytest.CaptureFixture[str], graph: Follow) -> None:
    look(key, "match")
    predicate = {
        "size": 1,
        "files": [{"path": "", "size": 1}],
        "unsafe": [{"path": "", "finding": "It calls os.system."}],
    }
    subject = factories.artifact("m", key.partition(":")[2])
    kind = "urn:lineage:predicate:inventory:v1"
    send(factories.registered(), factories.statement(subject, predicate_type=kind, predicate=predicate))
    assert slugs(told(capsys, key, code=1)) == ["unsafe-format"]
    decide_checks.waive(key, "unsafe-format", now_us() + HOUR_US, "our own", person=WHO)
    answer = told(capsys, key, code=0)
    assert slugs(answer, "notes") == ["unsafe-format-waived"]
    assert answer["notes"][0]["about"] == ["It calls os.system."]


def test_what_could_not_be_told_is_no_pass(
    key: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = told(capsys, ABSENT, code=2)
    assert answer["verdict"] == "inconclusive"
    assert "No node" in answer["error"]
    look(key, "match")
    assert told(capsys, key, code=0)["verdict"] == "open"
    look(key, "mismatch")
    monkeypatch.setattr(follow, "project", lambda: 0)
    monkeypatch.setattr(gate, "WAIT_SECONDS", 0.1)
    monkeypatch.setattr(
        gate.judge, "__kwdefaults__", {**(gate.judge.__kwdefaults__ or {}), "wait_seconds": 0.1}
    )
    behind = told(capsys, key, code=2)
    assert (behind["verdict"], slugs(behind)) == ("inconclusive", ["graph-behind"])

    def away() -> list[str]:
        raise UnavailableError("The database can't be used: it is away.")

    monkeypatch.setattr(server, "pending_migrations", away)
    assert "away" in told(capsys, key, code=2)["error"]


def test_nothing_passes_while_the_log_is_known_to_be_damaged(
    key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    look(key, "match")
    found = LogAudit.objects.create(
        id=1, round_us=1, newest=0, ran_us=1, wrong="entry 3 is not what its leaf in the log says"
    )
    answer = told(capsys, key, code=2)
    assert (answer["verdict"], slugs(answer)) == ("inconclusive", ["log-damaged"])
    assert answer["reasons"][0]["sentence"].startswith("The log is damaged: entry 3 is not what")
    found.delete()
    assert told(capsys, key, code=0)["verdict"] == "open"


@pytest.mark.parametrize(
    "arguments",
    [(), ("a", "b"), ("KEY", "--max-age", "week"), ("KEY", "--max-age", "0d"), ("KEY", "--force")],
)
def test_wrong_arguments(key: str, arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["gate", *(key if argument == "KEY" else argument for argument in arguments)]) == 3
    assert "Usage" in capsys.readouterr().err


def test_only_artifacts_pass_gates(graph: Follow, capsys: pytest.CaptureFixture[str]) -> None:
    signer = factories.registered()
    graph()
    assert run(["gate", f"key:{signer.key_id}"]) == 3
    assert "no artifact but a signer" in capsys.readouterr().err
    with pytest.raises(MalformedError):
        gate.judge(f"key:{signer.key_id}")


def test_programs_are_told_the_same(api: Api, key: str, graph: Follow) -> None:
    url = f"/api/v1/nodes/{key}/gate"
    look(key, "match", hours_ago=2)
    graph()
    assert api.get(url).json()["verdict"] == "open"
    assert slugs(api.get(url, max_age="1h").json()) == ["older-than-asked"]
    look(key, "mismatch")
    assert api.get(url).json()["verdict"] == "inconclusive"
    graph()
    assert slugs(api.get(url, accept_unchecked="true").json()) == ["copy-mismatch"]
    assert problem(api.get(url, max_age="soon")) == (400, "malformed")
    assert problem(api.get(url, accept_unchecked="maybe")) == (400, "malformed")
    assert problem(api.get(url, force="true")) == (400, "malformed")
    assert problem(api.get(f"/api/v1/nodes/{ABSENT}/gate")) == (404, "not-found")
