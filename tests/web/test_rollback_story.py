"""The story of a backup that was put back, by `lineage up` and a real Chromium: refused, seen, decided."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lineage.client.sending import Client
from lineage.errors import LineageError
from tests import factories
from tests.integration.backups import Installation
from tests.integration.uptree import up
from tests.server import free_port

pytestmark = pytest.mark.service


@pytest.fixture
def shot(page: Any) -> Callable[[str], None]:
    """Keep what is seen, where SCREENSHOTS names a folder."""

    def take(name: str) -> None:
        if folder := os.environ.get("SCREENSHOTS"):
            page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)

    return take


class Pipeline:
    """Sends by the client that pipelines use, with a key that it registers."""

    def __init__(self, home: Path, port: int) -> None:
        installation = Installation(home)
        self._signer = factories.signer()
        pem = home.parent / "pipeline.pem"
        pem.write_bytes(self._signer.private.public.pem())
        installation.lineage("keys", "register", "--public-key", str(pem), "--name", "trainer", "--any")
        made = installation.lineage("tokens", "create", "--name", "ci", "--scope", "attest")
        self._client = Client(f"http://127.0.0.1:{port}", made["token"], attempts=0)

    def send(self) -> int:
        """The index of one more entry, once it is published."""
        envelope = self._signer.envelope(factories.statement())
        return self._client.send(envelope, wait="published").index


def put_back(home: Path, backup: Path) -> None:
    """As docs/operate.md says: into an empty database, the home staying as it is."""
    for end in ("", "-wal", "-shm"):
        (home / f"lineage.sqlite3{end}").unlink(missing_ok=True)
    Installation(home).lineage("restore", str(backup))


def signed_in(page: Any, printed: dict[str, str]) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(f"{printed['url']}/accounts/login/")
    page.fill("#login", printed["login"])
    page.fill("#password", printed["password"])
    page.click("button:has-text('Sign in')")
    page.wait_for_url(f"{printed['url']}/")


def test_people_see_that_an_older_backup_was_put_back(
    tmp_path: Path, page: Any, shot: Callable[[str], None]
) -> None:
    home, backup, port = tmp_path / "home", tmp_path / "monday.tar.gz", free_port()
    with up(home, port):
        pipeline = Pipeline(home, port)
        kept = [pipeline.send() for _ in range(2)][-1] + 1
        Installation(home).lineage("backup", str(backup))
        lost = [pipeline.send() for _ in range(3)][-1] + 1
    put_back(home, backup)
    with up(home, port) as running:
        assert "WARNING: nothing is appended or published." in (tmp_path / "stderr").read_text()
        with pytest.raises(LineageError, match=f"{lost} entries were published") as refused:
            pipeline.send()
        assert "new-epoch" in refused.value.hint
        signed_in(page, running.printed)
        banner = page.locator("section[aria-label='Rolled back']")
        assert f"the database holds {kept}: an older state of it was put back" in banner.inner_text()
        shot("rolled-back-today")
        page.goto(f"{running.url}/system")
        row = page.locator("tr.barred", has_text="High water")
        assert "Rolled back" in row.inner_text()
        assert page.locator("div.message", has_text="High water").count() == 0  # the banner says it
        assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
        shot("rolled-back-system")
        Installation(home).lineage("log", "new-epoch", "--reason", "the disk failed", "--yes")
        assert pipeline.send() == kept + 1
        page.goto(f"{running.url}/")
        assert page.locator("section[aria-label='Rolled back']").count() == 0
        shot("new-epoch-today")
