"""Every reason that a status can have is explained to people, with what makes it go away."""

from __future__ import annotations

import pytest

from lineage.graph.model import NodeKind
from lineage.graph.status import Reason
from lineage.services.reasons import REASONS, REASONS_OF_KINDS, REMEDIES, REMEDIES_OF_KINDS, explain
from lineage.web import words


@pytest.mark.parametrize(
    "slug", [*(reason.value for reason in Reason), "bytes-not-checked", "status-unknown"]
)
def test_a_reason_has_a_sentence_and_a_remedy(slug: str) -> None:
    told = explain(slug)
    assert slug in REASONS
    assert told.slug == slug
    assert told.remedy.endswith(".")


@pytest.mark.parametrize(("kind", "slug"), [*REASONS_OF_KINDS, *REMEDIES_OF_KINDS])
def test_what_is_said_of_one_kind_alone_is_of_a_kind_and_a_reason_that_exist(kind: str, slug: str) -> None:
    assert kind in set(NodeKind)
    assert slug in set(Reason)
    assert explain(slug, kind) != explain(slug)


def test_a_deployment_is_not_said_to_have_copies_or_an_origin() -> None:
    of_copies = ("copy-mismatch", "check-overdue", "never-checked", "inconclusive", "unsafe-format")
    for slug in (*of_copies, "contested-origin"):
        assert "what it deploys" in explain(slug, "deployment").sentence


def test_a_signature_of_what_only_names_a_thing_is_not_said_to_be_about_it() -> None:
    assert words.trust("signed") == "Signed by a pipeline"
    assert words.trust("signed", ("no-attestation",)) == "Only named, in what a pipeline signed"
    assert words.trust("observed", ("observed-only",)) == "Observed by the collector"


def test_what_a_reason_is_about_is_told_too() -> None:
    told = explain("copy-mismatch=file:///srv/a")
    assert told.sentence.endswith(": file:///srv/a")
    assert told.remedy == REMEDIES["copy-mismatch"]


def test_a_reason_of_a_later_version_is_still_shown() -> None:
    told = explain("brand-new-reason")
    assert told.sentence == "Brand new reason"
    assert told.remedy == ""


def test_what_could_not_be_checked_is_not_said_to_be_wrong() -> None:
    told = explain("inconclusive")
    assert "does not say that the bytes are wrong" in told.remedy
    assert "could not be checked" in told.sentence


def test_an_unsafe_file_says_who_may_waive_it_and_that_it_ends() -> None:
    assert "officer decides to waive" in explain("unsafe-format").remedy
    assert "until that day" in explain("unsafe-format").remedy
