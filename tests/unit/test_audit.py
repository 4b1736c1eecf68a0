"""The audit of the requirements: findings fail, and a service that can't be asked is said to be skipped."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

TOOL = Path(__file__).resolve().parents[2] / "tools" / "audit.py"


@pytest.fixture(scope="module")
def audit() -> Any:
    spec = importlib.util.spec_from_file_location("audit_tool", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GOOD = {"name": "click", "version": "8.1", "vulns": []}
BAD = {"name": "leaky", "version": "1.0", "vulns": [{"id": "PYSEC-2026-1", "fix_versions": ["1.1"]}]}
UNKNOWN = {"name": "ours", "skip_reason": "Dependency not found on PyPI and could not be audited: ours (1)"}


def answer(*packages: dict[str, Any]) -> str:
    return json.dumps({"dependencies": list(packages), "fixes": []})


@pytest.mark.parametrize(
    ("code", "found", "said", "expected", "words"),
    [
        (0, answer(GOOD), "", 0, "1 packages, nothing known"),
        (1, answer(GOOD, BAD), "", 1, "leaky 1.0: PYSEC-2026-1, mended in 1.1"),
        (1, answer(UNKNOWN, BAD), "", 1, "leaky 1.0"),
        (0, answer(GOOD, UNKNOWN), "", 0, "not known there: ours"),
        (0, answer(UNKNOWN), "", 0, "SKIPPED"),
        (1, "", "requests.exceptions.ConnectionError: HTTPSConnectionPool(host='x')", 0, "SKIPPED"),
        (1, "", "ERROR:pip_audit._cli:ServiceError: could not reach", 0, "SKIPPED"),
        (1, "", "ERROR: hash mismatch for click", 1, "failed: ERROR: hash mismatch"),
        (1, "", "", 1, "ended with 1"),
        (2, answer(GOOD), "", 1, "ended with 2"),
        (0, "[]", "", 1, "failed"),
    ],
)
def test_what_is_made_of_an_answer(
    audit: Any, code: int, found: str, said: str, expected: int, words: str
) -> None:
    judged, told = audit.judge(code, found, said)
    assert judged == expected
    assert words in told
    assert ("SKIPPED" in told) <= (judged == 0)


def test_every_lock_is_audited_and_nothing_is_installed(audit: Any) -> None:
    asked = audit.command(audit.LOCKS)
    assert {"--disable-pip", "--require-hashes"} <= set(asked)
    assert all((TOOL.parents[1] / lock).exists() for lock in audit.LOCKS)
