"""Every command of docs/key-ceremony.md, in its order, as it stands there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from lineage.cli.main import run
from lineage.services import keyring, platform_keys, publish
from lineage.services.clock import now_us
from lineage.trust.leaf import rfc3339
from tests import factories
from tests.server import CHECKOUT

pytestmark = pytest.mark.usefixtures("log", "key_folder")

STOLEN = "2026-11-28T09:30:00Z"


def commands() -> list[str]:
    """The lines of code in the document that call `lineage`."""
    text = (CHECKOUT / "docs" / "key-ceremony.md").read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S)
    return [line for block in blocks for line in block.splitlines() if line.startswith("lineage ")]


def holder(role: str) -> str:
    key = keyring.current().holder(role)  # type: ignore[arg-type]
    assert key is not None
    return key.key_id


def test_each_command_does_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    publish.publish_once()
    began = {role: holder(role) for role in ("log", "platform", "collector", "reverifier")}
    theft = ""
    done = []
    for line in commands():
        if "prepare platform" in line and not theft:
            theft = rfc3339(now_us())
            factories.registered(name="thief")
        stolen, root = holder("platform"), began.get("root", "")
        values = {"<stolen key id>": stolen, "<root key id>": root, "<origin>": platform_keys.load().origin}
        text = line.replace(STOLEN, theft)
        for name, value in values.items():
            text = text.replace(name, value)
        assert run(shlex.split(text)[1:]) == 0, text
        publish.publish_once()
        if "keys root" in line:
            began["root"] = holder("root")
        done.append(line)
    assert len(done) > 20
    assert all(holder(role) != key for role, key in began.items())
    ring = keyring.current()
    (thief,) = [key_id for key_id, known in ring.keys.items() if known.name == "thief"]
    assert ring.in_force(thief, now_us()) is not None
    assert publish.newest() is not None
