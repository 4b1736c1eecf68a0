"""What a check that is over came to, in one sentence for the page that asked for it."""

from __future__ import annotations

from typing import Any

import pytest

from lineage.services.job_records import JobRecord, Progress
from lineage.web.verify_now import sentence


def record(result: dict[str, Any] | None, state: str = "done", reason: str = "") -> JobRecord:
    return JobRecord(
        id=1, kind="reverify", key="sha256:aa", state=state, progress=Progress(0, 0), note="", reason=reason,
        result=result, entries=[], attempts=1, max_attempts=5, worker="", requested_by="", created_at="",
        due_at="", started_at="", finished_at="",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("result", "words"),
    [
        ({"checked": 1, "match": 1}, "1 copy checked: 1 matches."),
        (
            {"checked": 3, "match": 1, "mismatch": 1, "inconclusive": 1},
            "3 copies checked: 1 matches, 1 differs, 1 could not be checked.",
        ),
        ({"checked": 0}, "There was no copy to check."),
        (
            {"checked": 0, "paused": {"apart": "2 copies"}},
            "Paused, so not read: apart with 2 copies. An operator has to resume it first.",
        ),
        (
            {"checked": 1, "match": 1, "gone": {"models": "No bucket."}, "paused": {"apart": "1 copy"}},
            "1 copy checked: 1 matches. A storage can't be reached, and what lies there was not checked. "
            "models: No bucket. Paused, so not read: apart with 1 copy. An operator has to resume it first.",
        ),
    ],
    ids=["match", "each", "none", "paused", "all"],
)
def test_what_it_came_to(result: dict[str, Any], words: str) -> None:
    assert sentence(record(result)) == words


def test_one_that_failed() -> None:
    assert sentence(record(None, "failed", "it broke")) == "The check failed: it broke"
