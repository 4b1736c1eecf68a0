"""Hostile words in every field of every statement, on every page, in a Chromium that reports violations."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from lineage import visible
from lineage.errors import LineageError
from tests import factories
from tests.web import nasty
from tests.web.conftest import PASSWORD, listening, sign_in
from tests.web.csp_reports import Reports, collecting
from tests.web.tab import NARROW

pytestmark = pytest.mark.service

PICTURES = os.environ.get("PICTURES_OF_TESTS", "")
"""A folder for screenshots of what was walked, to be looked at by people; "" for none."""
LISTS = (
    "/", "/models", "/datasets", "/runs", "/hardware", "/attestations", "/keys", "/roots", "/log", "/jobs",
    "/system", "/refusals", "/accesses", "/sources", "/locations", "/subscriptions", "/check-policy",
    "/tokens", "/layouts", "/proposals", "/forgetting",
)  # fmt: skip

PAGES = {"artifact": "artifacts", "run": "runs"}


@pytest.fixture
def reports(settings: Any) -> Iterator[Reports]:
    with collecting() as found:
        policy = copy.deepcopy(settings.CONTENT_SECURITY_POLICY)
        policy["DIRECTIVES"]["report-uri"] = [found.url]
        settings.CONTENT_SECURITY_POLICY = policy
        yield found


@pytest.fixture
def watched_page(page: Any, live_server: Any, reports: Reports) -> Iterator[tuple[Any, list[str]]]:
    """The browser, and what it complained of: a dialog, an error of a script, a request to anywhere else."""
    complaints: list[str] = []

    def dialog(opened: Any) -> None:
        complaints.append(f"dialog: {opened.message}")
        opened.dismiss()

    def asked(request: Any) -> None:
        if not request.url.startswith((live_server.url, reports.url)):
            complaints.append(f"request: {request.url}")

    heard = {
        "dialog": dialog,
        "pageerror": lambda error: complaints.append(f"script: {error}"),
        "request": asked,
        "console": lambda m: complaints.append(f"console: {m.text}") if m.type == "error" else None,
    }
    page.set_viewport_size(NARROW)
    with listening(page, heard):
        yield page, complaints


def filled(follow: Callable[[], int], kind: str) -> None:
    """A log whose every text is of one hostile kind, as far as it can be said at all."""
    from lineage.services import decide, intake, tokens

    text = nasty.NASTY[kind]
    signer = factories.registered()
    told = 0
    for document in nasty.statements(kind):
        intake.submit(signer.envelope(document), token=text)
        told += nasty.hostile_members(document, text)
    assert told > 60, "most members take any text"
    stranger = factories.signer()
    with pytest.raises(LineageError):
        intake.submit(stranger.envelope(factories.statement(predicate_type=text), keyid=text), token=text)
    plain = visible.text(text)[:150]
    named = factories.signer(plain)
    factories.register(named)
    decide.revoke_key(named.key_id, 0, plain, person=factories.PERSON, compromised=True)
    tokens.create(plain[:60], ["read"], expires_at=None, by="os:tests")
    follow()


def addresses(kind: str) -> Iterator[str]:
    """Every list, and the page of everything that was told."""
    from lineage.db.models import Claim, Entry, Node

    yield from LISTS
    yield f"/search?q={quote(nasty.NASTY[kind][:40])}"
    yield f"/datasets?q={quote(nasty.NASTY[kind][:100])}"
    yield f"/nowhere/{quote(nasty.NASTY[kind][:40], safe='')}"
    for digest in Entry.objects.values_list("envelope_digest", flat=True):
        yield f"/attestations/sha256:{digest}"
    yield f"/attestations/sha256:{digest}/consequences"
    for key, node_kind in Node.objects.order_by("key").values_list("key", "kind"):
        if node_kind == "signer":
            yield f"/keys/{key.partition(':')[2]}"
            continue
        yield f"/{PAGES.get(node_kind, 'nodes')}/{key}"
        if (
            node_kind == "artifact"
            and Claim.objects.filter(node__key=key, kind="role", value="model").exists()
        ):
            yield f"/models/{key}/lineage"
            yield f"/models/{key}/lineage/all"


SEEN = (
    r"""(page) => ({
    inline: [...page.scripts].filter(s => !s.src).length,
    images: page.querySelectorAll('img').length,
    handlers: [...page.querySelectorAll('*')].filter(
        e => [...e.attributes].some(a => a.name.startsWith('on'))).length,
    links: [...page.querySelectorAll('[href], [action], [src]')].filter(e =>
        ['href', 'action', 'src'].some(a =>
            /^\s*(javascript|data|vbscript):/i.test(e.getAttribute(a) || ''))).length,
    turned: (page.documentElement.outerHTML.match(
        /[\u061c\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\u001b]/g) || []).length,
    wide: page.defaultView ? Math.max(0, page.documentElement.scrollWidth - innerWidth) : 0,
    evaluated: page.title.includes('EVALUATED') || page.body.textContent.includes('EVALUATED') ? 1 : 0,
})"""
).replace("EVALUATED", nasty.EVALUATED)
"""What there would be if some text had become markup, and characters that should not be there raw."""
READ = f"""async (paths) => {{
    const seen = {SEEN}, found = {{}};
    for (const path of paths) {{
        const answer = await fetch(path);
        const read = new DOMParser().parseFromString(await answer.text(), "text/html");
        found[path] = [answer.status, seen(read)];
    }}
    return found;
}}"""


def wrong(status: int, counts: dict[str, int]) -> dict[str, int]:
    """What is not as it should be on a page."""
    found = {name: count for name, count in counts.items() if count}
    return {**found, "status": status} if status >= 500 else found


ALSO_READ = "script-url"
"""What can be a link and no markup: in CI its pages are read as Chromium reads them, and not gone to."""


@pytest.mark.parametrize(
    "kind", [kind if kind == "mixed" else pytest.param(kind, marks=pytest.mark.soak) for kind in nasty.NASTY]
)
def test_words_stay_words(
    graph: Callable[[], int],
    watched_page: tuple[Any, list[str]],
    live_server: Any,
    reports: Reports,
    kind: str,
) -> None:
    """All kinds but one are walked by `make soak`, on as many pages."""
    page, complaints = watched_page
    filled(graph, kind)
    sign_in(page, live_server.url, factories.user("operator", PASSWORD).email)
    found: dict[str, dict[str, int]] = {}
    walked = 0
    for number, path in enumerate(dict.fromkeys(addresses(kind))):
        answer = page.goto(live_server.url + path, wait_until="domcontentloaded")
        walked += answer.status == 200
        found[path] = wrong(answer.status, page.evaluate(f"({SEEN})(document)"))
        if PICTURES:
            page.screenshot(path=Path(PICTURES) / f"{kind}-{number:03}.png", full_page=True)
    assert {path: told for path, told in found.items() if told} == {}
    assert walked > 60
    expected = [c for c in complaints if "404 (Not Found)" not in c]
    assert (expected, reports.bodies) == ([], [])


def test_words_are_no_links(graph: Callable[[], int], page: Any, live_server: Any) -> None:
    filled(graph, ALSO_READ)
    sign_in(page, live_server.url, factories.user("operator", PASSWORD).email)
    page.goto(f"{live_server.url}/models")
    found = page.evaluate(READ, list(dict.fromkeys(addresses(ALSO_READ))))
    assert {path: told for path, answer in found.items() if (told := wrong(*answer))} == {}
    assert sum(status == 200 for status, _ in found.values()) > 60


def test_what_is_read_would_be_seen(log: None, page: Any, live_server: Any) -> None:
    page.goto(f"{live_server.url}/accounts/login/")
    evil = "<a href=' JavaScript:alert(1)'>.</a><img src=x onerror=alert(1)><script>1</script>\u202e"
    evil += nasty.EVALUATED
    seen = page.evaluate(f"html => ({SEEN})(new DOMParser().parseFromString(html, 'text/html'))", evil)
    assert set(wrong(200, seen)) == {"inline", "images", "handlers", "links", "turned", "evaluated"}
    assert wrong(500, {}) == {"status": 500}


def test_the_collector_would_have_heard(
    graph: Callable[[], int], watched_page: tuple[Any, list[str]], live_server: Any, reports: Reports
) -> None:
    page, complaints = watched_page
    page.goto(f"{live_server.url}/accounts/login/")
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=alert(1)>')")
    assert reports.arrived.wait(10)
    assert "script-src" in reports.bodies[0]
    assert not [c for c in complaints if c.startswith("dialog")]
