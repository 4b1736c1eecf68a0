"""Taint by decisions, set, cleared, waived and run out in any order, is what a plain computation says.

In the graph tables and with the closure index.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest
from django.db import transaction

from lineage.graph import sql_nodes, sql_taint, sql_taint_spread
from lineage.graph.index import door, live
from lineage.graph.model import LINEAGE_EDGES, Claim, ClaimKind, GraphDelta
from lineage.graph.sql_moment import Moment
from tests.conformance.stores import SqlStore
from tests.conformance.story import Story, artifact, kind_of, run, said

pytestmark = pytest.mark.django_db

PLATFORM = "key:" + "dd" * 32
MACHINES = [f"hw:{n:064x}" for n in range(2)]
PLACES = [f"place:{n:064x}" for n in range(2)]
SUPPLIERS = [f"supplier:{n:064x}" for n in range(2)]
THINGS = [artifact(n) for n in range(9)]
RUNS = [run(n) for n in range(7)]
DECISIONS = (ClaimKind.DESIGNATED, ClaimKind.DESIGNATED, ClaimKind.CLEARED, ClaimKind.UNTAINTED)
SIZES, TIMES = (1, 4, 9, 16, 25, 40), (0, 3, 6, 11)


@dataclass
class Plain:
    """The same graph and decisions in plain Python."""

    edges: list[tuple[int, str, str, str]] = field(default_factory=list)
    decisions: list[tuple[int, str, ClaimKind, int]] = field(default_factory=list)

    def decided(self, size: int, at_us: int) -> tuple[set[str], set[str]]:
        """What is designated and what is waived."""
        designated: dict[str, bool] = {}
        waived: dict[str, bool] = {}
        for index, node, kind, until in self.decisions:
            if index < size:
                holds = until == 0 or at_us < until
                if kind is ClaimKind.UNTAINTED:
                    waived[node] = holds
                else:
                    designated[node] = kind is ClaimKind.DESIGNATED and holds
        return {n for n, on in designated.items() if on}, {n for n, on in waived.items() if on}

    def tainted(self, size: int, at_us: int) -> set[str]:
        designated, waived = self.decided(size, at_us)
        found, waiting = set[str](), list(designated)
        while waiting:
            node = waiting.pop()
            if node in waived or node in found:
                continue
            found.add(node)
            waiting += self.touched_by(node, size, bad=node in designated or node.startswith("hw:"))
        return found

    def touched_by(self, node: str, size: int, *, bad: bool) -> Iterator[str]:
        """What gets a node's taint from it: by lineage, and of what is bad itself by its other edges."""
        for index, source, kind, target in self.edges:
            if index >= size:
                continue
            if kind in LINEAGE_EDGES:
                if target == node:
                    yield source
                if kind == "SAME_AS" and source == node:
                    yield target
            elif target == node and bad:
                yield source


def tell(seed: int) -> tuple[Story, Plain]:
    """Forty entries: edges that go from later things to earlier ones, and decisions between them."""
    source, story, plain = random.Random(seed), Story(), Plain()
    while len(story.entries) < 40:
        index = len(story.entries)
        if source.random() < 0.45:
            node = source.choice([*THINGS, *RUNS, *MACHINES, *PLACES, *SUPPLIERS])
            kind, until = source.choice(DECISIONS), source.choice((0, 0, 4, 9))
            claim = Claim(node, kind, str(0 if kind is ClaimKind.CLEARED else until))
            nodes = {node: kind_of(node), PLATFORM: kind_of(PLATFORM)}
            story.add((PLATFORM, GraphDelta(nodes, claims=(claim,))), trust="asserted")
            plain.decisions.append((index, node, kind, int(claim.value)))
            continue
        edge = drawn(source)
        story.add(said("key:" + "aa" * 32, [edge]))
        plain.edges.append((index, *edge))
    return story, plain


def drawn(source: random.Random) -> tuple[str, str, str]:
    made, used, doing = source.randrange(1, 9), source.randrange(8), source.choice(RUNS)
    return source.choice(
        [
            (THINGS[made], "WAS_GENERATED_BY", doing),
            (doing, "USED", THINGS[used]),
            (THINGS[made], "WAS_DERIVED_FROM", THINGS[min(used, made - 1)]),
            (THINGS[made], "SAME_AS", THINGS[made - 1]),
            (doing, "WAS_ASSOCIATED_WITH", source.choice(MACHINES)),
            (source.choice(MACHINES), "AT_LOCATION", source.choice(PLACES)),
            (THINGS[used], "WAS_ATTRIBUTED_TO", source.choice(SUPPLIERS)),
        ]
    )


@pytest.fixture(params=["tables", "index"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SqlStore:
    if request.param == "index":
        monkeypatch.setattr(door, "LEAST_EDGES", 0)
        monkeypatch.setattr(live, "index", cache(lambda: live.Index(tmp_path)))
    return SqlStore()


@pytest.mark.parametrize("seed", range(12))
def test_in_any_order_it_is_what_a_plain_computation_says(store: SqlStore, tmp_path: Path, seed: int) -> None:
    story, plain = tell(seed)
    store.wipe()
    with transaction.atomic():
        store.feed(story.entries)
    live.make(tmp_path / "closure-index")
    keys = [*THINGS, *RUNS, *MACHINES, *PLACES, *SUPPLIERS]
    ids = sql_nodes.rows_of(keys)
    names = {number: key for key, number in ids.items()}
    for size in SIZES:
        for at_us in TIMES:
            moment = Moment(size, at_us)
            decided = sql_taint.decided(moment)
            found = {names[number] for number in sql_taint.tainted(moment, decided)}
            assert found == plain.tainted(size, at_us), (size, at_us)
            near = sql_taint_spread.nearest(sql_taint_spread.seeds(moment, decided, {}), size, decided.waived)
            kept = dict(zip(near.nodes, zip(near.labels, near.hops, strict=True), strict=True))
            assert {names[number] for number in kept} == found, (size, at_us)
            for key, number in ids.items():
                sources = sql_taint.tainted_by(number, moment, decided)
                assert bool(sources) == (key in found), (key, size, at_us)
                assert {names[source] for source, _ in sources} <= plain.decided(size, at_us)[0]
                assert [hops for _, hops in sources] == sorted(hops for _, hops in sources)
                if sources:
                    mark, hops = kept[number]
                    assert (sql_taint_spread.unlabelled(mark)[0], hops) == sources[0], (key, size, at_us)
