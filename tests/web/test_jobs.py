"""The page of jobs: queue, progress, reasons, retry, and the alarm when nobody looks after a queue."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from lineage.db.models import Job, WorkerBeat
from lineage.services import jobs
from lineage.services.clock import now_us
from tests import factories
from tests.web.conftest import PASSWORD, sign_in

KEY = "sha256:" + "5" * 64


def make(state: str, **fields: Any) -> Job:
    now = now_us()
    values: dict[str, Any] = {
        "kind": "reverify", "key": KEY, "queue": "long", "due_us": now, "created_us": now, "max_attempts": 5,
        "state": state,
    }  # fmt: skip
    return Job.objects.create(**{**values, **fields})


def beat_all(age_seconds: float = 0.0) -> None:
    for name in ("graph", "short", "sync", "long"):
        at = now_us() - round(age_seconds * 1e6)
        WorkerBeat.objects.update_or_create(name=name, defaults={"at_us": at})


def page(client: Client, address: str = "/jobs") -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def test_without_jobs_it_says_what_to_do(auditor: Client) -> None:
    beat_all()
    text = page(auditor)
    assert "No job has been done yet" in text
    assert "lineage reverify --all" in text
    assert "Nobody has" not in text


def test_each_state_is_shown_with_what_matters(operator: Client) -> None:
    beat_all()
    make("queued", key="due", requested_by="os:ann", error="UnavailableError: away")
    running = {"progress_done": 30, "progress_total": 90, "note": "file:///srv/m", "worker": "node-1:77"}
    make("running", key="all", lease_until_us=now_us() + 10**9, started_us=now_us(), attempts=1, **running)
    make("failed", error="OSError: disk", attempts=5, finished_us=now_us())
    make("done", result={"match": 3, "files_again": "", "checked": 3}, finished_us=now_us())
    text = page(operator)
    for words in ("os:ann", "UnavailableError: away", "33 %", "file:///srv/m", "node-1:77", "OSError: disk",
                  "5 of 5", "checked: 3, match: 3"):  # fmt: skip
        assert words in text, words
    assert "files again" not in text


def test_a_silent_worker_is_told(auditor: Client) -> None:
    make("running", lease_until_us=1, started_us=1, attempts=1)
    assert "silent for longer than its lease" in page(auditor)


@pytest.mark.parametrize(("age", "late"), [(29.0, False), (45.0, True)])
def test_an_old_beat_is_an_alarm(auditor: Client, age: float, late: bool) -> None:
    beat_all(age)
    text = page(auditor)
    assert ("Nobody has looked after the queue “long” for 45 seconds" in text) is late
    assert ("Start the worker" in text) is late


def test_no_beat_at_all_is_an_alarm(auditor: Client) -> None:
    assert "Nobody has ever looked after the queue “graph”" in page(auditor)


def test_only_an_operator_retries(person: Callable[[str], Client]) -> None:
    job = make("failed", error="OSError: disk", attempts=5, finished_us=now_us())
    for role in ("auditor", "officer"):
        client = person(role)
        assert "Retry" not in page(client)
        assert client.post(f"/jobs/{job.pk}/retry").status_code == 403
    operator = person("operator")
    assert f'action="/jobs/{job.pk}/retry"' in page(operator)
    answer = operator.post(f"/jobs/{job.pk}/retry", follow=True)
    assert f"Job {job.pk} is in line again" in answer.content.decode()
    job.refresh_from_db()
    assert (job.state, job.attempts) == ("queued", 0)
    assert operator.post(f"/jobs/{job.pk}/retry").status_code == 409
    assert operator.post("/jobs/999999/retry").status_code == 404
    assert operator.get(f"/jobs/{job.pk}/retry").status_code == 405


def test_a_retry_needs_its_csrf_token(log: None) -> None:
    job = make("failed", finished_us=now_us())
    client = Client(enforce_csrf_checks=True)
    client.force_login(factories.user("operator"), "allauth.account.auth_backends.AuthenticationBackend")
    assert client.post(f"/jobs/{job.pk}/retry").status_code == 403
    job.refresh_from_db()
    assert job.state == "failed"


def test_the_moving_part_is_a_part(auditor: Client) -> None:
    text = page(auditor, "/jobs?part=lists")
    assert "<html" not in text
    assert 'hx-trigger="every 10s"' in text
    jobs.enqueue("reverify", "all")
    assert 'hx-trigger="every 2s"' in page(auditor, "/jobs?part=lists")


@pytest.mark.service
def test_in_a_browser_progress_moves_and_a_retry_works(
    log: None, watched: Any, live_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    beat_all()
    monkeypatch.setattr("lineage.web.jobs.BUSY_SECONDS", 1)
    failed = make("failed", error="OSError: disk", attempts=5, finished_us=now_us())
    running = make("running", key="all", progress_done=10, progress_total=100, started_us=now_us(),
                   lease_until_us=now_us() + 10**12, attempts=1, note="file:///srv/models/a.bin")  # fmt: skip
    sign_in(watched, live_server.url, factories.user("operator", PASSWORD).email)
    watched.goto(f"{live_server.url}/jobs")
    bar = watched.get_by_label(f"Progress of job {running.pk}")
    assert bar.get_attribute("value") == "10"
    Job.objects.filter(pk=running.pk).update(progress_done=60)
    watched.wait_for_selector(f'progress[aria-label="Progress of job {running.pk}"][value="60"]')
    watched.click(f"#retry-{failed.pk}")
    watched.wait_for_selector(f"text=Job {failed.pk} is in line again")
    failed.refresh_from_db()
    assert failed.state == "queued"
