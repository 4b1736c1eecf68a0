"""The pages of storages: what they tell, what may be done by whom, and that no secret is ever on one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from lineage.db.models import Job, Storage, StorageState, StorageSweep
from lineage.services import storage_access, storage_records, storages
from lineage.services.clock import now_us
from lineage.services.storage_values import StorageValues
from tests import factories
from tests.certificates import issue
from tests.integration.projections import check, key_of, observe, send
from tests.web import installation
from tests.web.axe import violations
from tests.web.conftest import sign_in
from tests.web.tab import NARROW

SECRET, TOKEN = "first-secret-value", "first-token-value"
HOUR_US = 3600 * 1_000_000


def add(name: str = "bucket", **values: Any) -> Storage:
    said = {"uri": "s3://models/prod", **values}
    return storage_records.add(name, "s3", StorageValues(**said), by="ann@example.com")


def page(client: Client, address: str, code: int = 200) -> str:
    answer = client.get(address)
    assert answer.status_code == code
    return answer.content.decode()


@pytest.fixture
def folder(storage_root: None, graph: Callable[[], int]) -> str:
    """The name of a folder with a good copy, a bad one, one never checked, and sweeps of them."""
    (place,) = storages.listed()
    for name in ("good", "bad", "new"):
        made = factories.artifact(name, downloadLocation=f"file://{installation.ROOT}/{name}")
        send(factories.registered(), factories.statement(made))
    now = now_us()
    for number, (name, outcome) in enumerate((("good", "match"), ("bad", "mismatch"))):
        location = f"file://{installation.ROOT}/{name}"
        entry = observe(check(factories.sha256(name), location, outcome, now - (50 - number) * HOUR_US))
        StorageSweep.objects.create(
            storage=place.name, job_id=1, entry_index=entry, started_us=now - 3_000_000, finished_us=now,
            bytes=3_000_000_000, matches=number, mismatches=1 - number, inconclusive=0,
        )  # fmt: skip
    storage_access.reached(place.name)
    graph()
    return place.name


def test_without_storages_it_says_what_to_do(operator: Client) -> None:
    text = page(operator, "/locations")
    assert "No storage is configured yet" in text
    assert "LINEAGE_STORAGE_ROOTS" in text
    assert "/locations/_new" in text


def test_the_list_tells_how_each_stands(auditor: Client, folder: str) -> None:
    add(paused=True)
    text = page(auditor, "/locations")
    for words in (installation.ROOT, "Answers", "Paused", f"/locations/{folder}", "Amazon S3"):
        assert words in text, words
    assert "/locations/_new" not in text, "an auditor adds none"


def test_a_page_tells_all_of_it(auditor: Client, folder: str) -> None:
    text = page(auditor, f"/locations/{folder}")
    for words in ("folder of this machine", "Answers", "Failed here", key_of("bad"), "The last week",
                  "66 %", "2.8", "953.7", "LINEAGE_STORAGE_ROOTS", "check policy"):  # fmt: skip
        assert words.lower() in text.lower(), words
    assert "<form" not in text.partition("<main")[2], "an auditor asks for nothing"
    assert page(auditor, "/locations/nothing", 404)


def test_one_that_is_gone_is_one_alarm_with_its_reason(auditor: Client, folder: str) -> None:
    for _ in range(3):
        storage_access.gone(folder, "The folder is empty.")
    text = page(auditor, f"/locations/{folder}")
    assert "be reached since" in text
    assert "The folder is empty." in text
    assert "3 tries in a row did not come through" in text
    assert "No copy has failed for that" in text
    assert "Out of reach" in page(auditor, "/locations")


def test_what_a_server_says_is_text_and_never_markup(auditor: Client) -> None:
    add()
    evil = "<script>alert(1)</script>"
    storage_access.gone("bucket", evil)
    Storage.objects.update(username=evil, endpoint=evil, region=evil, created_by=evil)
    for address in ("/locations", "/locations/bucket", "/locations/bucket?part=now"):
        assert "<script>alert" not in page(auditor, address)


def test_the_moving_part_is_a_part(auditor: Client) -> None:
    add()
    text = page(auditor, "/locations/bucket?part=now")
    assert "<html" not in text
    assert 'hx-trigger="every 15s"' in text
    now = now_us()
    Job.objects.create(
        kind="reverify", key="storage:bucket", queue="long", due_us=now, created_us=now, max_attempts=1,
        attempts=1, state="running", progress_done=30, progress_total=120, note="s3://models/prod/a",
        lease_until_us=now + 10**9,
    )  # fmt: skip
    text = page(auditor, "/locations/bucket?part=now")
    assert 'hx-trigger="every 2s"' in text
    assert "25 %" in text
    assert ">s3://models/prod/a<" in text


def form(**fields: str) -> dict[str, str]:
    return {"name": "bucket", "kind": "s3", "uri": "s3://models/prod", **fields}


def test_an_operator_configures_a_bucket(operator: Client) -> None:
    fields = form(username="AKIA", secret=SECRET, token=TOKEN, region="eu-west-1")
    answer = operator.post("/locations/_new", fields, follow=True)
    assert answer.redirect_chain == [("/locations/bucket", 302)]
    text = answer.content.decode()
    assert "“bucket” is configured." in text
    assert "as AKIA, with a secret and a token" in text
    found = storage_access.access_of(Storage.objects.get())
    assert (found.secret, found.token, found.region) == (SECRET, TOKEN, "eu-west-1")
    assert Storage.objects.get().created_by.startswith("operator-")
    assert SECRET not in text


@pytest.mark.parametrize(
    ("fields", "field", "complaint"),
    [
        ({"name": "Bucket"}, "name", "1 to 63 of a-z"),
        ({"name": "mlflow-x"}, "name", "are given here"),
        ({"kind": "ftp"}, "kind", "Select a valid choice"),
        ({"uri": ""}, "uri", "This field is required."),
        ({"uri": "gs://models"}, "uri", "begin with s3://"),
        ({"uri": f"https://ann:{SECRET}@h"}, "uri", "not an address"),
        ({"endpoint": "ftp://h"}, "endpoint", "Expected an address"),
        ({"secret": SECRET}, "username", "who is missing"),
        ({"username": "AKIA"}, "secret", "is missing"),
        ({"token": f"{TOKEN} x"}, "token", "no spaces"),
        ({"ca_pem": "x"}, "ca_pem", "not certificates in PEM"),
        ({"insecure_http": "on"}, "insecure_http", "has no insecure http"),
        ({"kind": "azure", "uri": "az://models"}, "__all__", "Azure storage account"),
    ],
)
def test_a_wrong_field_is_told_beside_it(
    operator: Client, fields: dict[str, str], field: str, complaint: str
) -> None:
    answer = operator.post("/locations/_new", form(**fields))
    assert answer.status_code == 422
    assert complaint in " ".join(answer.context["form"].errors[field])
    text = answer.content.decode()
    assert not Storage.objects.exists()
    if "uri" not in fields:
        assert SECRET not in text, "what was typed as a secret is never written into the page"
    assert TOKEN not in text


def test_editing_keeps_the_secrets_that_nobody_typed(operator: Client) -> None:
    add(username="AKIA", secret=SECRET, token=TOKEN, ca_pem=issue("ca").pem)
    text = page(operator, "/locations/bucket/edit")
    assert "Empty: the stored one stays" in text
    assert SECRET not in text
    fields = {"uri": "s3://models/prod", "username": "AKIA", "region": "eu-west-1"}
    assert operator.post("/locations/bucket/edit", fields).status_code == 302
    found = storage_access.access_of(Storage.objects.get())
    assert (found.secret, found.token, found.region, found.ca_pem) == (SECRET, TOKEN, "eu-west-1", "")
    moved = operator.post("/locations/bucket/edit", {**fields, "uri": "s3://theirs"})
    assert moved.status_code == 422
    assert "given for another address" in moved.content.decode()


def test_no_secret_is_on_any_page(operator: Client) -> None:
    add(username="AKIA", secret=SECRET, token=TOKEN)
    row = Storage.objects.get()
    for address in (
        "/locations",
        "/locations/bucket",
        "/locations/bucket?part=now",
        "/locations/bucket/edit",
    ):
        text = page(operator, address)
        for secret in (SECRET, TOKEN, row.secret_box, row.token_box):
            assert secret not in text, address


def test_buttons_do_what_they_say(operator: Client) -> None:
    add(endpoint="http://169.254.169.254")
    answer = operator.post("/locations/bucket/verify", follow=True)
    assert "is in line as job" in answer.content.decode()
    assert (Job.objects.get().key, Job.objects.get().arguments) == ("storage:bucket", {})
    Job.objects.all().delete()
    operator.post("/locations/bucket/verify-full")
    assert Job.objects.get().arguments == {"method": "full"}
    tried = operator.post("/locations/bucket/check").content.decode()
    assert "169.254.169.254" in tried
    assert StorageState.objects.get().failures == 1
    operator.post("/locations/bucket/pause")
    assert Storage.objects.get().paused
    assert "Resume" in page(operator, "/locations/bucket")
    assert "is paused" in operator.post("/locations/bucket/verify", follow=True).content.decode()
    operator.post("/locations/bucket/resume")
    assert not Storage.objects.get().paused
    assert operator.post("/locations/bucket/explode").status_code == 400
    gone = operator.post("/locations/bucket/remove", follow=True).content.decode()
    assert "What was found there stays in the log" in gone
    assert not Storage.objects.exists()
    assert operator.post("/locations/bucket/verify").status_code == 404


def test_who_may_do_what(person: Callable[[str], Client]) -> None:
    add()
    auditor, officer = person("auditor"), person("officer")
    for client in (auditor, officer):
        for address in ("/locations/_new", "/locations/bucket/edit"):
            assert client.get(address).status_code == 403
            assert client.post(address, form()).status_code == 403
        for act in ("check", "pause", "remove"):
            assert client.post(f"/locations/bucket/{act}").status_code == 403
    assert auditor.post("/locations/bucket/verify").status_code == 403
    assert officer.post("/locations/bucket/verify").status_code == 302
    assert "Check copies now" in page(officer, "/locations/bucket")
    assert "Try it" not in page(officer, "/locations/bucket")
    assert not Storage.objects.get().paused


@pytest.mark.service
def test_pages_are_accessible_and_fit(folder: str, watched: Any, live_server: Any) -> None:
    add(username="AKIA", secret=SECRET)
    storage_access.gone("bucket", "The bucket models does not let us list it (HTTP 403 AccessDenied).")
    sign_in(watched, live_server.url, factories.user("operator").email)
    watched.set_viewport_size(NARROW)
    found = []
    for path in (
        "/locations", f"/locations/{folder}", "/locations/bucket", "/locations/_new",
        "/locations/bucket/edit", "/check-policy",
    ):  # fmt: skip
        watched.goto(live_server.url + path)
        found += [(path, each) for each in violations(watched)]
        assert watched.evaluate("document.documentElement.scrollWidth") <= NARROW["width"], path
    assert found == []
