"""An artifact's copies on its page: how each stands and why, the picture of its checks, “verify now”."""

from __future__ import annotations

import hashlib
import html as entities
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from lineage import config
from lineage.artifacts.formats import Description, Part, to_values
from lineage.db.models import Job
from lineage.predicates.inventory import Finding, Inventory, InventoryFile
from lineage.services import append, decide_checks, inventories, jobs
from lineage.services.clock import now_us
from tests import factories
from tests.web import installation
from tests.web.axe import violations
from tests.web.conftest import PASSWORD, sign_in

DIGEST = factories.sha256("copies of this")
KEY = f"sha256:{DIGEST}"
PLACE = f"file://{installation.ROOT}/copies"
GOOD, BAD, NEVER, OLD = (f"{PLACE}/{name}.gguf" for name in ("good", "bad", "never", "old"))
WORDS = "The metadata key tokenizer.chat_template differs: expected sha256 1f, found 2e. Tensors are equal."


def text_of(answer: Any) -> str:
    assert answer.status_code == 200, answer.content[:500]
    plain = re.sub(r"<[^>]+>", " ", answer.content.decode())
    return re.sub(r"\s+", " ", entities.unescape(plain))


def at(**ago: float) -> str:
    return (datetime.now(UTC) - timedelta(**ago)).isoformat(timespec="seconds").replace("+00:00", "Z")


def row(location: str, outcome: str, ago_hours: float, **members: Any) -> dict[str, Any]:
    observed = {"match": KEY, "mismatch": f"sha256:{factories.sha256('altered')}", "inconclusive": ""}
    return {
        "digest": KEY, "location": location, "method": "sha256", "expected": KEY,
        "observed": observed[outcome], "outcome": outcome, "at": at(hours=ago_hours), **members,
    }  # fmt: skip


def state(who: factories.Signer, *locations: str) -> None:
    for location in locations:
        subject = factories.artifact("llama.gguf", DIGEST, downloadLocation=location)
        installation.send(who, factories.statement(subject))


def checked(who: factories.Signer, *rows: dict[str, Any]) -> None:
    subject = factories.artifact("llama.gguf", DIGEST)
    installation.send(
        who,
        factories.statement(subject, predicate_type=installation.CHECK, predicate={"rows": list(rows)}),
    )


@pytest.fixture
def copied(storage_root: None, graph: Callable[[], int]) -> None:
    """Four copies: one that matches, one that was altered, one never checked, one whose match has aged."""
    who = factories.registered(name="nightly checks")
    state(who, GOOD, BAD, NEVER, OLD, "https://elsewhere.example/llama.gguf")
    checked(
        who,
        row(GOOD, "match", 200, bytes=5_000_000),
        row(GOOD, "inconclusive", 100, reason="the connection was cut at byte 4096"),
        row(GOOD, "match", 30, bytes=5_000_000),
        row(BAD, "match", 150),
        row(BAD, "mismatch", 20, reason=WORDS),
        row(OLD, "match", 24 * 9),
    )
    blake = {"expected": "blake3:" + "a" * 64, "observed": "blake3:" + "a" * 64}
    checked(who, row(GOOD, "match", 2, method="blake3", bytes=5_000_000, **blake))
    graph()


def test_a_failing_copy_says_in_words_what_differs(auditor: Client, copied: None) -> None:
    text = text_of(auditor.get(f"/artifacts/{KEY}"))
    assert "The bytes here are not those that were recorded." in text
    assert "The metadata key tokenizer.chat_template differs: expected sha256 1f, found 2e" in text
    assert text.index("bad.gguf") < text.index("good.gguf"), "what failed comes first"
    shown = auditor.get(f"/artifacts/{KEY}").content.decode()
    assert f'title="sha256:{factories.sha256("altered")}"' in shown
    assert ">Tensors are equal.</li>" in shown, "each difference is a line of its own"


def test_each_copy_says_how_and_when_it_was_looked_at(auditor: Client, copied: None) -> None:
    shown = auditor.get(f"/artifacts/{KEY}").content.decode()
    good = re.search(r"<tbody data-status=\"verified\">.*?</tbody>", shown, re.S)
    assert good is not None
    assert "BLAKE3 of all bytes" in good[0]
    assert "4.8\xa0MB" in good[0]
    for outcome, slug in (("Differs", "failed"), ("Never checked", "unverified"), ("Overdue", "expired")):
        found = re.search(rf'<tbody data-status="{slug}">.*?</tbody>', shown, re.S)
        assert found is not None
        assert outcome in found[0]
    assert 'href="/locations/folder-' in shown
    assert "Mentioned, not opened" in shown
    assert "https://elsewhere.example/llama.gguf" in shown


def test_each_checked_copy_has_a_picture_whose_words_say_the_same(auditor: Client, copied: None) -> None:
    shown = auditor.get(f"/artifacts/{KEY}").content.decode()
    titles = re.findall(r'<title id="chart-\d">(.*?)</title>', shown)
    assert len(titles) == 3, "the copy that was never checked has none"
    assert any("4 checks" in title and "3 matched, 1 could not be carried out." in title for title in titles)
    assert any("1 matched, 1 differed." in title for title in titles)
    assert "style=" not in shown


def test_the_history_says_how_much_each_check_compared(auditor: Client, copied: None) -> None:
    shown = text_of(auditor.get(f"/artifacts/{KEY}"))
    history = shown.partition("History: 7 checks")[2]
    assert "BLAKE3 of all bytes" in history
    assert "computed digest" in history
    assert "the connection was cut at byte 4096" in history


def test_a_withdrawn_copy_stands_apart(auditor: Client, storage_root: None, graph: Callable[[], int]) -> None:
    state(factories.registered(), GOOD, BAD)
    graph()
    decide_checks.withdraw_location(KEY, BAD, "moved", person=factories.PERSON)
    graph()
    shown = re.sub("<wbr>", "", auditor.get(f"/artifacts/{KEY}").content.decode())
    standing, _, apart = shown.partition("<h3>Withdrawn</h3>")
    assert "bad.gguf" in apart
    assert "bad.gguf" not in standing
    assert "good.gguf" in standing


def test_only_who_may_check_is_offered_it(person: Callable[[str], Client], copied: None) -> None:
    for role, may in (("auditor", False), ("officer", True), ("operator", True)):
        client = person(role)
        shown = client.get(f"/artifacts/{KEY}").content.decode()
        assert ('id="verify-now"' in shown) is may, role
        assert client.post(f"/artifacts/{KEY}/verify").status_code == (302 if may else 403)
        assert 'id="verify-now"' not in client.get(f"/artifacts/{KEY}?as_of=9").content.decode()
    assert Job.objects.filter(kind="reverify", key=KEY).count() == 1, "the one that waits is the one"
    assert person("officer").get(f"/artifacts/{KEY}/verify").status_code == 405
    assert person("officer").post(f"/artifacts/sha256:{'0' * 64}/verify").status_code == 404


def test_asking_needs_its_csrf_token(copied: None) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(factories.user("officer"), "allauth.account.auth_backends.AuthenticationBackend")
    assert client.post(f"/artifacts/{KEY}/verify").status_code == 403
    assert not Job.objects.exists()


def test_without_scripts_the_page_shows_the_check_that_was_asked_for(
    person: Callable[[str], Client], copied: None
) -> None:
    officer = person("officer")
    answer = officer.post(f"/artifacts/{KEY}/verify")
    job = Job.objects.get()
    assert answer["Location"] == f"/artifacts/{KEY}?job={job.pk}#copies"
    text = text_of(officer.get(answer["Location"].partition("#")[0]))
    assert "The check is in line" in text
    assert "No worker looks after such jobs now." in text


def test_a_check_of_something_else_is_not_shown(person: Callable[[str], Client], copied: None) -> None:
    officer = person("officer")
    other = jobs.enqueue("reverify", "all")
    for number in (other, 99_999, "x", 2**70):
        assert officer.get(f"/artifacts/{KEY}/checking", {"job": number}).status_code == 404
        assert 'hx-trigger="every' not in officer.get(f"/artifacts/{KEY}", {"job": number}).content.decode()


@pytest.fixture
def bytes_on_disk(tmp_path: Path, graph: Callable[[], int]) -> Iterator[tuple[str, Path]]:
    """The key of an artifact whose one copy really lies there, never checked, and where."""
    path = tmp_path / "model.bin"
    path.write_bytes(b"bytes of a model" * 1000)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LINEAGE_STORAGE_ROOTS", str(tmp_path))
        config.current.cache_clear()
        subject = factories.artifact("model.bin", digest, downloadLocation=f"file://{path}")
        installation.send(factories.registered(), factories.statement(subject))
        graph()
        yield f"sha256:{digest}", path
    config.current.cache_clear()


def test_at_its_end_the_copies_and_the_status_are_new(
    person: Callable[[str], Client], bytes_on_disk: tuple[str, Path], graph: Callable[[], int]
) -> None:
    key, path = bytes_on_disk
    officer = person("officer")
    first = officer.post(f"/artifacts/{key}/verify", headers={"HX-Request": "true"})
    job = Job.objects.get()
    assert f'hx-get="/artifacts/{key}/checking?job={job.pk}"' in first.content.decode()
    jobs.drain("tests", queues=["long"])
    waiting = officer.get(f"/artifacts/{key}/checking?job={job.pk}")
    assert "comes into the graph" in waiting.content.decode()
    assert 'hx-trigger="every' in waiting.content.decode()
    graph()
    ended = officer.get(f"/artifacts/{key}/checking?job={job.pk}")
    text = ended.content.decode()
    assert (ended["HX-Retarget"], ended["HX-Reswap"]) == ("#copies-card", "outerHTML")
    assert 'hx-trigger="every' not in text
    assert "1 copy checked: 1 matches." in text
    assert 'id="node-status" hx-swap-oob="true"' in text
    assert "The last check of every copy matched" in text
    path.write_bytes(b"altered")
    officer.post(f"/artifacts/{key}/verify", headers={"HX-Request": "true"})
    jobs.drain("tests", queues=["long"])
    graph()
    job_id = Job.objects.latest("pk").pk
    said = text_of(officer.get(f"/artifacts/{key}/checking?job={job_id}"))
    assert "1 copy checked: 1 differs." in said
    assert "Why it failed" in said


@pytest.mark.service
def test_in_a_browser_verify_now_moves_by_keyboard_alone_and_ends_in_words(
    bytes_on_disk: tuple[str, Path], graph: Callable[[], int], watched: Any, live_server: Any
) -> None:
    key, path = bytes_on_disk
    sign_in(watched, live_server.url, factories.user("officer", PASSWORD).email)
    watched.goto(f"{live_server.url}/artifacts/{key}")
    assert watched.locator("#node-status").inner_text().strip() == "Unverified"
    watched.locator("#verify-now").focus()
    watched.keyboard.press("Enter")
    watched.wait_for_selector("#checking:has-text('The check is in line')")
    assert watched.evaluate("document.activeElement.id") == "verify-now", "the focus stays where it was"
    moving = Job.objects.filter(key=key)
    moving.update(state="running", progress_done=10, progress_total=100, lease_until_us=now_us() + 10**12)
    watched.wait_for_selector("#checking progress[value='10']")
    moving.update(progress_done=60, note=f"file://{path}")
    watched.wait_for_selector("#checking progress[value='60']")
    moving.update(state="queued")
    jobs.drain("tests", queues=["long"])
    graph()
    watched.wait_for_selector("#checking:has-text('1 copy checked: 1 matches.')")
    assert watched.locator("#node-status").inner_text().strip() == "Verified"
    assert watched.locator("#spoken").inner_text() == "1 copy checked: 1 matches."
    assert watched.locator("svg.chart").count() == 1


@pytest.mark.service
def test_axe_finds_nothing_on_the_copies_in_either_theme(copied: None, page: Any, live_server: Any) -> None:
    page.set_viewport_size({"width": 1280, "height": 800})
    sign_in(page, live_server.url, factories.user("officer", PASSWORD).email)
    page.goto(f"{live_server.url}/artifacts/{KEY}")
    page.locator("details > summary", has_text="History").click()
    page.locator("#verify-now").click()
    page.wait_for_selector("#checking .checking")
    assert page.evaluate("document.documentElement.scrollWidth") == 1280
    assert violations(page) == []


def inventoried(key: str, *, unsafe: bool = False) -> None:
    """Record, as our re-verifier does, what is in the artifact."""
    digest = "ab" * 32
    digests = {"metadata": digest, "tensors": "cd" * 32, "gguf-hash:sha256": "ef" * 32}
    parts = (Part("tensor", "output.weight", digest),)
    description = to_values(Description("gguf", digests, parts, {"architecture": "llama"}))
    file = InventoryFile("", 4711, KEY.partition(":")[2], "12" * 32, ("34" * 32,), description)
    found = [Finding("", "It calls os.system.")] if unsafe else []
    made = Inventory(4711, (file,), tuple(found), 1 << 28, (), {"picklescan": "1.0.5"})
    append.raise_first(append.append([inventories.prepare(key, made)]))


def test_what_is_in_it_is_told_with_what_each_digest_covers(
    auditor: Client, copied: None, graph: Callable[[], int]
) -> None:
    assert "What is in it" not in auditor.get(f"/artifacts/{KEY}").content.decode()
    inventoried(KEY)
    graph()
    shown = text_of(auditor.get(f"/artifacts/{KEY}"))
    assert "What is in it" in shown
    assert "Tensor 1" in shown
    assert "Architecture llama" in shown
    assert "A changed chat template leaves it equal." in shown
    assert "Unsafe to load" not in shown
    html = auditor.get(f"/artifacts/{KEY}").content.decode()
    for digest in ("ab", "cd", "ef", "12"):
        assert f'title="{digest * 32}"' in html
    assert "What is in it" not in auditor.get(f"/artifacts/{KEY}?as_of=8").content.decode()


def test_what_is_unsafe_says_why_and_what_a_waiver_does(
    auditor: Client, copied: None, graph: Callable[[], int]
) -> None:
    inventoried(KEY, unsafe=True)
    graph()
    shown = text_of(auditor.get(f"/artifacts/{KEY}"))
    assert "Unsafe to load: It calls os.system." in shown
    assert "an officer decides to waive the finding unsafe-format" in shown
    decide_checks.waive(KEY, "unsafe-format", None, "read in a sandbox", person=factories.PERSON)
    graph()
    assert "Unsafe to load, and waived" in text_of(auditor.get(f"/artifacts/{KEY}"))


def test_a_storage_that_is_gone_is_said_to_be_and_not_that_there_is_no_copy(
    person: Callable[[str], Client], bytes_on_disk: tuple[str, Path], graph: Callable[[], int]
) -> None:
    key, path = bytes_on_disk
    officer = person("officer")
    officer.post(f"/artifacts/{key}/verify", headers={"HX-Request": "true"})
    path.parent.rename(path.parent.with_name("away"))
    jobs.drain("tests", queues=["long"])
    graph()
    said = text_of(officer.get(f"/artifacts/{key}/checking?job={Job.objects.get().pk}"))
    assert "A storage can't be reached, and what lies there was not checked." in said
    assert "Why it failed" not in said
