"""Findings become pieces: precedence, reasons, boundaries, nothing left out and nothing twice."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from lineage.graph.status import BEGINNING_US, FOREVER_US, PRECEDENCE, Finding, Piece, Status, at, timeline


def test_nothing_found_is_verified_for_ever() -> None:
    assert timeline([]) == (Piece(Status.VERIFIED, (), BEGINNING_US, FOREVER_US),)


@pytest.mark.parametrize(
    ("found", "status"),
    [
        ([Status.FAILED, Status.EXPIRED, Status.UNVERIFIED], Status.FAILED),
        ([Status.EXPIRED, Status.UNVERIFIED], Status.EXPIRED),
        ([Status.UNVERIFIED], Status.UNVERIFIED),
    ],
)
def test_precedence_and_only_the_winners_reasons(found: list[Status], status: Status) -> None:
    findings = [Finding(each, f"because-{each}") for each in reversed(found)]
    assert timeline(findings) == (Piece(status, (f"because-{status}",)),)


def test_all_reasons_of_the_winner_sorted_and_once() -> None:
    findings = [Finding(Status.UNVERIFIED, reason) for reason in ("b", "a", "b", "c")]
    assert timeline(findings)[0].reasons == ("a", "b", "c")


def test_pieces_change_where_a_finding_starts_or_ends() -> None:
    findings = [
        Finding(Status.UNVERIFIED, "early", until_us=100),
        Finding(Status.EXPIRED, "old", from_us=200),
        Finding(Status.FAILED, "bad", from_us=150, until_us=250),
    ]
    assert timeline(findings) == (
        Piece(Status.UNVERIFIED, ("early",), 0, 100),
        Piece(Status.VERIFIED, (), 100, 150),
        Piece(Status.FAILED, ("bad",), 150, 250),
        Piece(Status.EXPIRED, ("old",), 250, FOREVER_US),
    )


def test_neighbours_that_say_the_same_are_one_piece() -> None:
    findings = [Finding(Status.FAILED, "bad"), Finding(Status.EXPIRED, "old", from_us=5)]
    assert timeline(findings) == (Piece(Status.FAILED, ("bad",)),)


def test_findings_before_the_beginning_and_empty_ones() -> None:
    findings = [
        Finding(Status.EXPIRED, "old", from_us=-7),
        Finding(Status.FAILED, "never", from_us=9, until_us=9),
    ]
    assert timeline(findings) == (Piece(Status.EXPIRED, ("old",)),)
    assert timeline([Finding(Status.UNVERIFIED, "early", until_us=-7)]) == timeline([])


def test_the_piece_at_a_moment_includes_its_start_and_not_its_end() -> None:
    pieces = timeline([Finding(Status.EXPIRED, "old", from_us=100)])
    assert [at(pieces, t).status for t in (0, 99, 100, FOREVER_US - 1)] == [
        Status.VERIFIED, Status.VERIFIED, Status.EXPIRED, Status.EXPIRED,
    ]  # fmt: skip


def test_random_findings_agree_with_a_look_at_every_moment() -> None:
    draw = random.Random(20)
    for _ in range(300):
        findings = [
            Finding(draw.choice(PRECEDENCE[:3]), draw.choice("abc"), start, start + draw.randrange(1, 12))
            for start in (draw.randrange(20) for _ in range(draw.randrange(5)))
        ]
        pieces = timeline(findings)
        assert pieces[0].from_us == BEGINNING_US
        assert pieces[-1].until_us == FOREVER_US
        for one, next_one in pairwise(pieces):
            assert one.until_us == next_one.from_us
            assert (one.status, one.reasons) != (next_one.status, next_one.reasons)
        for moment in range(35):
            holding = [f for f in findings if f.from_us <= moment < f.until_us]
            status = next((s for s in PRECEDENCE if any(f.status is s for f in holding)), Status.VERIFIED)
            reasons = tuple(sorted({f.reason for f in holding if f.status is status}))
            assert (at(pieces, moment).status, at(pieces, moment).reasons) == (status, reasons)
