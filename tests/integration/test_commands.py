"""The commands that work on the database, each as a person calls it, on a real log."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from lineage.broker import QUEUES
from lineage.cli.main import run
from lineage.db.models import Checkpoint, Entry, Job, Source, SourceState, User
from lineage.services import beats, project, publish, sources, tokens
from lineage.services.source_values import SourceValues
from tests import factories

pytestmark = pytest.mark.usefixtures("log")


def result(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> Any:
    """The command's JSON."""
    capsys.readouterr()
    assert run([*arguments, "--json"]) == code
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def public(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    result(capsys, "keys", "generate", "--out", str(tmp_path / "k"))
    return tmp_path / "k.pub"


def register(capsys: pytest.CaptureFixture[str], public: Path, *scopes: str) -> Any:
    return result(capsys, "keys", "register", "--name", "builder", "--public-key", str(public), *scopes)


def test_a_key_is_registered_with_its_scopes_by_a_signed_entry_that_names_the_login(
    public: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    limits = ("--predicate-type", factories.SLSA_V1, "--builder", "b", "--subject", "m-*", "--kind", "model")
    window = ("--not-before", "2020-01-01", "--not-after", "2120-01-01T00:00:00Z")
    done = register(capsys, public, *limits, *window)
    index = done["entry"]["index"]
    assert Entry.objects.get(pk=index).kind == "decision"
    found = [key for key in result(capsys, "keys", "list")["keys"] if key["key_id"] == done["key_id"]]
    assert [(key["name"], key["state"], key["index"]) for key in found] == [("builder", "in-force", index)]
    assert found[0]["scopes"] == {
        "any": False,
        "predicate_types": [factories.SLSA_V1],
        "builders": ["b"],
        "subjects": ["m-*"],
        "kinds": ["model"],
    }
    assert (found[0]["not_before_us"], found[0]["not_after_us"]) == (1577836800000000, 4733510400000000)


def test_a_key_is_registered_once(public: Path, capsys: pytest.CaptureFixture[str]) -> None:
    register(capsys, public, "--any")
    assert run(["keys", "register", "--name", "again", "--public-key", str(public), "--any"]) == 1
    assert "registered already" in capsys.readouterr().err


def test_a_revoked_key_is_listed_as_revoked(public: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key_id = register(capsys, public, "--any")["key_id"]
    reason = ("--reason", "left the company")
    result(capsys, "keys", "revoke", key_id, "--from", "2026-01-01", *reason, "--compromised")
    states = {key["key_id"]: key["state"] for key in result(capsys, "keys", "list")["keys"]}
    assert states[key_id] == "compromised"
    assert run(["keys", "revoke", "f" * 64, "--from", "now", *reason]) == 1
    assert "No key" in capsys.readouterr().err


def test_an_api_key_is_printed_alone_and_works_until_it_is_revoked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    create = [
        "tokens",
        "create",
        "--name",
        "ci",
        "--scope",
        "attest",
        "--scope",
        "read",
        "--expires",
        "2120-01-01",
    ]
    assert run(create) == 0
    secret = capsys.readouterr().out.strip()
    token = tokens.authenticate(secret)
    assert (token.name, token.scopes) == ("ci", "attest read")
    assert token.created_by.startswith("os:")
    (row,) = result(capsys, "tokens", "list")["tokens"]
    assert row["state"] == "in-force"
    assert secret not in json.dumps(row)
    assert result(capsys, "tokens", "revoke", row["prefix"])["state"] == "revoked"
    assert run(["tokens", "revoke", "lin_nothing"]) == 1
    assert run(["tokens", "create", "--name", "ci", "--scope", "everything"]) == 1


def test_lost_second_factors_are_removed(capsys: pytest.CaptureFixture[str]) -> None:
    from allauth.mfa.models import Authenticator

    person, other = factories.user("officer"), factories.user("officer")
    for user in (person, other):
        Authenticator.objects.create(user=user, type="totp", data={"secret": "box"})
    assert result(capsys, "users", "reset-factors", person.email.upper())["removed"] == 1
    assert [row.user for row in Authenticator.objects.all()] == [other]
    assert run(["users", "reset-factors", "nobody@example.com"]) == 1


def test_a_rotated_key_leaves_the_old_secret_for_a_while(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["tokens", "create", "--name", "ci", "--scope", "read"]) == 0
    old = capsys.readouterr().out.strip()
    prefix = tokens.authenticate(old).prefix
    rotated = result(capsys, "tokens", "rotate", f"lin_{prefix}", "--overlap", "1h")
    assert rotated["replaces"] == rotated["replaced"]["prefix"] == f"lin_{prefix}"
    assert rotated["replaced"]["state"] == "in-force"
    assert tokens.authenticate(rotated["token"]).name == tokens.authenticate(old).name == "ci"
    assert run(["tokens", "rotate", prefix]) == 1  # there is one in its place
    assert run(["tokens", "rotate", prefix, "--overlap", "soon"]) == 3


def test_a_person_is_created_with_the_password_from_stdin(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("correct horse battery\n"))
    assert run(["users", "create", "Ann@Example.org", "--role", "officer", "--password-stdin"]) == 0
    user = User.objects.get(email="ann@example.org")
    assert (user.role, user.check_password("correct horse battery")) == ("officer", True)
    assert "battery" not in "".join(capsys.readouterr())


def test_without_a_terminal_a_password_is_made_and_printed_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert run(["users", "create", "bob@example.org", "--role", "auditor"]) == 0
    password = capsys.readouterr().out.strip()
    assert User.objects.get(email="bob@example.org").check_password(password)


@pytest.mark.parametrize(
    ("email", "password", "words"),
    [("nobody", "correct horse battery", "valid email"), ("c@example.org", "short", "too short")],
)
def test_an_account_that_can_not_be_is_refused(
    email: str,
    password: str,
    words: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{password}\n"))
    assert run(["users", "create", email, "--role", "auditor", "--password-stdin"]) == 1
    assert words in capsys.readouterr().err
    assert not User.objects.exists()


def test_an_address_has_one_account(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for code in (0, 1):
        monkeypatch.setattr(sys, "stdin", io.StringIO("correct horse battery\n"))
        assert run(["users", "create", "d@example.org", "--role", "auditor", "--password-stdin"]) == code
    assert "has an account already" in capsys.readouterr().err


def test_the_logs_key_verifies_its_checkpoint(capsys: pytest.CaptureFixture[str]) -> None:
    from lineage.trust import checkpoint

    assert run(["log", "checkpoint"]) == 1
    assert "No checkpoint" in capsys.readouterr().err
    publish.publish_once()
    key = result(capsys, "log", "key")["verifier_key"]
    found = result(capsys, "log", "checkpoint")
    assert checkpoint.verify(found["note"].encode(), key).size == found["size"] == 1
    assert run(["log", "checkpoint"]) == 0
    assert capsys.readouterr().out == bytes(Checkpoint.objects.get().note).decode()


def test_a_rebuilt_graph_is_counted_as_before(public: Path, capsys: pytest.CaptureFixture[str]) -> None:
    register(capsys, public, "--any")
    while project.project_pending():
        pass
    before = result(capsys, "graph", "stats")
    assert (before["entries"], before["projected"], before["skipped"]) == (2, 2, 0)
    assert before["nodes"]["signer"] == 5
    assert result(capsys, "graph", "rebuild") == {"entries": 2}
    assert result(capsys, "graph", "stats") == before


def test_the_doctor_says_what_to_do_until_all_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    findings = {each["check"]: each for each in result(capsys, "doctor", code=1)}
    assert not findings["log"]["ok"]
    assert not findings["graph"]["ok"]
    assert "lineage up" in findings["log"]["words"]
    assert "Nobody has looked after graph, short, sync, long" in findings["worker"]["words"]
    publish.publish_once()
    project.project_pending()
    beats._written.clear()
    for queue in QUEUES:
        beats.beat(queue)
    findings = {each["check"]: each for each in result(capsys, "doctor")}
    assert all(each["ok"] for each in findings.values())
    assert len(findings) == 20
    assert findings["sources"]["words"] == "no MLflow server is followed"


def test_the_doctor_names_a_source_that_fails_and_one_whose_secret_is_lost(
    capsys: pytest.CaptureFixture[str],
) -> None:
    values = SourceValues(url="https://mlflow.example.com", auth="token", secret="first-secret-value")
    sources.add("lab", values, by="os:tests")
    SourceState.objects.create(source="lab", failures=2, error="The server did not answer.")
    finding = {each["check"]: each for each in result(capsys, "doctor", code=1)}["sources"]
    assert "lab is failing, its last sync never: The server did not answer" in finding["words"]
    assert "lineage sources check lab" in finding["words"]
    Source.objects.update(secret_box="")
    SourceState.objects.all().delete()
    finding = {each["check"]: each for each in result(capsys, "doctor", code=1)}["sources"]
    assert (finding["ok"], finding["words"]) == (True, "lab waiting")
    Source.objects.update(secret_box="of another key")
    finding = {each["check"]: each for each in result(capsys, "doctor", code=1)}["sources"]
    assert "can't be decrypted with sources.key" in finding["words"]


def test_the_doctor_tells_of_failed_jobs(capsys: pytest.CaptureFixture[str]) -> None:
    Job.objects.create(
        kind="tidy", queue="short", due_us=0, max_attempts=5, created_us=0, state="failed", error="disk full"
    )
    finding = {each["check"]: each for each in result(capsys, "doctor", code=1)}["jobs"]
    assert not finding["ok"]
    assert "1 have failed, the newest: tidy: disk full" in finding["words"]


def test_the_doctor_finds_a_key_that_others_may_read(capsys: pytest.CaptureFixture[str]) -> None:
    from lineage.config import current

    path = current().keys / "log.pem"
    path.chmod(0o644)
    try:
        findings = {each["check"]: each for each in result(capsys, "doctor", code=1)}
    finally:
        path.chmod(0o600)
    assert not findings["keys"]["ok"]
    assert "log.pem" in findings["keys"]["words"]


def test_manage_py_has_the_same_commands(capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    call_command("keys", "list")
    assert "platform" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stopped:
        call_command("keys", "bogus")
    assert stopped.value.code == 3
