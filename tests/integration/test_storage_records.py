"""Storages beyond this machine: what may be configured, what is refused, and where secrets go."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from lineage.artifacts.storage import Access
from lineage.db.models import Storage, StorageState, StorageSweep
from lineage.errors import ConflictError, LineageError, MalformedError, NotFoundError
from lineage.services import storage_access, storage_records, storages
from lineage.services.clock import now_us
from lineage.services.storage_values import StorageValues
from tests import factories
from tests.certificates import issue
from tests.integration.projections import key_of, send, status_at

pytestmark = pytest.mark.usefixtures("log")

WHO = "operator@example.com"
SECRET, TOKEN = "first-secret-value", "first-token-value"


def add(name: str = "bucket", kind: str = "s3", **values: Any) -> Storage:
    values = {"uri": "s3://models/prod"} | values
    return storage_records.add(name, kind, StorageValues(**values), by=WHO)


def change(name: str = "bucket", **values: Any) -> Storage:
    return storage_records.change(name, StorageValues(**values), by=WHO)


def access(name: str = "bucket") -> Access:
    return storage_access.access_of(Storage.objects.get(name=name))


def test_a_bucket_with_its_credentials() -> None:
    made = add(
        uri="s3://models/prod/", endpoint="HTTP://Minio.example.com:9000/", region="eu-central-1",
        username="AKIA", secret=SECRET, token=TOKEN,
    )  # fmt: skip
    assert (made.uri, made.endpoint) == ("s3://models/prod", "http://minio.example.com:9000")
    assert SECRET not in made.secret_box
    found = access()
    assert (found.username, found.secret, found.token) == ("AKIA", SECRET, TOKEN)
    (place,) = storages.listed()
    assert (place.name, place.kind, place.root.uri, place.paused) == (
        "bucket", "s3", "s3://models/prod", False
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("s3", {"uri": "s3://models"}),
        ("gcs", {"uri": "gs://models/a%20b", "token": TOKEN}),
        ("azure", {"uri": "az://models", "username": "account1", "token": "sv=1&sig=abc%3D"}),
        ("http", {"uri": "https://Models.Example.com:8443/dir", "username": "ann", "secret": SECRET}),
        ("http", {"uri": "http://models.example.com", "token": TOKEN}),
        ("oci", {"uri": "oci://registry.example.com:5000/models", "insecure_http": True}),
        ("huggingface", {"uri": "hf://datasets/owner/name", "token": TOKEN}),
    ],
)
def test_each_kind_can_be_configured(kind: str, values: dict[str, Any]) -> None:
    made = storage_records.add("place", kind, StorageValues(**values), by=WHO)
    assert made.uri == values["uri"].lower()
    assert Storage.objects.get().created_by == WHO


def test_a_service_account_is_kept_as_one_line() -> None:
    pem = issue("account").key_pem
    account = {
        "type": "service_account",
        "client_email": "a@p.iam.gserviceaccount.com",
        "token_uri": "https://oauth2.googleapis.com/token",
        "private_key": pem,
    }
    add("g", "gcs", uri="gs://models", secret=json.dumps(account, indent=2))
    kept = access("g").secret
    assert "\n" not in kept
    assert json.loads(kept) == account


WRONG: dict[str, tuple[str, str, dict[str, Any], str]] = {
    "name of capitals": ("Bucket", "s3", {}, "name"),
    "name of MLflow's": ("mlflow-lab", "s3", {}, "name"),
    "name of a folder's": ("folder-01234567", "s3", {}, "name"),
    "empty name": ("", "s3", {}, "name"),
    "endless name": ("a" * 64, "s3", {}, "name"),
    "no such kind": ("bucket", "ftp", {}, "kind"),
    "a folder": ("bucket", "file", {"uri": "file:///srv"}, "kind"),
    "an MLflow server": ("bucket", "mlflow", {"uri": "mlflow://lab"}, "kind"),
    "address of another kind": ("bucket", "s3", {"uri": "gs://models"}, "uri"),
    "address without a bucket": ("bucket", "s3", {"uri": "s3://"}, "uri"),
    "empty address": ("bucket", "s3", {"uri": ""}, "uri"),
    "address with a way out": ("bucket", "s3", {"uri": "s3://models/a/../b"}, "uri"),
    "address with an encoded way out": ("bucket", "s3", {"uri": "s3://models/%2e%2e"}, "uri"),
    "address with a query": ("bucket", "s3", {"uri": "s3://models?x=1"}, "uri"),
    "address with a password": ("bucket", "http", {"uri": "https://u:p@h/x"}, "uri"),
    "address with a space": ("bucket", "s3", {"uri": "s3://models/a b"}, "uri"),
    "address with U+0000": ("bucket", "s3", {"uri": "s3://models/a\0b"}, "uri"),
    "address with another letter": ("bucket", "s3", {"uri": "s3://models/ü"}, "uri"),
    "endless address": ("bucket", "s3", {"uri": "s3://models/" + "a" * 2000}, "uri"),
    "endpoint of another scheme": ("bucket", "s3", {"endpoint": "ftp://h"}, "endpoint"),
    "endpoint with a password": ("bucket", "s3", {"endpoint": "https://u:p@h"}, "endpoint"),
    "endpoint with a query": ("bucket", "s3", {"endpoint": "https://h?x=1"}, "endpoint"),
    "endpoint where there is none": (
        "web",
        "http",
        {"uri": "https://h", "endpoint": "https://i"},
        "endpoint",
    ),
    "region with a slash": ("bucket", "s3", {"region": "a/b"}, "region"),
    "user with a colon": ("bucket", "s3", {"username": "a:b", "secret": "x"}, "username"),
    "secret without a user": ("bucket", "s3", {"secret": "x"}, "username"),
    "user without a secret": ("bucket", "s3", {"username": "x"}, "secret"),
    "secret of two lines": ("bucket", "s3", {"username": "a", "secret": "x\ny"}, "secret"),
    "token with a space": ("hub", "huggingface", {"uri": "hf://o/n", "token": "a b"}, "token"),
    "certificate that is none": ("bucket", "s3", {"ca_pem": "x"}, "ca_pem"),
    "no TLS for a bucket": ("bucket", "s3", {"insecure_http": True}, "insecure_http"),
    "a service account that is none": ("g", "gcs", {"uri": "gs://m", "secret": "{}"}, "secret"),
    "a service account without a key": (
        "g",
        "gcs",
        {"uri": "gs://m", "secret": '{"type": "service_account"}'},
        "",
    ),
    "Azure without an account": ("a", "azure", {"uri": "az://models"}, ""),
    "no repository": ("hub", "huggingface", {"uri": "hf://owner"}, ""),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_named_and_leaves_nothing(what: str) -> None:
    name, kind, values, where = WRONG[what]
    with pytest.raises(MalformedError) as found:
        add(name, kind, **values)
    assert found.value.where == where
    assert not Storage.objects.exists()


def test_a_name_and_an_address_are_used_once() -> None:
    add()
    with pytest.raises(ConflictError):
        add(uri="s3://other")
    with pytest.raises(ConflictError) as found:
        add("second")
    assert found.value.where == "uri"
    add("second", uri="s3://models/prod/inner")
    with pytest.raises(ConflictError):
        change("second", uri="s3://models/prod")


@pytest.mark.parametrize(
    "values",
    [
        {"uri": "s3://theirs"},
        {"endpoint": "https://theirs.example.com"},
        {"endpoint": ""},
        {"uri": "s3://models/prod2", "secret": "new-secret"},
        {"uri": "s3://models/prod2", "token": "new-token"},
    ],
)
def test_a_secret_goes_to_no_other_address(values: dict[str, str]) -> None:
    add(endpoint="https://s3.example.com", username="AKIA", secret=SECRET, token=TOKEN)
    with pytest.raises(MalformedError, match="send it again"):
        change(**values)
    assert access().endpoint == "https://s3.example.com"
    change(uri="s3://theirs", secret="new-secret", token="")
    assert (access().secret, access().token) == ("new-secret", "")


def test_a_password_is_not_sent_in_the_clear_by_a_change() -> None:
    add("registry", "oci", uri="oci://registry.example.com/models", username="ann", secret=SECRET)
    with pytest.raises(MalformedError) as found:
        change("registry", insecure_http=True)
    assert found.value.where == "secret"
    change("registry", insecure_http=True, secret=SECRET)


def test_what_is_not_said_stays() -> None:
    add(username="AKIA", secret=SECRET, region="eu-central-1", ca_pem=issue("ca").pem)
    before = Storage.objects.get()
    change(region="eu-west-1")
    storage_records.pause("bucket", by=WHO)
    after = Storage.objects.get()
    assert (after.region, after.paused) == ("eu-west-1", True)
    assert (after.secret_box, after.ca_pem, after.username) == (
        before.secret_box, before.ca_pem, "AKIA"
    )  # fmt: skip
    assert storages.listed()[0].paused
    assert not storage_records.resume("bucket", by=WHO).paused


def test_removing_one_forgets_all_of_it() -> None:
    add(username="AKIA", secret=SECRET)
    storage_access.gone("bucket", "why")
    now = now_us()
    StorageSweep.objects.create(
        storage="bucket", job_id=1, entry_index=1, started_us=now, finished_us=now, bytes=1,
        matches=1, mismatches=0, inconclusive=0,
    )  # fmt: skip
    storage_records.remove("bucket", by=WHO)
    assert not Storage.objects.exists()
    assert not StorageState.objects.exists()
    assert not StorageSweep.objects.exists()
    for act in (storage_records.remove, storage_records.pause, storage_records.resume):
        with pytest.raises(NotFoundError):
            act("bucket", by=WHO)


@pytest.mark.usefixtures("storage_root")
def test_folders_are_not_changed_here() -> None:
    (folder,) = storages.listed()
    with pytest.raises(NotFoundError, match="No storage") as found:
        storage_records.pause(folder.name, by=WHO)
    assert "LINEAGE_STORAGE_ROOTS" in found.value.hint


def test_a_check_says_what_is_wrong_and_is_remembered() -> None:
    add(endpoint="http://169.254.169.254")
    found = storage_records.check("bucket")
    assert not found.ok
    assert "169.254.169.254" in found.reason
    state = StorageState.objects.get()
    assert (state.storage, state.failures, state.error in found.reason) == ("bucket", 1, True)
    with pytest.raises(NotFoundError):
        storage_records.check("nothing")


def test_no_secret_is_in_a_log_or_an_error(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    add(username="AKIA", secret=SECRET, token=TOKEN, endpoint="http://169.254.169.254")
    told = [repr(StorageValues(secret=SECRET)), storage_records.check("bucket").reason]
    for values in ({"secret": f"{SECRET}\n"}, {"token": f"{TOKEN} x"}, {"uri": "s3://other"}):
        with pytest.raises(LineageError) as found:
            change(**values)
        told.append(f"{found.value} {found.value.hint} {found.value!r}")
    assert SECRET not in caplog.text + "".join(told)
    assert TOKEN not in caplog.text + "".join(told)


def test_what_lies_there_are_copies_from_then_on(graph: Callable[[], int]) -> None:
    made = factories.artifact(downloadLocation="s3://models/prod/m.bin")
    send(factories.registered(), factories.statement(made))
    key = key_of(made["name"])
    assert status_at(key, graph()) == ("verified", "")
    add()
    assert status_at(key, graph()) == ("unverified", "never-checked")
    storage_records.remove("bucket", by=WHO)
    assert status_at(key, graph()) == ("verified", "")
