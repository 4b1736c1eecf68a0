"""Sources as configuration: what is kept, what is refused, where secrets may go, and when a sync is due."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import pytest

from lineage import config
from lineage.db.models import Job, Source, SourceObject, SourceProblem, SourceState
from lineage.errors import ConfigurationError, ConflictError, MalformedError, NotFoundError
from lineage.services import source_jobs, source_records, sources
from lineage.services.clock import now_us
from lineage.services.source_values import SourceValues
from tests.certificates import Issued, issue

pytestmark = pytest.mark.usefixtures("log")

URL = "https://mlflow.example.com"
BY = "os:tests"
S = 1_000_000
SECRET, OTHER = "first-secret-value", "second-secret-value"


def add(name: str = "lab", **values: Any) -> Source:
    return sources.add(name, SourceValues(**{"url": URL, **values}), by=BY)


def change(name: str = "lab", **values: Any) -> Source:
    return sources.change(name, SourceValues(**values), by=BY)


def complaint(**values: Any) -> str:
    """The field that a change is refused for; the row stays as it was."""
    before = Source.objects.values().get()
    with pytest.raises(MalformedError) as caught:
        change(**values)
    assert Source.objects.values().get() == before
    return caught.value.where


def basic() -> Source:
    return add(auth="basic", username="ann", secret=SECRET)


def test_a_new_source_has_the_settings_that_were_said() -> None:
    source = add(auth="token", secret=SECRET, proxy="http://proxy:3128", requests_per_second=7)
    settings = sources.settings_of(source)
    assert (settings.url, settings.auth, settings.secret) == (URL, "token", SECRET)
    assert (settings.proxy, settings.requests_per_second) == ("http://proxy:3128", 7.0)
    assert (source.created_by, source.poll_seconds, source.paused) == (BY, 30, False)


def test_private_networks_are_those_of_the_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    allowed = replace(config.current(), private_networks=("10.0.0.0/8",))
    monkeypatch.setattr(sources, "current", lambda: allowed)
    assert sources.settings_of(add()).private_networks == ("10.0.0.0/8",)


def test_a_name_is_used_once() -> None:
    add()
    with pytest.raises(ConflictError, match="already"):
        add()
    assert Source.objects.count() == 1


def test_a_name_whose_records_are_in_the_log_is_used_again_only_for_the_same_server() -> None:
    add()
    row = {"digest": "0" * 64, "state": "present", "ended": True, "record": b"", "first_index": 1}
    SourceObject.objects.create(source="lab", kind="run", external_id="r", entry_index=1, **row)
    SourceState.objects.create(source="lab", error="x")
    SourceProblem.objects.create(
        source="lab", kind="run", external_id="r", slug="x", reason="x", first_us=1, last_us=1
    )
    sources.remove("lab", by=BY)
    assert SourceObject.objects.count() == 1
    assert not SourceState.objects.exists()
    assert not SourceProblem.objects.exists()
    with pytest.raises(ConflictError, match="followed before"):
        add()
    sources.add("lab", SourceValues(url=URL), by=BY, continues=True)


@pytest.mark.parametrize("name", ["nothing", "", "\0", "../x"])
def test_unknown_names(name: str) -> None:
    for act in (
        sources.find,
        lambda name: sources.remove(name, by=BY),
        lambda name: sources.pause(name, by=BY),
    ):
        with pytest.raises(NotFoundError):
            act(name)


def test_what_is_not_said_stays() -> None:
    basic()
    change(poll_seconds=60)
    source = sources.find("lab")
    assert (source.poll_seconds, source.username, sources.settings_of(source).secret) == (60, "ann", SECRET)
    change(username="bob", secret=OTHER)
    assert sources.settings_of(sources.find("lab")).secret == OTHER


def test_signing_in_needs_what_it_needs() -> None:
    add()
    assert complaint(auth="token") == "secret"
    assert complaint(auth="basic", username="ann") == "secret"
    assert complaint(auth="basic", secret=SECRET) == "username"
    assert complaint(auth="token", secret=SECRET, username="ann") == "username"
    assert complaint(secret=SECRET) == "auth"
    assert complaint(username="ann") == "auth"
    assert complaint(auth="token", secret="two words") == "secret"


def test_another_way_of_signing_in_never_sends_the_secret_of_the_one_before() -> None:
    basic()
    assert complaint(auth="token") == "secret"
    source = change(auth="token", secret=OTHER)
    assert (source.username, sources.settings_of(source).secret) == ("", OTHER)


def test_a_secret_is_cleared_by_saying_so() -> None:
    basic()
    assert complaint(secret="") == "secret"
    source = change(auth="none")
    assert (source.username, source.secret_box) == ("", "")


@pytest.mark.parametrize(
    "values",
    [
        {"url": "https://evil.example.com"},
        {"url": "https://mlflow.example.com:8443"},
        {"url": "http://mlflow.example.com"},
        {"proxy": "http://evil.example.com:3128"},
    ],
)
def test_a_stored_secret_reaches_no_other_server(values: dict[str, str]) -> None:
    basic()
    assert complaint(**values) == "secret"
    assert sources.settings_of(change(**values, secret=OTHER)).secret == OTHER


def test_a_prefix_of_the_same_server_may_change() -> None:
    basic()
    assert sources.settings_of(change(url=f"{URL}/team")).secret == SECRET


@pytest.fixture
def mine() -> Issued:
    return issue("lineage", issue("authority"))


def test_mutual_tls_and_an_authority_of_one_s_own(mine: Issued) -> None:
    authority = issue("authority")
    source = add(ca_pem=authority.pem, client_certificate_pem=mine.pem, client_key_pem=mine.key_pem)
    settings = sources.settings_of(source)
    assert (settings.ca_pem, settings.client_certificate_pem, settings.client_key_pem) == (
        authority.pem, mine.pem, mine.key_pem
    )  # fmt: skip
    assert "PRIVATE KEY" not in str(Source.objects.values().get())
    record = source_records.read("lab")
    assert [one.subject for one in record.client_certificates] == ["CN=lineage"]
    source = change(client_certificate_pem="", ca_pem="")
    assert (source.client_key_box, source.client_certificate_pem, source.ca_pem) == ("", "", "")


def test_certificate_and_key_go_together(mine: Issued) -> None:
    add()
    assert complaint(client_certificate_pem=mine.pem) == "client_key_pem"
    assert complaint(client_key_pem=mine.key_pem) == "client_certificate_pem"
    other = issue("other")
    assert complaint(client_certificate_pem=mine.pem, client_key_pem=other.key_pem) == "client_key_pem"
    change(client_certificate_pem=mine.pem, client_key_pem=mine.key_pem)
    assert complaint(client_certificate_pem=other.pem) == "client_key_pem"
    assert complaint(client_key_pem="") == "client_key_pem"
    assert complaint(url="http://mlflow.example.com") == "client_certificate_pem"
    change(client_certificate_pem=mine.pem + issue("between").pem)  # its own key stays


def test_a_lost_key_file_stops_the_use_of_secrets_and_not_a_pause(mine: Issued) -> None:
    basic()
    path = config.current().keys / "sources.key"
    before = path.read_bytes()
    path.unlink()
    try:
        with pytest.raises(ConfigurationError, match="can't be decrypted"):
            sources.settings_of(sources.find("lab"))
        assert sources.pause("lab", by=BY).paused
        assert sources.settings_of(change(secret=OTHER)).secret == OTHER
    finally:
        path.write_bytes(before)


def test_a_box_of_one_source_is_nothing_to_another() -> None:
    add("first", auth="token", secret=SECRET)
    add("second", url="https://evil.example.com", auth="token", secret=OTHER)
    box = Source.objects.get(name="first").secret_box
    Source.objects.filter(name="second").update(secret_box=box)
    with pytest.raises(ConfigurationError):
        sources.settings_of(sources.find("second"))


def test_no_secret_is_in_logs_rows_or_records(mine: Issued, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    basic()
    change(secret=OTHER, client_certificate_pem=mine.pem, client_key_pem=mine.key_pem)
    webhook = sources.new_webhook_secret("lab", by=BY)
    source = sources.find("lab")
    settings = sources.settings_of(source)
    shown = [caplog.text, repr(source), str(vars(source)), repr(settings), repr(source_records.every())]
    for secret in (SECRET, OTHER, webhook, mine.key_pem.splitlines()[1]):
        assert not any(secret in text for text in shown), secret
    assert "source lab changed by os:tests: secret, " in caplog.text
    assert sources.webhook_secret_of(source) == webhook
    record = source_records.read("lab")
    assert (record.has_secret, record.has_webhook_secret) == (True, True)


def state(**values: int) -> None:
    SourceState.objects.update_or_create(source="lab", defaults=values)


def test_what_is_due_and_when() -> None:
    source = add()
    now = source.created_us
    assert sources.due(now) == [("lab", {"sweep": True})], "the first look is at everything"
    state(tried_us=now, swept_us=now, polled_us=now)
    assert sources.due(now + 29 * S) == []
    assert sources.due(now + 30 * S) == [("lab", {})]
    later = now + 86_400 * S
    assert sources.due(later) == [("lab", {"sweep": True})]
    state(tried_us=later, swept_us=later)
    assert sources.due(later + 30 * S) == [("lab", {})]
    week = now + 7 * 86_400 * S
    assert sources.due(week) == [("lab", {"sweep": True, "rehash": True})]
    state(tried_us=week, swept_us=week, rehashed_us=week)
    assert sources.due(week + 30 * S) == [("lab", {})]
    sources.pause("lab", by=BY)
    assert sources.due(week + 60 * S) == []
    sources.resume("lab", by=BY)
    assert len(sources.due(week + 60 * S)) == 1


@pytest.mark.parametrize(
    ("poll", "failures", "pause"),
    [(30, 0, 30), (30, 1, 60), (30, 2, 120), (30, 5, 900), (30, 5000, 900), (3600, 1, 3600), (3600, 9, 3600)],
)
def test_a_server_that_fails_is_tried_less_often(poll: int, failures: int, pause: int) -> None:
    add(poll_seconds=poll)
    now = now_us()
    state(tried_us=now, swept_us=now, failures=failures)
    assert sources.due(now + pause * S - 1) == []
    assert sources.due(now + pause * S) != []


def test_asking_puts_one_sync_in_line() -> None:
    add()
    first = source_jobs.ask("lab", by=BY)
    assert source_jobs.ask("lab", by=BY) == first
    Job.objects.update(due_us=now_us() + 10**12)
    assert source_jobs.ask("lab", rehash=True, by=BY) == first, "one that waits does this too"
    job = Job.objects.get()
    assert job.arguments == {"sweep": True, "rehash": True}
    assert job.due_us <= now_us()
    Job.objects.update(state=Job.State.RUNNING, arguments={"sweep": True})
    assert source_jobs.ask("lab", sweep=True, by=BY) == first
    with pytest.raises(ConflictError, match="hashes nothing again"):
        source_jobs.ask("lab", rehash=True, by=BY)
    open_job = source_jobs.open_job("lab")
    assert open_job is not None
    assert open_job.id == first
    Job.objects.update(state=Job.State.DONE)
    assert source_jobs.open_job("lab") is None
    assert source_jobs.ask("lab", by=BY) != first


def test_a_paused_source_is_left_alone() -> None:
    add(paused=True)
    with pytest.raises(ConflictError, match="paused"):
        source_jobs.ask("lab", by=BY)
    assert not Job.objects.exists()
    with pytest.raises(NotFoundError):
        source_jobs.ask("nothing", by=BY)


def test_what_is_told_of_a_source_s_syncs() -> None:
    add()
    assert source_records.read("lab").sync.state == "waiting"
    now = now_us()
    state(polled_us=now - 5 * S, swept_us=now, tried_us=now)
    sync = source_records.read("lab").sync
    assert (sync.state, sync.lag_seconds, sync.rehashed_at) == ("following", 5, "")
    state(polled_us=now - 121 * S)
    assert source_records.read("lab").sync.state == "late"
    state(failures=3)
    SourceState.objects.update(error="The server did not answer.")
    sync = source_records.read("lab").sync
    assert (sync.state, sync.error, sync.failures) == ("failing", "The server did not answer.", 3)
    sources.pause("lab", by=BY)
    assert source_records.read("lab").sync.state == "paused"


def test_what_was_recorded_is_counted_by_kind() -> None:
    add()
    add("other")
    rows = [
        ("lab", "run", "present", True),
        ("lab", "run", "purged", False),
        ("lab", "experiment", "deleted", False),
        ("other", "run", "present", False),
    ]
    for number, (source, kind, condition, late) in enumerate(rows):
        SourceObject.objects.create(
            source=source, kind=kind, external_id=str(number), digest="0" * 64, state=condition, ended=True,
            record=b"", first_index=1, entry_index=number, changed_after_end=late,
        )  # fmt: skip
    lab, other = source_records.every()
    assert [(r.kind, r.present, r.gone, r.changed) for r in lab.recorded] == [
        ("experiment", 0, 1, 0), ("run", 1, 1, 1)
    ]  # fmt: skip
    assert (lab.objects, lab.changed, other.objects) == (3, 1, 1)
    (changed,) = source_records.changed("lab")
    assert (changed.kind, changed.id, changed.entry) == ("run", "0", 0)


def test_problems_are_told_newest_first() -> None:
    add()
    for number in range(3):
        SourceProblem.objects.create(
            source="lab", kind="run", external_id=f"r{number}", slug="server-error", reason="Status 500.",
            first_us=1, last_us=number + 1,
        )  # fmt: skip
    assert [problem.id for problem in source_records.problems("lab")] == ["r2", "r1", "r0"]
    assert source_records.read("lab").problems == 3


def test_things_are_counted_again_only_where_the_log_was_followed_further(
    django_assert_num_queries: Any,
) -> None:
    add()
    state(followed_index=5)
    row = {"digest": "0" * 64, "state": "present", "ended": True, "record": b"", "first_index": 1}
    SourceObject.objects.create(source="lab", kind="run", external_id="r", entry_index=1, **row)
    assert source_records.read("lab").objects == 1
    with django_assert_num_queries(3):  # the source, its state, its problems
        assert source_records.read("lab").objects == 1
    SourceObject.objects.create(source="lab", kind="run", external_id="s", entry_index=6, **row)
    state(followed_index=7)
    assert source_records.read("lab").objects == 2
