"""The tuple of predicates, the words that they declare, and reading times and dates."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lineage import predicates
from lineage.errors import MalformedError
from lineage.predicates.wire import day, microseconds, utc
from lineage.trust.leaf import rfc3339
from tests.unit.predicates.making import example, ours, parsed


def test_every_uri_finds_its_type() -> None:
    for predicate in predicates.PREDICATES:
        for uri in predicate.uris:
            assert predicates.find(uri) is predicate
    assert predicates.find("https://slsa.dev/Provenance/v1") is None


def test_a_uri_or_slug_twice_stops_the_start() -> None:
    first, second = predicates.PREDICATES[:2]
    with pytest.raises(ValueError, match="claimed by"):
        predicates.by_uri((first, replace(second, uris=first.uris)))
    with pytest.raises(ValueError, match="are called"):
        predicates.by_uri((first, replace(second, slug=first.slug)))


def test_summaries_are_one_sentence() -> None:
    for predicate in predicates.PREDICATES:
        assert predicate.summary.endswith(".")
        assert predicate.title


def test_a_training_run_is_described_in_words() -> None:
    rows = dict(predicates.describe(parsed(example("training-run.json"))))
    assert rows["Activity"] == "fine-tuning"
    assert rows["Started"] == "2026-03-02T07:15:00.000000Z"
    assert rows["Used"].startswith("Open legal glossary")
    assert rows["Used"].endswith("(dataset), no digest: a gap")
    assert (
        rows["Parameters"] == "learningRate = 0.0002; epochs = 3; loraRank = 16; seed = 42; precision = bf16"
    )


def test_long_lists_are_cut_and_counted() -> None:
    sources = [{"name": f"part {number}", "digest": {"sha1": "ab" * 20}} for number in range(25)]
    rows = [
        value
        for label, value in predicates.describe(ours("dataset", {"name": "d", "sources": sources}))
        if label == "Derived from"
    ]
    assert len(rows) == 21
    assert rows[0] == f"part 0 (dataset), only sha1:{'ab' * 20}"
    assert rows[-1] == "and 5 more"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("2026-01-31T09:30:00Z", "2026-01-31T09:30:00.000000Z"),
        ("2026-01-31t09:30:00.1234567z", "2026-01-31T09:30:00.123456Z"),
        ("2026-01-31 00:30:00+01:30", "2026-01-30T23:00:00.000000Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_times(text: str, expected: str) -> None:
    assert utc(text, where="") == expected
    if text:
        assert rfc3339(microseconds(text, where="")) == expected


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-31", "2026-01-31T09:30:00", "2026-01-31T09:30Z", "20260131T093000Z", "2026-02-30T00:00:00Z",
        "2026-01-31T25:00:00Z", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "yesterday",
        "2026-01-31T09:30:00Z ", "0000-01-01T00:00:00Z", "2026-01-31T23:59:60Z", "٢٠٢٦-01-31T09:30:00Z",
    ],
)  # fmt: skip
def test_times_that_are_none(text: str) -> None:
    with pytest.raises(MalformedError) as caught:
        utc(text, where="$.here")
    assert caught.value.where == "$.here"


@pytest.mark.parametrize(
    "text", ["20260131", "2026-W05-6", "2026-02-30", "2026-1-31", "2026-01-31T00:00:00Z"]
)
def test_days_that_are_none(text: str) -> None:
    assert day("2026-01-31", where="") == "2026-01-31"
    with pytest.raises(MalformedError):
        day(text, where="")
