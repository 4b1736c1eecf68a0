"""A publisher that is killed around the high-water file: it is the old one or the new one, and harmless."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineage.trust import high_water
from tests.integration.backups import Installation

ADD = """
from lineage.services import intake, publish
from tests import factories
signer = factories.registered()
intake.submit(signer.envelope(factories.statement()), token="t")
"""
DIE = """
import os, signal
from pathlib import Path
from lineage.services import high_water_file
def die(*_a, **_k):
    os.kill(os.getpid(), signal.SIGKILL)
"""
POINTS = {
    "before it is written": "high_water_file.write = die\n",
    "half written": """
def half(descriptor):
    os.ftruncate(descriptor, 40)
    die()
os.fsync = half
""",
    "before it has its name": "Path.replace = die\n",
    "once it has its name": "high_water_file._sync = die\n",
}
GO_ON = """
from lineage.services import high_water, publish
before = high_water.rolled_back()
publish.publish_once()
again = high_water.rolled_back()
print(json.dumps({"before": str(before), "again": str(again), "published": publish.published_size()}))
"""


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    home: Path = tmp_path_factory.mktemp("killed") / "home"
    home.mkdir()
    made = Installation(home)
    made.run(ADD + "publish.publish_once()")
    return made


@pytest.mark.parametrize("point", POINTS)
def test_killed_around_it(installation: Installation, point: str) -> None:
    path = installation.home / "high-water"
    before = high_water.parse(path.read_bytes())
    program = "import django; django.setup()\n" + ADD + DIE + POINTS[point] + "publish.publish_once()"
    process = installation.start("-c", program)
    _, err = process.communicate(timeout=60)
    assert process.returncode == -9, err
    left = high_water.parse(path.read_bytes())
    assert (left == before) != (point == "once it has its name")
    told = installation.run(GO_ON)
    assert (told["before"], told["again"]) == ("None", "None")
    after = high_water.parse(path.read_bytes())
    assert after.size == told["published"] > before.size
    assert after.from_size == before.from_size
    assert {each.name for each in installation.home.iterdir() if "high-water" in each.name} == {
        "high-water",
        "high-water.lock",
    }
