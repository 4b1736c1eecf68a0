"""Fixtures of the web room: people who are signed in, a filled installation, a real Chromium."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.test import Client

from lineage import config
from tests import factories
from tests.web import installation
from tests.web.installation import Installation
from tests.web.tab import Tab, site

# Playwright's synchronous interface keeps an event loop in this thread, beside which Django would refuse
# the database.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")

CHROMIUM_FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"),
    # Each page runs axe as if for the first time: what optimises it costs more than it saves.
    "--js-flags=--no-opt --no-maglev",
)
PASSWORD = "correct horse battery"
BACKEND = "allauth.account.auth_backends.AuthenticationBackend"


@pytest.fixture(autouse=True)
def forgotten_attempts() -> None:
    """No test is locked out by the failed sign-ins of another."""
    cache.clear()


@pytest.fixture
def person(log: None) -> Callable[[str], Client]:
    """`person("officer")` is a client signed in as somebody of that role."""

    def sign_in(role: str = "auditor") -> Client:
        client = Client()
        client.force_login(factories.user(role, PASSWORD), BACKEND)
        return client

    return sign_in


@pytest.fixture
def auditor(person: Callable[[str], Client]) -> Client:
    return person("auditor")


@pytest.fixture
def officer(person: Callable[[str], Client]) -> Client:
    return person("officer")


@pytest.fixture
def operator(person: Callable[[str], Client]) -> Client:
    return person("operator")


@pytest.fixture
def storage_root() -> Iterator[None]:
    """Files under installation.ROOT are copies: the platform may open them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LINEAGE_STORAGE_ROOTS", installation.ROOT)
        config.current.cache_clear()
        yield
    config.current.cache_clear()


@pytest.fixture
def installed(storage_root: None, graph: Callable[[], int]) -> Installation:
    """A log and graph with something of everything."""
    return installation.fill(graph)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a real Chromium; without one, a skip, or a failure under LINEAGE_TEST_SERVICES=all.

    The shell has the same engine without the windows, tabs and profiles around it: half of the CPU time.
    """
    path = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    if path is None:
        reason = "chromium is not installed (Debian package: chromium-headless-shell or chromium)"
        if os.environ.get("LINEAGE_TEST_SERVICES") == "all":
            pytest.fail(reason)
        pytest.skip(reason)
    return path


@pytest.fixture(scope="session")
def base_url() -> None:
    """In place of pytest-playwright's own, whose form pytest deprecates: addresses are absolute here."""


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any], chromium: str) -> dict[str, Any]:
    return {**browser_type_launch_args, "executable_path": chromium, "args": list(CHROMIUM_FLAGS)}


@pytest.fixture(scope="session")
def live_server() -> Iterator[Any]:
    """In place of pytest-django's own, whose files a browser asks for again on every page."""
    server = site()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def tab(browser: Any) -> Iterator[Tab]:
    kept = Tab(browser)
    yield kept
    kept.close()


@pytest.fixture
def page(tab: Tab, live_server: Any) -> Iterator[Any]:
    """A browser page that nobody is signed in to; each test of a process has the same."""
    yield tab.clean()
    tab.leave(live_server.url)


REPLACED = ("htmx:afterRequest", "htmx:sendAbort")
"""htmx calls it an error that a newer request takes an older one's place. Any other end has a third name."""


@pytest.fixture
def watched(page: Any, live_server: Any) -> Iterator[Any]:
    """A browser page; the test fails for a console error or a request to another host."""
    complaints: list[str] = []
    heard = {
        "console": lambda m: (
            complaints.append(m.text) if m.type == "error" and not m.text.startswith(REPLACED) else None
        ),
        "pageerror": lambda error: complaints.append(str(error)),
        "request": lambda r: None if r.url.startswith(live_server.url) else complaints.append(r.url),
    }
    with listening(page, heard):
        yield page
    assert complaints == []


@contextmanager
def listening(page: Any, heard: Mapping[str, Callable[[Any], None]]) -> Iterator[None]:
    """Have the page tell what happens (event → who hears of it) for as long."""
    for event, hear in heard.items():
        page.on(event, hear)
    try:
        yield
    finally:
        for event, hear in heard.items():
            page.remove_listener(event, hear)


def sign_in(page: Any, url: str, email: str) -> None:
    """By a session's cookie, without a page. The form has tests of its own."""
    client = Client()
    client.force_login(get_user_model().objects.get(email=email), BACKEND)
    name = django_settings.SESSION_COOKIE_NAME
    page.context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": url}])


def sign_in_by_form(page: Any, url: str, email: str) -> None:
    page.goto(f"{url}/accounts/login/")
    page.fill("#login", email)
    page.fill("#password", PASSWORD)
    page.click("button:has-text('Sign in')")
    page.wait_for_url(f"{url}/")
