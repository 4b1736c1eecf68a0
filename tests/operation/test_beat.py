"""Beat ends when it is told to, whatever it does at that moment."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests import forks
from tests.server import CHECKOUT

pytestmark = pytest.mark.service

PATIENCE_SECONDS = 60.0
TOLD_IN_THE_MIDDLE = """
import os, signal
from workers import schedule
from workers.app import app

def sent(self, entry, producer=None, advance=True, **options):
    try:  # as Redis's client does where its connection is lost
        os.kill(os.getpid(), signal.SIGTERM)
    except SystemExit:
        print("told", flush=True)
    return self.reserve(entry)

schedule.Scheduler.apply_async = sent
app.Beat(loglevel="WARNING", quiet=True).run()
print("ended")
"""


def test_it_ends_although_its_exit_is_swallowed(tmp_path: Path, fresh_redis: str) -> None:
    others = {name: value for name, value in os.environ.items() if not name.startswith("LINEAGE_")}
    settings = {"LINEAGE_HOME": str(tmp_path), "LINEAGE_BROKER_URL": fresh_redis}
    environment = {**others, **settings, "PYTHONPATH": str(CHECKOUT)}
    environment["DJANGO_SETTINGS_MODULE"] = "lineage.settings"
    beat = forks.start(["-c", TOLD_IN_THE_MIDDLE], env=environment, cwd=tmp_path)
    try:
        assert beat.wait(PATIENCE_SECONDS) == 0, beat.communicate()
        assert beat.communicate()[0].splitlines()[-2:] == ["told", "ended"]
    finally:
        beat.kill()
