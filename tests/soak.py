"""What `make soak` runs and CI leaves out: more of what CI shows with a few. CONTRIBUTING.md lists it.

A test or parameter marked `soak` is chosen where the environment has SOAK, and nowhere else.
"""

from __future__ import annotations

import os

import pytest

SOAK = "SOAK" in os.environ


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out = [] if SOAK else [item for item in items if item.get_closest_marker("soak")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("soak")]
