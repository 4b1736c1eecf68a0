"""Fixtures of the integration tests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lineage.config import current
from lineage.services import project
from tests.integration.projections import ROOT


@pytest.fixture
def storage_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files under `ROOT` are copies, as if it had been configured."""
    rooted = replace(current(), storage_roots=(Path(ROOT),))
    monkeypatch.setattr(project, "current", lambda: rooted)
