"""What `lineage up` keeps in the environment file of its home."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lineage.cli import up
from lineage.config import load, read_environment_file

NETWORKS = "LINEAGE_PRIVATE_NETWORKS"


def remembered(home: Path, patch: pytest.MonkeyPatch, **settings: str) -> dict[str, str]:
    """The file after a start with these settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LINEAGE_")}
    environment = {**kept, "LINEAGE_HOME": str(home), **settings}
    patch.setattr(os, "environ", environment)
    up._remember(load(environment))
    return read_environment_file(home / "environment")


def test_with_the_example_servers_of_this_machine_may_be_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert remembered(tmp_path, monkeypatch)[NETWORKS] == "127.0.0.0/8"


def test_without_it_none_may_unless_somebody_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert NETWORKS not in remembered(tmp_path, monkeypatch, LINEAGE_DEMO="0")


@pytest.mark.parametrize("said", ["", "10.0.0.0/8"])
def test_what_somebody_said_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    (tmp_path / "environment").write_text(f"{NETWORKS}={said}\n")
    assert remembered(tmp_path, monkeypatch)[NETWORKS] == said
