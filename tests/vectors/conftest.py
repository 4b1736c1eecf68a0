"""Third-party vectors: where they lie, and one test case for each expectation.

A module names its family (`FAMILY = "dsse"`) and takes `case`, one object of that family's expected.json, and
`vectors`, the family's folder. Its `APPLIES` maps a test's name to a predicate, where not every case is one
for that test. The data is not part of this repository: `LINEAGE_VECTORS` says where it lies.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

DEFAULT = Path(__file__).parents[3] / "shared" / "vectors"


def _home() -> Path:
    return Path(os.environ.get("LINEAGE_VECTORS") or DEFAULT)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" not in metafunc.fixturenames:
        return
    expected = _home() / metafunc.module.FAMILY / "expected.json"
    if not expected.exists():
        # One case, so that the absence is seen; `vectors` skips or fails it.
        metafunc.parametrize("case", [pytest.param({}, id="no-vectors")])
        return
    applies = getattr(metafunc.module, "APPLIES", {}).get(metafunc.function.__name__, lambda case: True)
    cases = [c for c in json.loads(expected.read_text()) if applies(c)]
    metafunc.parametrize(
        "case", [pytest.param(c, id=f"{i}-{c['file']}-{c['expect']}") for i, c in enumerate(cases)]
    )


@pytest.fixture
def vectors(request: pytest.FixtureRequest) -> Path:
    """The folder of the module's family."""
    folder: Path = _home() / request.module.FAMILY
    if not (folder / "expected.json").exists():
        reason = f"the third-party vectors are not at {folder}; set LINEAGE_VECTORS"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return folder
