"""Which test files go to one process where several share them: those that use the same costly service.

Each process starts its own Neo4j, MLflow or Chromium, which takes as long as many tests; Neo4j also plans a
question anew that another one has planned. Owns: the groups. A file of none is by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import pytest

GROUPS: Mapping[str, tuple[str, ...]] = {
    "Neo4j": (
        "tests/conformance/",
        *("tests/api/test_cypher.py", "tests/integration/test_graph_check_neo4j.py"),
        *("tests/integration/test_graph_choice.py", "tests/integration/test_graph_query"),
        *("tests/integration/test_localservices.py", "tests/integration/test_neo4j_classes.py"),
        *("tests/integration/test_neo4j_lists.py", "tests/integration/test_neo4j_plans.py"),
        *("tests/integration/test_neo4j_projector.py", "tests/integration/test_redactions_neo4j.py"),
        *("tests/integration/test_neo4j_outages.py", "tests/operation/test_ready.py"),
        *("tests/operation/test_doctor.py", "tests/web/test_cypher"),
    ),
    "MLflow": (
        *("tests/integration/test_client_mlflow.py", "tests/integration/test_mlflow_"),
        *("tests/integration/test_redactions_mlflow.py", "tests/integration/test_sources_real.py"),
        *("tests/integration/test_storage_mlflow.py", "tests/integration/test_sync"),
        "tests/web/test_observed_real.py",
    ),
    "browser": tuple(
        f"tests/web/test_{name}.py"
        for name in (
            *("alarms", "artifact_decisions", "audits", "browser", "copies", "detail_pages", "jobs"),
            *("layouts_browser", "lineage_browser", "locations", "observed", "passkeys", "revocation_story"),
            *("rollback_story", "sources", "stored_xss", "subscriptions", "system"),
        )
    ),
}
"""Name → how the paths of its files begin. None takes longer than its share of the whole."""


def group(nodeid: str) -> str:
    """The group of a test's file, or the file."""
    file = nodeid.partition("::")[0]
    return next((name for name, starts in GROUPS.items() if file.startswith(starts)), file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """`--dist loadfile` with groups in place of their files."""
    if config.getoption("dist") != "loadfile":
        return None
    scheduling = import_module("xdist.scheduler").LoadFileScheduling(config, log)
    scheduling._split_scope = group
    return scheduling
