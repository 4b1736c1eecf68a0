"""The story of a stolen key, in a real Chromium: registered, used, stolen, and what rested on it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lineage.db.models import LogHead
from lineage.services import intake
from tests import factories
from tests.web.conftest import PASSWORD, sign_in
from tests.web.installation import MODEL, TRAINING

pytestmark = pytest.mark.service

WEIGHTS = factories.sha256("weights.safetensors")
DATA = factories.sha256("claims.parquet")
BUILDER = "https://ci.example.com/trainer"


@pytest.fixture
def shot(watched: Any) -> Callable[[str], None]:
    """Keep what is seen, where SCREENSHOTS names a folder."""

    def take(name: str) -> None:
        if folder := os.environ.get("SCREENSHOTS"):
            watched.screenshot(path=Path(folder) / f"{name}.png", full_page=True)

    return take


def training() -> dict[str, Any]:
    return factories.statement(
        factories.artifact("weights.safetensors", WEIGHTS),
        predicate_type=TRAINING,
        predicate={
            "builder": {"id": BUILDER},
            "invocationId": "4711",
            "activity": "training",
            "inputs": [factories.artifact("claims.parquet", DATA, role="dataset")],
            "outputs": [{"name": "weights.safetensors", "role": "model"}],
        },
    )


def test_a_stolen_key(
    watched: Any, live_server: Any, graph: Callable[[], int], shot: Callable[[str], None]
) -> None:
    person = factories.user("operator", PASSWORD)
    page, url = watched, live_server.url
    sign_in(page, url, person.email)
    key = factories.signer()

    page.goto(f"{url}/keys")
    page.click("text=Register a key")
    page.fill("[name=name]", "trainer")
    page.fill("[name=public_key]", key.private.public.pem().decode())
    page.fill("[name=predicate_types]", f"{TRAINING}\n{MODEL}")
    page.fill("[name=builders]", BUILDER)
    page.click("text=Register it")
    assert "Registered in entry" in page.inner_text("main")

    intake.submit(key.envelope(training()), token="ci")
    graph()
    artifact = f"{url}/artifacts/sha256:{WEIGHTS}"
    page.goto(artifact)
    assert "Verified" in page.inner_text("main")
    before = LogHead.objects.get(pk=1).size

    page.goto(f"{url}/keys/{key.key_id}")
    shot("key-in-force")
    page.click("text=Revoke it")
    page.fill("[name=from_]", "2026-01-01T00:00:00Z")
    page.fill("[name=reason]", "Laptop stolen on the train")
    page.check("[name=compromised]")
    shot("key-revoke")
    page.click("button:has-text('Revoke it')")
    assert "Laptop stolen on the train" in page.inner_text("main")
    shot("key-compromised")
    graph()

    page.goto(artifact)
    assert "Verified" not in page.inner_text("main .head")
    shot("artifact-after")
    page.goto(f"{artifact}?as_of={before}")
    assert "Verified" in page.inner_text("main .head")

    page.goto(f"{url}/attestations?kind=decision")
    page.locator("main table a").first.click()
    changed = page.inner_text("main")
    assert "weights.safetensors" in changed
    assert "Unverified" in changed
    shot("decision-consequences")
