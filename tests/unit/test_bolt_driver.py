"""Neo4j's driver comes without data frames, and takes them from nobody."""

from __future__ import annotations

import subprocess
import sys

import pytest

from lineage.bolt_driver import OPTIONAL


def run(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize("module", ["lineage.graph.neo4j.driver", "lineage.graph.neo4j.backend"])
def test_the_driver_loads_none_of_them(module: str) -> None:
    loaded = f"sorted({set(OPTIONAL)!r} & set(sys.modules))"
    assert run(f"import sys; import {module}; print({loaded}, 'neo4j' in sys.modules)") == "[] True"


def test_what_needs_one_gets_it_before_and_afterwards() -> None:
    pytest.importorskip("numpy")
    load = "from lineage import bolt_driver; bolt_driver.load()"
    assert run(f"{load}; import numpy; print(numpy.add(1, 1))") == "2"
    assert run(f"import numpy; {load}; import sys; print(sys.modules['numpy'] is numpy)") == "True"
