"""The groups of files that share a process name files that there are, each in one group."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.server import CHECKOUT
from tests.sharing import GROUPS, group

FILES = [str(path.relative_to(CHECKOUT)) for path in (CHECKOUT / "tests").rglob("test_*.py")]


@pytest.mark.parametrize("start", [start for starts in GROUPS.values() for start in starts])
def test_each_beginning_is_of_some_file(start: str) -> None:
    assert any(file.startswith(start) for file in FILES)


def test_a_file_is_in_one_group_or_by_itself() -> None:
    found = Counter(file for file in FILES for starts in GROUPS.values() if file.startswith(starts))
    assert found.most_common(1)[0][1] == 1
    assert group("tests/conformance/test_cases.py::test_sql[roles]") == "Neo4j"
    assert group("tests/unit/test_probe.py::test_it[a::b]") == "tests/unit/test_probe.py"
