"""Copies: what is one, the order of checks, each reason, the moment at which a match has aged out."""

from __future__ import annotations

import itertools

import pytest

from lineage.graph import check_policy
from lineage.graph.locations import Root, root_of
from lineage.graph.model import CheckResult
from lineage.graph.status import Piece, Rules, Status, at
from lineage.graph.status_copies import roots_of
from lineage.graph.status_facts import capped
from tests.unit.graph.status_cases import ARTIFACT, COPY, DAY_US, NOW_US, A, B, Said, always, artifact, until

VERIFIED = Piece(Status.VERIFIED, ())
OVERDUE = Piece(Status.EXPIRED, ("check-overdue",))


def copied() -> Said:
    return artifact().attested().at(COPY)


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("file:///srv/models/m.bin", True),
        ("file:///srv/models", True),
        ("file:///srv/models/", True),
        ("file:///srv/models/a/./b", True),
        ("file:///srv//models/a", True),
        ("file://localhost/srv/models/a", True),
        ("file://LOCALHOST/srv/models/a", True),
        ("file:///srv/models/with%20space", True),
        ("file:///srv/mod%65ls/a", True),
        ("file:///srv/models/..a", True),
        ("file:///mnt/d%C3%A9p%C3%B4t/a", True),
        ("file:///mnt/dépôt/a", True),
        ("file:///srv/modelsx/m.bin", False),
        ("file:///srv", False),
        ("file:///srv/models/../secret", False),
        ("file:///srv/models/%2e%2e/secret", False),
        ("file:///srv/models/..%2fsecret", False),
        ("file:///srv/models/a%00b", False),
        ("file:///srv/models/a?x=1", False),
        ("file:///srv/models/a#x", False),
        ("file://elsewhere/srv/models/a", False),
        ("file://srv/models/a", False),
        ("file:/srv/models/a", False),
        ("FILE:///srv/models/a", False),
        ("/srv/models/a", False),
        ("s3://srv/models/a", False),
        ("https://example.com/srv/models/a", False),
        ("file://", False),
        ("", False),
    ],
)
def test_what_is_a_copy_and_what_a_mention(location: str, expected: bool) -> None:
    roots = (Root("models", "file:///srv/models"), Root("dépôt", "file:///mnt/d%C3%A9p%C3%B4t"))
    assert (root_of(location, roots) is not None) is expected


def test_without_roots_there_are_no_copies() -> None:
    assert root_of(COPY, ()) is None


def test_a_mention_has_no_effect_whatever_was_found_there() -> None:
    elsewhere = "file:///home/someone/m.bin"
    said = (
        artifact()
        .attested()
        .at(elsewhere)
        .at("s3://bucket/m")
        .checked("mismatch", NOW_US, location=elsewhere)
    )
    assert said.status() == always(Status.VERIFIED)


def test_a_check_where_nobody_says_a_copy_lies_has_no_effect() -> None:
    assert artifact().attested().checked("mismatch", NOW_US).status() == always(Status.VERIFIED)


def test_a_copy_that_nobody_looked_at() -> None:
    assert copied().status() == always(Status.UNVERIFIED, "never-checked")


def test_a_copy_and_no_attestation() -> None:
    assert artifact().at(COPY).status() == always(Status.UNVERIFIED, "never-checked", "no-attestation")


def test_a_match_holds_for_seven_days_to_the_microsecond() -> None:
    pieces = copied().checked("match", NOW_US).status()
    assert check_policy.DEFAULT.default.full == 7 * 86_400
    assert pieces == until(NOW_US + 7 * DAY_US, VERIFIED, OVERDUE)
    assert at(pieces, NOW_US + 7 * DAY_US - 1).status is Status.VERIFIED
    assert at(pieces, NOW_US + 7 * DAY_US).status is Status.EXPIRED


def test_without_an_attestation_a_match_verifies_nothing_but_ages_all_the_same() -> None:
    unattested = Piece(Status.UNVERIFIED, ("no-attestation",))
    pieces = artifact().at(COPY).checked("match", NOW_US).status()
    assert pieces == until(NOW_US + 7 * DAY_US, unattested, OVERDUE)


def test_a_mismatch_fails_at_every_moment() -> None:
    assert copied().checked("mismatch", NOW_US).status() == always(Status.FAILED, "copy-mismatch")


def test_a_mismatch_outranks_everything() -> None:
    said = artifact().at(COPY).checked("mismatch", NOW_US)
    assert said.status() == always(Status.FAILED, "copy-mismatch")


def test_only_inconclusive_looks() -> None:
    assert copied().checked("inconclusive", NOW_US).status() == always(Status.UNVERIFIED, "inconclusive")


def test_an_inconclusive_look_takes_no_fresh_match_away() -> None:
    pieces = copied().checked("match", NOW_US).checked("inconclusive", NOW_US + DAY_US, index=12).status()
    assert pieces == until(NOW_US + 7 * DAY_US, VERIFIED, OVERDUE)


def test_an_inconclusive_look_takes_no_mismatch_away() -> None:
    said = copied().checked("match", NOW_US).checked("mismatch", NOW_US + 1, index=12)
    said.checked("inconclusive", NOW_US + 2, index=13)
    assert said.status() == always(Status.FAILED, "copy-mismatch")


def test_a_later_match_heals_a_mismatch() -> None:
    pieces = copied().checked("mismatch", NOW_US).checked("match", NOW_US + 1, index=12).status()
    assert pieces == until(NOW_US + 1 + 7 * DAY_US, VERIFIED, OVERDUE)


def test_the_order_is_that_of_the_looks_not_of_the_log() -> None:
    looks = [("match", NOW_US, 30), ("mismatch", NOW_US + 1, 20), ("inconclusive", NOW_US + 2, 10)]
    for order in itertools.permutations(looks):
        said = copied()
        for outcome, at_us, index in order:
            said.checked(outcome, at_us, index=index)
        assert said.status() == always(Status.FAILED, "copy-mismatch")


def test_at_the_same_moment_the_later_entry_counts_and_in_one_entry_the_worse_row() -> None:
    later_match = copied().checked("mismatch", NOW_US, index=11).checked("match", NOW_US, index=12)
    assert at(later_match.status(), NOW_US).status is Status.VERIFIED
    later_mismatch = copied().checked("match", NOW_US, index=11).checked("mismatch", NOW_US, index=12)
    assert at(later_mismatch.status(), NOW_US).status is Status.FAILED
    for outcomes in (("match", "mismatch"), ("mismatch", "match")):
        same_entry = copied()
        for outcome in outcomes:
            same_entry.checked(outcome, NOW_US, index=11)
        assert at(same_entry.status(), NOW_US).status is Status.FAILED


def test_an_old_pass_replayed_changes_nothing() -> None:
    said = copied().checked("mismatch", NOW_US + DAY_US, index=20).checked("match", NOW_US, index=30)
    assert said.status() == always(Status.FAILED, "copy-mismatch")


def test_a_check_cannot_be_later_than_its_log_time() -> None:
    check = CheckResult(ARTIFACT, COPY, "sha256", "e", "o", "match", "", at=NOW_US + 99)
    assert capped(check, NOW_US) == NOW_US
    assert capped(check, NOW_US + 100) == NOW_US + 99


def test_the_oldest_match_of_several_copies_decides() -> None:
    other = "file:///srv/models/second.bin"
    said = copied().at(other).checked("match", NOW_US + DAY_US)
    said.checked("match", NOW_US, location=other)
    assert said.status() == until(NOW_US + 7 * DAY_US, VERIFIED, OVERDUE)


def test_copies_in_different_states_are_all_told() -> None:
    said = copied().at("file:///srv/models/second.bin").checked("inconclusive", NOW_US)
    assert said.status() == always(Status.UNVERIFIED, "inconclusive", "never-checked")


def test_looks_of_a_revoked_checker_count_from_the_cutoff_on_no_more() -> None:
    for cutoff, status in ((12, Status.FAILED), (11, Status.UNVERIFIED)):
        said = (
            artifact(cutoffs={B: cutoff}).attested().at(COPY).checked("mismatch", NOW_US, signer=B, index=11)
        )
        assert at(said.status(), NOW_US).status is status


def test_an_earlier_look_comes_back_when_the_later_is_disbelieved() -> None:
    said = artifact(cutoffs={B: 20}).attested().at(COPY)
    said.checked("match", NOW_US, signer=B, index=11).checked("match", NOW_US + DAY_US, signer=B, index=20)
    assert said.status() == until(NOW_US + 7 * DAY_US, VERIFIED, OVERDUE)


def test_a_location_that_only_a_revoked_signer_states_is_no_copy() -> None:
    said = artifact(cutoffs={B: 5}).attested(A).at(COPY, signer=B).checked("mismatch", NOW_US)
    assert said.status() == always(Status.VERIFIED)
    assert said.at(COPY, signer=A).status() == always(Status.FAILED, "copy-mismatch")


def test_another_rule_or_root_is_another_fingerprint() -> None:
    a, b = Root("a", "file:///a"), Root("b", "file:///b")
    prints = {
        Rules().fingerprint(),
        Rules((a, b)).fingerprint(),
        Rules((Root("a", "file:///a/b"),)).fingerprint(),
        Rules((Root("other", "file:///a"), b)).fingerprint(),
    }
    assert len(prints) == 4
    assert Rules((a, b)).fingerprint() == Rules((b, a)).fingerprint()


def test_the_storages_of_a_fingerprint() -> None:
    a, b = Root("a", "file:///a b"), Root("ü", 's3://b/"[1,2]')
    told = Rules((b, a)).fingerprint()
    assert roots_of(told) == roots_of(f"{told} redacted 7") == (a, b)
    assert roots_of(Rules().fingerprint()) == ()


@pytest.mark.parametrize(
    "other", ["", "v8:5a5a", "v7 []", "v8", "v8 ", "v8 [[1", "v8 7", "v8 [7]", 'v8 [["a"]]']
)
def test_a_fingerprint_of_another_version_tells_no_storages(other: str) -> None:
    assert roots_of(other) is None
