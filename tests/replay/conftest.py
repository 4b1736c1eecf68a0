"""An installation whose log is drawn at random: `REPLAY_SEED` draws another one."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from lineage import config
from lineage.services import as_of, bootstrap, decide, log_batch, publish, withdraw
from tests.conftest import forget_other_logs
from tests.replay.generator import Generator
from tests.replay.statements import ROOTS

SEED = int(os.environ.get("REPLAY_SEED", "20260301"))


@pytest.fixture
def generator(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Generator]:
    """An installation with entry 0 and storage roots, whose clock is the generator's."""
    made = Generator(SEED)
    for module in (as_of, bootstrap, decide, log_batch, publish, withdraw):
        monkeypatch.setattr(module, "now_us", made.clock)
    monkeypatch.setenv("LINEAGE_STORAGE_ROOTS", os.pathsep.join(ROOTS))
    config.current.cache_clear()
    forget_other_logs()
    bootstrap.ensure()
    yield made
    monkeypatch.undo()
    config.current.cache_clear()
    forget_other_logs()
