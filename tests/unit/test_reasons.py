"""Every reason that a status can have is explained to people, with what makes it go away."""

from __future__ import annotations

import pytest

from lineage.graph.status import Reason
from lineage.web import words
from lineage.web.reasons import REMEDIES, explain


@pytest.mark.parametrize("slug", [*(reason.value for reason in Reason), "bytes-not-checked"])
def test_a_reason_has_a_sentence_and_a_remedy(slug: str) -> None:
    told = explain(slug)
    assert slug in words.REASONS
    assert told.slug == slug
    assert told.remedy.endswith(".")


def test_what_a_reason_is_about_is_told_too() -> None:
    told = explain("copy-mismatch=file:///srv/a")
    assert told.sentence.endswith(": file:///srv/a")
    assert told.remedy == REMEDIES["copy-mismatch"]


def test_a_reason_of_a_later_version_is_still_shown() -> None:
    told = explain("brand-new-reason")
    assert told.sentence == "Brand new reason"
    assert told.remedy == ""
