"""The lineage picture keeps its promises whatever the closure looks like."""

from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise

import pytest

from lineage.graph.lane_boxes import VERIFIED_RANK, BoxKind, rank
from lineage.graph.lanes import MAX_BOXES, Lane, LaneNode, Layout, layout
from tests.unit.graph.closures import closure

CLOSURES = [(1, 0), (12, 1), (70, 2), (400, 3), (2_000, 4), (10_000, 5)]


def _keys(drawn: Layout) -> list[str]:
    return [node.key for box in drawn.boxes for node in box.group.nodes]


def _lanes(drawn: Layout) -> dict[str, Lane]:
    return {box.node.name: box.group.lane for box in drawn.boxes if box.node}


@pytest.mark.parametrize(("size", "seed"), CLOSURES)
def test_every_node_is_in_exactly_one_box_and_the_counts_add_up(size: int, seed: int) -> None:
    nodes, links, root = closure(size, seed)
    drawn = layout(nodes, links, root)
    assert sorted(_keys(drawn)) == sorted(node.key for node in nodes)
    assert drawn.total == len(nodes) == sum(drawn.counts.values()) == sum(head.total for head in drawn.heads)
    assert sum(sum(box.group.counts().values()) for box in drawn.boxes) == len(nodes)
    assert drawn.tainted == sum(node.tainted for node in nodes)


@pytest.mark.parametrize(("size", "seed"), CLOSURES)
def test_no_exception_hides_among_the_verified(size: int, seed: int) -> None:
    drawn = layout(*closure(size, seed))
    for box in drawn.boxes:
        if box.group.kind is BoxKind.VERIFIED:
            assert {(node.status, node.tainted) for node in box.group.nodes} == {("verified", False)}
        if box.group.kind is BoxKind.EXCEPTIONS:
            assert all(node.status != "verified" or node.tainted for node in box.group.nodes)


@pytest.mark.parametrize("expanded", [None, *Lane])
@pytest.mark.parametrize("pinned", [0, 40])
def test_never_more_boxes_than_promised(expanded: Lane | None, pinned: int) -> None:
    nodes, links, root = closure(3_000, 7)
    pins = random.Random(pinned).sample([node.key for node in nodes], pinned)
    drawn = layout(nodes, links, root, pins=pins, expanded=expanded)
    assert 40 < len(drawn.boxes) <= MAX_BOXES


def test_pins_crowded_into_one_lane_still_keep_the_limit() -> None:
    nodes, links, root = closure(3_000, 7)
    models = [node.key for node in nodes if "model" in node.roles]
    drawn = layout(nodes, links, root, pins=models, expanded=Lane.SOURCES)
    assert len(drawn.boxes) <= MAX_BOXES


@pytest.mark.parametrize(("size", "seed"), CLOSURES)
def test_the_root_and_pinned_nodes_are_their_own_box(size: int, seed: int) -> None:
    nodes, links, root = closure(size, seed)
    pins = [node.key for node in nodes if node.status == "verified"][:10]
    drawn = layout(nodes, links, root, pins=pins)
    own = {box.node.key for box in drawn.boxes if box.node}
    assert {root, *pins} <= own


@pytest.mark.parametrize(("size", "seed"), CLOSURES)
def test_the_order_of_the_input_makes_no_difference(size: int, seed: int) -> None:
    nodes, links, root = closure(size, seed)
    first = layout(nodes, links, root)
    rng = random.Random(99)
    rng.shuffle(nodes)
    rng.shuffle(links)
    assert layout(nodes, links, root) == first


def test_a_lane_lists_the_worst_first_and_ends_with_the_verified() -> None:
    drawn = layout(*closure(2_000, 4))
    for head in drawn.heads:
        column = [box for box in drawn.boxes if box.group.lane is head.lane]
        kinds = [box.group.kind for box in column]
        assert kinds == sorted(kinds, key=[BoxKind.NODE, BoxKind.EXCEPTIONS, BoxKind.VERIFIED].index)
        ranks = [rank(box.node) for box in column if box.node]
        assert ranks == sorted(ranks)
        rest = [rank(n) for box in column if box.group.kind is BoxKind.EXCEPTIONS for n in box.group.nodes]
        own = [r for r in ranks if r < VERIFIED_RANK]
        assert not rest or not own or max(own) <= min(rest)


def test_curves_carry_every_link_between_boxes() -> None:
    nodes, links, root = closure(2_000, 4)
    drawn = layout(nodes, links, root)
    where = drawn.places()
    expected = Counter((where[a], where[b]) for a, _, b in links if where[a] != where[b])
    assert {(c.source, c.target): c.count for c in drawn.curves} == dict(expected)


def test_boxes_do_not_overlap_and_lie_inside_the_picture() -> None:
    drawn = layout(*closure(2_000, 4))
    places = {(box.x, box.y) for box in drawn.boxes}
    assert len(places) == len(drawn.boxes)
    assert all(box.x + box.width <= drawn.width and box.y + 32 <= drawn.height for box in drawn.boxes)
    ys: dict[int, list[int]] = {}
    for box in drawn.boxes:
        ys.setdefault(box.x, []).append(box.y)
    assert all(b - a >= 32 for column in ys.values() for a, b in pairwise(sorted(column)))


def test_machines_lie_in_a_band_below_everything_else() -> None:
    drawn = layout(*closure(2_000, 4))
    band = [box.y for box in drawn.boxes if box.group.lane is Lane.HARDWARE]
    others = [box.y for box in drawn.boxes if box.group.lane is not Lane.HARDWARE]
    assert band
    assert min(band) > max(others)


def test_a_dataset_with_an_origin_is_prepared_data() -> None:
    nodes = [
        LaneNode("sha256:a", "artifact", "raw", "verified", roles=("dataset",)),
        LaneNode("run:b", "run", "prepare", "verified"),
        LaneNode("sha256:c", "artifact", "clean", "verified", roles=("dataset",)),
    ]
    links = [("sha256:c", "WAS_GENERATED_BY", "run:b"), ("run:b", "USED", "sha256:a")]
    assert _lanes(layout(nodes, links, "sha256:c")) == {
        "raw": Lane.SOURCES,
        "prepare": Lane.RUNS,
        "clean": Lane.PREPARED,
    }


def test_what_has_no_role_is_an_input_where_it_was_used_and_other_elsewhere() -> None:
    nodes = [
        LaneNode("sha256:in", "artifact", "in", "verified"),
        LaneNode("run:r", "run", "r", "verified"),
        LaneNode("sha256:out", "artifact", "out", "verified"),
    ]
    links = [("run:r", "USED", "sha256:in"), ("sha256:out", "WAS_GENERATED_BY", "run:r")]
    assert _lanes(layout(nodes, links, "sha256:out")) == {"in": Lane.CODE, "r": Lane.RUNS, "out": Lane.OTHER}


def test_another_digest_of_the_same_content_lies_in_the_same_lane() -> None:
    nodes = [
        LaneNode("sha256:a", "artifact", "data", "verified", roles=("dataset",)),
        LaneNode("sha512:a", "artifact", "data too", "verified"),
        LaneNode("run:r", "run", "r", "verified"),
    ]
    links = [("sha256:a", "SAME_AS", "sha512:a"), ("sha256:a", "WAS_GENERATED_BY", "run:r")]
    lanes = _lanes(layout(nodes, links, "sha256:a"))
    assert lanes["data"] is lanes["data too"] is Lane.PREPARED


def test_an_evaluation_does_not_lie_among_the_runs_that_made_things() -> None:
    nodes = [LaneNode("run:e", "run", "e", "verified", roles=("evaluation",))]
    assert _lanes(layout(nodes, [], "run:e")) == {"e": Lane.OTHER}


def test_ordering_removes_crossings_that_the_names_would_make() -> None:
    count = 6
    data = [LaneNode(f"d{i}", "artifact", f"d{i}", "verified", roles=("dataset",)) for i in range(count)]
    runs = [LaneNode(f"r{i}", "run", f"r{i}", "verified") for i in range(count)]
    links = [(f"r{i}", "USED", f"d{count - 1 - i}") for i in range(count)]
    drawn = layout([*data, *runs], links, "r0")
    y = {box.node.key: box.y for box in drawn.boxes if box.node}
    assert all(y[effect] == y[cause] for effect, _, cause in links)


def test_a_trace_shows_the_steps_it_was_given_and_no_bridge_over_a_gap() -> None:
    nodes, links, root = closure(400, 3)
    effect, _, cause = next(link for link in links if link[0].startswith("train"))
    drawn = layout(nodes, links, root, pins=[effect, cause])
    shown = drawn.trace([effect, cause])
    assert {drawn.boxes[i].group.id for i in shown.boxes} == {effect, cause}
    assert len(shown.paths) == 1
    assert drawn.trace([effect, "sha256:elsewhere", cause]).paths == ()
