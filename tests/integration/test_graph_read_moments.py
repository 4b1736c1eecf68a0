"""Moments, cursors and counts over a small graph whose entries came a second apart."""

from __future__ import annotations

import pytest

from lineage.errors import MalformedError, NotFoundError
from lineage.graph import sql_walk
from lineage.services import as_of as moments
from lineage.services import lineage
from lineage.services.as_of import AsOf
from lineage.services.clock import now_us
from lineage.trust.leaf import rfc3339
from tests.graph_rows import START_US, GraphRows


def now() -> AsOf:
    return moments.resolve(None)


@pytest.fixture
def rows(transactional_db: None) -> GraphRows:
    """A base model that 150 models come from; entry `i` is received `i` seconds after `START_US`."""
    made = GraphRows()
    base = "sha256:" + "0" * 64
    made.node(base, "artifact", 0)
    made.status(base, "unverified", "no-attestation")
    made.status(made.signer, "verified")
    for number in range(1, 151):
        key = f"sha256:{number:064x}"
        made.node(key, "artifact", number)
        made.edge(key, "WAS_DERIVED_FROM", base, number)
        made.status(key, "verified", index=number)
    made.save()
    return made


def test_pages_of_a_closure_hold_each_node_once(rows: GraphRows) -> None:
    base, found, after = "sha256:" + "0" * 64, list[str](), None
    while True:
        page = lineage.closure(base, "descendants", now(), after=after, limit=40)
        assert (page.total, page.counts_by_status) == (150, {"verified": 150})
        assert {edge.source for edge in page.edges} == {node.key for node in page.nodes}
        found += [node.key for node in page.nodes]
        after = page.next
        if after is None:
            break
    assert len(found) == len(set(found)) == 150
    with pytest.raises(MalformedError):
        lineage.closure(base, "descendants", now(), after="sha256:" + "f" * 64)


def test_pages_of_a_search_hold_each_node_once(rows: GraphRows) -> None:
    found, after = list[str](), None
    while True:
        page = lineage.search(moments.resolve("101"), kind="artifact", after=after, limit=30)
        assert page.total == 101
        found += [node.key for node in page.nodes]
        after = page.next
        if after is None:
            break
    assert len(found) == len(set(found)) == 101
    assert found[0] == f"sha256:{100:064x}"


def test_counts_can_be_compared_between_moments(rows: GraphRows) -> None:
    change = lineage.count_changes(moments.resolve("51"), moments.resolve("151"))
    assert (change.verified, change.unverified, change.total) == (100, 0, 100)
    counts = lineage.status_counts(moments.resolve("51"))
    assert counts.by_kind["artifact"] == {"verified": 50, "unverified": 1, "expired": 0, "failed": 0}
    assert counts.total == 52
    assert lineage.status_counts(moments.resolve("51")) == counts


@pytest.mark.parametrize(
    ("text", "size", "at_us"),
    [
        ("0", 0, 0),
        ("1", 1, START_US),
        ("0100", 100, START_US + 99_000_000),
        ("151", 151, START_US + 150_000_000),
        ("2026-01-01", 151, START_US + 86_400_000_000 - 1),
        ("2025-12-31", 0, START_US - 1),
        ("2026-01-01T00:00:09Z", 10, START_US + 9_000_000),
        ("2026-01-01T02:00:09.5+02:00", 10, START_US + 9_500_000),
        ("2026-01-01T00:00:09", 10, START_US + 9_000_000),
    ],
)
def test_a_moment_is_a_size_or_a_time(rows: GraphRows, text: str, size: int, at_us: int) -> None:
    found = moments.resolve(text)
    assert (found.size, found.at_us, found.head, found.projected, found.live) == (
        size,
        at_us,
        151,
        151,
        False,
    )


@pytest.mark.parametrize(
    "text",
    ["152", "9" * 40, "-1", "1.5", "yesterday", "2026-13-01", "2999-01-01", "2999-01-01T00:00:00Z", "²"],
)
def test_what_is_no_moment_is_refused(rows: GraphRows, text: str) -> None:
    with pytest.raises(MalformedError) as caught:
        moments.resolve(text)
    assert caught.value.where == "as_of"


def test_today_ends_now(rows: GraphRows) -> None:
    before = now_us()
    found = moments.resolve(rfc3339(before)[:10])
    assert before <= found.at_us <= now_us()
    assert moments.resolve("").live
    assert moments.resolve(None).size == 151


def test_unknown_words_are_refused(rows: GraphRows) -> None:
    base = "sha256:" + "0" * 64
    with pytest.raises(MalformedError):
        lineage.closure(base, "ancestors", now(), edges=["MADE"])
    with pytest.raises(MalformedError):
        lineage.closure(base, "ancestors", now(), depth=0)
    with pytest.raises(MalformedError):
        lineage.closure(base, "sideways", now())
    with pytest.raises(MalformedError):
        lineage.search(now(), status="green")
    with pytest.raises(NotFoundError):
        lineage.paths(base, "sha256:" + "f" * 64, now())
    assert sql_walk.find(base, 0) is None
