"""The pages of sources: what they tell, what operators can do, and that no secret is ever on one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.test import Client

from lineage import config
from lineage.db.models import Job, Source, SourceObject, SourceProblem, SourceState
from lineage.services import mlflow_state, source_check, sources
from lineage.services.clock import now_us
from lineage.services.source_check import SourceCheck
from lineage.services.source_values import SourceValues
from tests import factories
from tests.certificates import issue
from tests.web.axe import violations
from tests.web.conftest import PASSWORD, sign_in
from tests.web.tab import NARROW

URL = "https://mlflow.example.com"
SECRET, OTHER = "first-secret-value", "second-secret-value"
S = 1_000_000
NUMBERS = {
    "poll_seconds": "30", "sweep_seconds": "86400", "rehash_seconds": "604800", "requests_per_second": "50",
    "max_file_bytes": "1000000",
}  # fmt: skip


def add(name: str = "lab", **values: Any) -> Source:
    return sources.add(name, SourceValues(**{"url": URL, **values}), by="ann@example.com")


def followed(name: str = "lab") -> None:
    """A source with something of everything that its page tells."""
    add(name, auth="basic", username="lineage", secret=SECRET, ca_pem=issue("Example CA").pem)
    now = now_us()
    SourceState.objects.create(
        source=name,
        server_version="3.17.2",
        polled_us=now - 7 * S,
        swept_us=now - 3600 * S,
        tried_us=now - 8 * S,
    )
    kinds = ("experiment", "run", "run-files", "logged-model", "model-version", "provenance")
    for number, kind in enumerate(kinds * 2):
        SourceObject.objects.create(
            source=name, kind=kind, external_id=f"id-{number}", digest="0" * 64, ended=True, first_index=0,
            state="present" if number % 5 else "deleted", entry_index=0,
            record=mlflow_state.pack({"name": f"name-{number}"}), changed_after_end=number == 1,
        )  # fmt: skip
    SourceProblem.objects.create(
        source=name, kind="run-files", external_id="id-2", slug="server-error",
        reason="The listing of the run's files was answered with status 500.", first_us=now, last_us=now,
    )  # fmt: skip


def page(client: Client, address: str, code: int = 200) -> str:
    answer = client.get(address)
    assert answer.status_code == code
    return answer.content.decode()


def test_without_sources_it_says_what_to_do(operator: Client) -> None:
    text = page(operator, "/sources")
    assert "No MLflow server is followed yet" in text
    assert "lineage sources add lab" in text
    assert "/sources/_new" in text


def test_the_list_tells_how_far_each_is(auditor: Client) -> None:
    followed()
    add("second", url="https://second.example.com")
    text = page(auditor, "/sources")
    for words in ("Following", "Not synced yet", URL, "/sources/lab", "second.example.com"):
        assert words in text, words
    assert "/sources/_new" not in text, "an auditor adds none"


def test_a_page_tells_everything_that_its_syncs_came_to(
    auditor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed = replace(config.current(), private_networks=("10.0.0.0/8",))
    monkeypatch.setattr("lineage.web.sources.current", lambda: allowed)
    followed()
    text = page(auditor, "/sources/lab")
    for words in ("3.17.2", "Following", "Experiments", "Provenance of runs", "name-1", "server-error",
                  "answered with status 500", "as lineage, with a password", "CN=Example CA",
                  "10.0.0.0/8", "ann@example.com", "every day", "every 7 days"):  # fmt: skip
        assert words in text, words
    assert "<form" not in text.partition("<main")[2], "an auditor changes nothing"
    assert page(auditor, "/sources/nothing", 404)


def test_a_server_that_fails_is_told_with_what_it_means(auditor: Client) -> None:
    followed()
    SourceState.objects.update(failures=3, error="The server did not answer within 30 s.")
    text = page(auditor, "/sources/lab")
    assert "3 syncs in a row did not come through: The server did not answer within 30 s." in text
    assert "What was recorded stays as it is" in text
    assert "Failing" in page(auditor, "/sources")


def test_what_a_server_says_is_text_and_never_markup(auditor: Client) -> None:
    followed()
    evil = "<script>alert(1)</script>"
    SourceObject.objects.update(record=mlflow_state.pack({"name": evil}))
    SourceState.objects.update(server_version=evil, error=evil, failures=1)
    SourceProblem.objects.update(external_id=evil, reason=evil, kind=evil[:20], slug=evil)
    for address in ("/sources", "/sources/lab", "/sources/lab?part=now"):
        assert "<script>alert" not in page(auditor, address)


def test_the_moving_part_is_a_part(auditor: Client) -> None:
    add()
    text = page(auditor, "/sources/lab?part=now")
    assert "<html" not in text
    assert 'hx-trigger="every 10s"' in text
    now = now_us()
    Job.objects.create(
        kind="sync", key="lab", queue="sync", due_us=now, created_us=now, max_attempts=1, attempts=1,
        state="running", progress_done=30, progress_total=120, note="runs", lease_until_us=now + 10**9,
    )  # fmt: skip
    text = page(auditor, "/sources/lab?part=now")
    assert 'hx-trigger="every 2s"' in text
    assert "25 %" in text
    assert ">runs<" in text


def form(**fields: str) -> dict[str, str]:
    return {"name": "lab", "url": URL, "auth": "none", **NUMBERS, **fields}


def test_an_operator_follows_a_server(operator: Client) -> None:
    answer = operator.post(
        "/sources/_new", form(auth="basic", username="lineage", secret=SECRET), follow=True
    )
    assert answer.redirect_chain == [("/sources/lab", 302)]
    text = answer.content.decode()
    assert "“lab” is followed from now on." in text
    source = Source.objects.get()
    assert sources.settings_of(source).secret == SECRET
    assert source.created_by.startswith("operator-")
    assert source.max_file_bytes == 1_000_000
    assert SECRET not in text


@pytest.mark.parametrize(
    ("fields", "field", "complaint"),
    [
        ({"name": "Lab"}, "name", "1 to 63 of a-z"),
        ({"name": ""}, "name", "This field is required."),
        ({"url": "ftp://h"}, "url", "Expected an address"),
        ({"url": f"https://ann:{SECRET}@h"}, "url", "do not belong in the address"),
        ({"auth": "token"}, "secret", "The token is missing."),
        ({"auth": "basic", "secret": SECRET}, "username", "The user name is missing."),
        ({"secret": SECRET}, "auth", "Without signing in"),
        ({"proxy": "socks5://p"}, "proxy", "Expected an address"),
        ({"data_roots": "/etc"}, "data_roots", "under none of the storage roots"),
        ({"ca_pem": "x"}, "ca_pem", "not certificates in PEM"),
        ({"client_key_pem": SECRET}, "client_key_pem", "not a private key in PEM"),
        ({"poll_seconds": "0"}, "poll_seconds", "greater than or equal to 1"),
    ],
)
def test_a_wrong_field_is_told_beside_it(
    operator: Client, fields: dict[str, str], field: str, complaint: str
) -> None:
    answer = operator.post("/sources/_new", form(**fields))
    assert answer.status_code == 422
    assert complaint in " ".join(answer.context["form"].errors[field])
    text = answer.content.decode()
    assert not Source.objects.exists()
    if "url" not in fields and "client_key_pem" not in fields:
        assert SECRET not in text, "what was typed as a secret is never written into the page"


def test_a_name_that_the_log_knows_is_asked_about(operator: Client) -> None:
    followed()
    sources.remove("lab", by="x")
    answer = operator.post("/sources/_new", form())
    assert answer.status_code == 422
    assert "followed before" in answer.content.decode()
    assert 'name="continues"' in answer.content.decode()
    other = operator.post("/sources/_new", form(name="Lab"))
    assert 'name="continues"' not in other.content.decode(), "asked where it matters alone"
    assert operator.post("/sources/_new", form(continues="on")).status_code == 302


def test_editing_keeps_the_secrets_that_nobody_typed(operator: Client) -> None:
    mine = issue("lineage")
    add(auth="token", secret=SECRET, client_certificate_pem=mine.pem, client_key_pem=mine.key_pem)
    text = page(operator, "/sources/lab/edit")
    assert "Empty: the stored one stays" in text
    assert mine.pem.splitlines()[1] in text
    fields = form(auth="token", poll_seconds="60", client_certificate_pem=mine.pem)
    assert operator.post("/sources/lab/edit", fields).status_code == 302
    settings = sources.settings_of(Source.objects.get())
    assert (settings.secret, settings.client_key_pem) == (SECRET, mine.key_pem)
    assert Source.objects.get().poll_seconds == 60
    moved = operator.post("/sources/lab/edit", {**fields, "url": "https://evil.example.com"})
    assert moved.status_code == 422
    assert "given for another address" in moved.content.decode()
    assert operator.post("/sources/lab/edit", form()).status_code == 302
    source = Source.objects.get()
    assert (source.secret_box, source.client_key_box, source.client_certificate_pem) == ("", "", "")


def test_no_secret_is_on_any_page(operator: Client) -> None:
    mine = issue("lineage")
    add(auth="token", secret=SECRET, client_certificate_pem=mine.pem, client_key_pem=mine.key_pem)
    made = operator.post("/sources/lab/webhook-secret")
    assert made["Cache-Control"] == "no-store"
    signs = sources.webhook_secret_of(Source.objects.get())
    assert signs in made.content.decode(), "once, to be copied"
    for address in ("/sources", "/sources/lab", "/sources/lab?part=now", "/sources/lab/edit", "/jobs"):
        text = page(operator, address)
        for secret in (SECRET, signs, mine.key_pem.splitlines()[1], Source.objects.get().secret_box):
            assert secret not in text, address


def test_buttons_do_what_they_say(operator: Client) -> None:
    add()
    for act, arguments in (
        ("sync", {}),
        ("sweep", {"sweep": True}),
        ("rehash", {"sweep": True, "rehash": True}),
    ):
        answer = operator.post(f"/sources/lab/{act}", follow=True)
        assert "is in line as job" in answer.content.decode()
        assert Job.objects.get().arguments == arguments
    Job.objects.update(state="running", arguments={})
    assert (
        "runs now that is no full sweep" in operator.post("/sources/lab/sweep", follow=True).content.decode()
    )
    operator.post("/sources/lab/pause")
    assert Source.objects.get().paused
    assert "Resume" in page(operator, "/sources/lab")
    assert "is paused" in operator.post("/sources/lab/sync", follow=True).content.decode()
    operator.post("/sources/lab/resume")
    assert not Source.objects.get().paused
    gone = operator.post("/sources/lab/remove", follow=True).content.decode()
    assert "What was recorded of it stays in the log" in gone
    assert not Source.objects.exists()
    assert operator.post("/sources/lab/sync").status_code == 404


def test_what_a_check_found_is_on_the_page(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    add()
    found = SourceCheck(True, "3.17.2", 13, False, "", "", 84)
    monkeypatch.setattr(source_check, "check", lambda source: found)
    assert "It answers: MLflow 3.17.2." in operator.post("/sources/lab/check").content.decode()
    broken = SourceCheck(False, "", 0, False, "tls", "The certificate is not trusted.", 12)
    monkeypatch.setattr(source_check, "check", lambda source: broken)
    assert "The certificate is not trusted." in operator.post("/sources/lab/check").content.decode()


def test_only_operators_change_anything(person: Callable[[str], Client]) -> None:
    add()
    for role in ("auditor", "officer"):
        client = person(role)
        for address in ("/sources/_new", "/sources/lab/edit", "/sources/lab/sync", "/sources/lab/remove"):
            assert client.post(address, form()).status_code == 403
    assert Source.objects.count() == 1
    assert not Job.objects.exists()


def test_other_acts_and_methods(operator: Client) -> None:
    add()
    assert operator.post("/sources/lab/explode").status_code == 400
    assert operator.get("/sources/lab/sync").status_code == 405
    assert operator.post("/sources/nothing/check").status_code == 404
    assert operator.get("/sources/nothing/edit").status_code == 404


def test_a_form_from_another_site_is_refused(operator: Client) -> None:
    add()
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = operator.cookies
    assert strict.post("/sources/lab/remove").status_code == 403
    assert Source.objects.exists()


@pytest.mark.service
def test_in_a_browser_progress_moves(log: None, watched: Any, live_server: Any) -> None:
    add()
    now = now_us()
    job = Job.objects.create(
        kind="sync", key="lab", queue="sync", due_us=now, created_us=now, max_attempts=1, attempts=1,
        state="running", progress_done=30, progress_total=120, lease_until_us=now + 10**9,
    )  # fmt: skip
    sign_in(watched, live_server.url, factories.user("operator", PASSWORD).email)
    watched.goto(f"{live_server.url}/sources/lab")
    bar = f'progress[aria-label="Progress of job {job.pk}"]'
    watched.wait_for_selector(f'{bar}[value="25"]')
    Job.objects.filter(pk=job.pk).update(progress_done=90)
    watched.wait_for_selector(f'{bar}[value="75"]')
    Job.objects.filter(pk=job.pk).update(state="done")
    watched.wait_for_selector("text=none in line")
    watched.click("button:has-text('Sweep now')")
    watched.wait_for_selector("text=is in line as job")


@pytest.mark.service
def test_axe_finds_nothing_and_nothing_spills(log: None, page: Any, live_server: Any) -> None:
    followed()
    SourceState.objects.update(failures=2, error="The server did not answer within 30 s.")
    Job.objects.create(
        kind="sync", key="lab", queue="sync", due_us=1, created_us=1, max_attempts=1, attempts=1,
        state="running", progress_done=30, progress_total=120, note="runs", lease_until_us=now_us() + 10**12,
    )  # fmt: skip
    page.set_viewport_size(NARROW)
    sign_in(page, live_server.url, factories.user("operator", PASSWORD).email)
    for path in ("/sources", "/sources/lab", "/sources/lab/edit"):
        page.goto(live_server.url + path)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert (path, width) == (path, NARROW["width"])
        assert (path, violations(page)) == (path, [])
