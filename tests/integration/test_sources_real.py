"""Sources against a real MLflow server: tried, synced, shown, and announced to by MLflow's own code."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from lineage.cli.main import run
from lineage.db.models import Entry, Job
from lineage.localservices import mlflow
from lineage.localservices.service import LocalService
from lineage.services import source_check, source_records, sources
from lineage.services.source_values import SourceValues
from tests import factories, forks
from tests.mlflow_rest import Rest
from tests.relay import relay
from tests.services import unavailable

pytestmark = pytest.mark.usefixtures("log")

DELIVER = """
import json, sys
import requests
from mlflow.entities.webhook import Webhook, WebhookEvent
from mlflow.webhooks.delivery import _send_webhook_request
url, *secrets = sys.argv[1:]
event = WebhookEvent("model_version", "created")
payload = {"name": "m\\u00e9", "version": "1", "source": "models:/m-1", "run_id": None, "tags": {}}
for secret in secrets:
    webhook = Webhook("w-1", "lineage", url, [event], 1, 1, secret=secret)
    answer = _send_webhook_request(webhook, payload, event, requests.Session())
    print(json.dumps([answer.status_code, answer.json()]))
"""
"""MLflow's own way of sending a webhook, to the address of the first argument with each of the secrets."""


def result(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> Any:
    """The command's JSON."""
    capsys.readouterr()
    assert run([*arguments, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def lines(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    capsys.readouterr()
    assert run(list(arguments)) == 0
    return capsys.readouterr().out.splitlines()


def test_a_server_is_tried_looked_at_dry_and_synced_by_commands(
    emptied_mlflow: LocalService, capsys: pytest.CaptureFixture[str], graph: Callable[[], int]
) -> None:
    rest = Rest(emptied_mlflow.url)
    first = rest.run(name="train")
    rest.param(first, "lr", "0.1")
    rest.finish(first)
    result(capsys, "sources", "add", "lab", "--url", emptied_mlflow.url)
    tried = result(capsys, "sources", "check", "lab")
    assert (tried["ok"], tried["version"][:5], tried["experiments"]) == (True, "3.17.", 1)
    entries = Entry.objects.count()
    told = lines(capsys, "sync", "lab", "--dry-run")
    assert any(f"mlflow:lab/run/{first}" in line for line in told)
    assert Entry.objects.count() == entries, "a dry run records nothing"
    (done,) = result(capsys, "sync")
    assert (done["state"], done["key"]) == ("done", "lab")
    assert Entry.objects.count() == entries + len(told)
    assert result(capsys, "sync", "lab")[0]["result"]["recorded"] == 0, "nothing is recorded twice"
    rest.tag(first, "approved", "yes")
    assert result(capsys, "sync", "lab", "--sweep")[0]["result"]["recorded"] >= 1
    graph()
    record = source_records.read("lab")
    assert (record.sync.state, record.sync.server_version, record.changed) == (
        "following",
        tried["version"],
        1,
    )
    client = Client()
    client.force_login(factories.user("auditor"), "allauth.account.auth_backends.AuthenticationBackend")
    page = client.get("/sources/lab").content.decode()
    (changed,) = source_records.changed("lab")
    assert (changed.kind, changed.id, changed.name) == ("run", first, "train")
    for address in (f"/runs/{changed.run}", f"/attestations/{changed.statement}"):
        assert f'href="{address}"' in page
        assert client.get(address).status_code == 200


def test_a_server_that_is_stopped_is_told_and_nothing_is_lost(
    emptied_mlflow: LocalService, capsys: pytest.CaptureFixture[str]
) -> None:
    rest = Rest(emptied_mlflow.url)
    rest.finish(rest.run())
    with relay(emptied_mlflow.url) as between:  # at its end nothing listens on this port any more
        result(capsys, "sources", "add", "lab", "--url", f"http://{between.authority}")
        result(capsys, "sync", "lab")
        recorded = source_records.read("lab").objects
    (failed,) = result(capsys, "sync", "lab", code=1)
    assert failed["state"] == "failed"
    tried = result(capsys, "sources", "check", "lab", code=1)
    assert (tried["ok"], tried["problem"]) == (False, "unreachable")
    record = source_records.read("lab")
    assert (record.sync.state, record.sync.failures, record.objects) == ("failing", 1, recorded)
    assert record.sync.error


def test_a_password_is_used_and_a_wrong_one_told(
    mlflow_with_users: LocalService, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = mlflow_with_users
    assert isinstance(server, mlflow.Mlflow)
    (tmp_path / "secret").write_text(server.password)
    signing_in = ("--auth", "basic", "--username", mlflow.ADMIN)
    file = ("--secret-file", str(tmp_path / "secret"))
    result(capsys, "sources", "add", "lab", "--url", server.url, *signing_in, *file)
    assert result(capsys, "sources", "check", "lab")["ok"]
    sources.change("lab", SourceValues(secret="wrong-password-value"), by="os:tests")
    tried = source_check.check(sources.find("lab"))
    assert (tried.ok, tried.problem) == (False, "unauthorized")
    assert "wrong-password-value" not in tried.reason
    assert server.password not in "".join(capsys.readouterr())


def test_what_is_no_mlflow_is_told(capsys: pytest.CaptureFixture[str], live_server: Any) -> None:
    result(capsys, "sources", "add", "lab", "--url", f"{live_server.url}/accounts/login")
    tried = result(capsys, "sources", "check", "lab", code=1)
    assert (tried["ok"], tried["version"]) == (False, "")
    assert tried["problem"] in {"not-mlflow", "bad-answer"}


def test_mlflow_s_own_webhooks_are_genuine(live_server: Any, tmp_path: Path) -> None:
    if find_spec("mlflow") is None:
        unavailable("MLflow is not installed.")
    cache.clear()
    sources.add("lab", SourceValues(url="https://mlflow.example.com"), by="os:tests")
    secret = sources.new_webhook_secret("lab", by="os:tests")
    environment = {
        **os.environ,
        "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http",
        "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true",
    }

    address = f"{live_server.url}/api/v1/interop/mlflow/lab"
    done = forks.run(
        ["-c", DELIVER, address, secret, secret, "another-secret-entirely"],
        env=environment,
        cwd=tmp_path,
        program=forks.MLFLOW,
    )
    assert done.returncode == 0, done.stderr
    first, second, third = map(json.loads, done.stdout.splitlines())
    job = Job.objects.get(kind="sync", key="lab")
    assert first == second == [202, {"job": job.pk}]
    assert third[0] == 401
