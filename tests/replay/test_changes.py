"""The difference of two moments is that of what was believed at each, whatever happened in between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations

import pytest

from lineage.db.models import Entry, Node
from lineage.errors import MalformedError
from lineage.graph import sql_nodes
from lineage.services import as_of, belief, changes, project
from lineage.services.as_of import AsOf
from lineage.services.changes import Changes
from tests import factories
from tests.integration.projections import send
from tests.replay.generator import Generator

Standing = dict[str, tuple[str, tuple[str, ...]]]


def standing(moment: AsOf) -> Standing:
    """Every node's status and reasons, one by one."""
    at = belief.moment(moment)
    ids = list(Node.objects.order_by("id").values_list("id", flat=True))
    return {row.key: (row.status, row.reasons) for row in sql_nodes.load(ids, at)}


def all_pages(earlier: AsOf, later: AsOf, limit: int) -> list[Changes]:
    pages, after = list[Changes](), None
    while not pages or after:
        pages.append(changes.between(earlier, later, after=after, limit=limit))
        after = pages[-1].next
    return pages


def differences(earlier: AsOf, later: AsOf) -> dict[str, tuple[str, str]]:
    was, now = standing(earlier), standing(later)
    return {
        key: (was[key][0] if key in was else "", status)
        for key, (status, reasons) in now.items()
        if was.get(key) != (status, reasons)
    }


def followed(generator: Generator, entries: int) -> int:
    """A random log of so many entries, and how many of them the graph has followed: all."""
    generator.fill(entries)
    while project.project_pending():
        pass
    return project.watermark()


def test_it_is_what_a_look_at_both_moments_shows(generator: Generator) -> None:
    size = followed(generator, 120)
    for first, end in combinations((1, size // 3, size // 2, size - 1, size), 2):
        earlier, later = as_of.resolve(str(first)), as_of.resolve(str(end))
        pages = all_pages(earlier, later, limit=7)
        found = [node for page in pages for node in page.nodes]
        assert {n.key: (n.before, n.after) for n in found} == differences(earlier, later)
        assert len(found) == pages[0].total == sum(row.count for row in pages[0].statuses)
        ranks = [("failed", "expired", "unverified", "verified").index(n.after) for n in found]
        assert ranks == sorted(ranks), "worst first"
        assert pages[0].entries_total == end - first
        assert sum(pages[0].nodes_added.values()) == sum(not n.before for n in found)


def test_time_alone_makes_a_difference(generator: Generator) -> None:
    now = as_of.resolve(str(followed(generator, 120)))
    turned = 0
    for days in (1, 30, 400):
        later = replace(now, at_us=now.at_us + days * changes.DAY_US)
        page = changes.between(now, later, limit=1_000)
        assert {n.key: (n.before, n.after) for n in page.nodes} == differences(now, later)
        assert page.entries_total == 0
        assert page.entries == ()
        turned += page.total
    assert turned, "some check grows too old"


def test_entries_come_in_pages_and_none_from_before(graph: Callable[[], int]) -> None:
    who = factories.registered()
    for number in range(9):
        send(who, factories.provenance([factories.artifact()], [], invocation=f"run {number}"))
    size = graph()
    earlier, later = as_of.resolve(str(size - 7)), as_of.resolve(str(size))
    seen, after = list[int](), None
    while True:
        page = changes.between(earlier, later, after_entry=after, limit=3)
        seen += [entry.index for entry in page.entries]
        after = page.next_entry
        if after is None:
            break
    assert seen == list(range(size - 1, size - 8, -1))
    assert page.entries_by_kind == {"attestation": 7}


def test_the_same_moment_twice_is_no_difference(generator: Generator) -> None:
    now = as_of.resolve(str(followed(generator, 20)))
    page = changes.between(now, now)
    assert (page.total, page.nodes, page.entries_total, page.entries, page.nodes_added) == (0, (), 0, (), {})


def test_moments_are_read_strictly(graph: Callable[[], int]) -> None:
    graph()
    size = Entry.objects.count()
    earlier, later = changes.resolve(None, None)
    assert later.live
    assert earlier.at_us <= later.at_us - changes.DAY_US
    assert changes.resolve("0", str(size))[0].size == 0
    for wrong, where in (((str(size), "0"), "from"), (("x", ""), "from"), (("", "x"), "to")):
        with pytest.raises(MalformedError) as refused:
            changes.resolve(*wrong)
        assert refused.value.where == where
    for cursor in ("x", "1", "9.1", "1.x", "-1.2", "1.²"):
        with pytest.raises(MalformedError):
            changes.between(earlier, later, after=cursor)
