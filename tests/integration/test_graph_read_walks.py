"""Closures and paths of random graphs against the plain reference, at every tree size."""

from __future__ import annotations

from itertools import islice, pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lineage.graph import sql_paths, sql_walk
from lineage.graph.backend import Direction, Way
from lineage.graph.model import EdgeType, NodeKind
from tests.graph_reference import LINEAGE, Reference
from tests.graph_rows import GraphRows, saved
from tests.graph_strategies import LAST, graphs

pytestmark = pytest.mark.django_db
examples = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
SIZES = range(LAST + 2)


def chain(length: int) -> GraphRows:
    """Models each derived from the next, all made by runs that used the one before."""
    rows = GraphRows()
    for step in range(length):
        rows.node(f"sha256:{step:064x}", "artifact", step)
        rows.node(f"run:{step:064x}", "run", step)
        rows.edge(f"sha256:{step:064x}", "WAS_GENERATED_BY", f"run:{step:064x}", step)
        if step:
            rows.edge(f"run:{step:064x}", "USED", f"sha256:{step - 1:064x}", step)
    return rows


@examples
@given(graphs())
def test_a_closure_is_what_the_reference_reaches(rows: GraphRows) -> None:
    with saved(rows):
        for size in SIZES:
            reference = Reference(rows, size)
            for root in reference.known():
                for direction in Direction:
                    up = direction is Direction.ANCESTORS
                    kind = NodeKind(rows.kinds[root])
                    found = sql_walk.closure(root, kind, Way(direction, size))
                    assert found == reference.closure(root, up)


@examples
@given(graphs(), st.integers(1, 4), st.sampled_from(list(Direction)), st.integers(1, LAST + 1))
def test_depth_counts_edges(rows: GraphRows, depth: int, direction: Direction, size: int) -> None:
    with saved(rows):
        reference = Reference(rows, size)
        for root in reference.known():
            up, kind = direction is Direction.ANCESTORS, NodeKind(rows.kinds[root])
            found = sql_walk.closure(root, kind, Way(direction, size), depth)
            assert found == reference.closure(root, up, depth)
            levels = sql_walk.levels(root, kind, Way(direction, size))
            reached = {node: away for away, level in enumerate(levels) for node in level}
            assert reached == reference.distances(root, up)


@examples
@given(graphs(), st.sets(st.sampled_from(list(EdgeType)), min_size=1), st.sampled_from(list(Direction)))
def test_only_the_edges_asked_for_are_followed(
    rows: GraphRows, types: set[EdgeType], direction: Direction
) -> None:
    with saved(rows):
        reference = Reference(rows, LAST + 1)
        for root in reference.known():
            walk = Way(direction, LAST + 1, tuple(sorted(types)))
            found = sql_walk.closure(root, NodeKind(rows.kinds[root]), walk)
            assert found == reference.closure(root, direction is Direction.ANCESTORS, types=types)


@examples
@given(graphs(most=6, edges=14), st.integers(1, 12), st.integers(1, LAST + 1))
def test_paths_are_the_shortest_simple_ones(rows: GraphRows, limit: int, size: int) -> None:
    with saved(rows):
        reference = Reference(rows, size)
        for effect in reference.known():
            for cause in reference.known():
                kind = NodeKind(rows.kinds[cause])
                found = [tuple(path) for path in sql_paths.shortest(effect, cause, kind, size, limit)]
                every = list(islice(reference.paths(effect, cause), 20_000))
                assert sorted(map(len, every))[:limit] == [len(path) for path in found]
                assert len(set(found)) == len(found)
                assert set(found) <= set(every)


def test_a_chain_of_thirty_steps_is_walked_whole() -> None:
    rows = chain(31)
    with saved(rows):
        top, bottom = rows.ids[f"sha256:{30:064x}"], rows.ids[f"sha256:{0:064x}"]
        above = sql_walk.closure(top, NodeKind.ARTIFACT, Way(Direction.ANCESTORS, 31))
        assert len(above) == 61
        assert len(sql_walk.closure(top, NodeKind.ARTIFACT, Way(Direction.ANCESTORS, 31), 30)) == 30
        (path,) = sql_paths.shortest(top, bottom, NodeKind.ARTIFACT, 31, 10)
        assert len(path) == 61
        assert not sql_paths.shortest(bottom, top, NodeKind.ARTIFACT, 31, 10)


def test_a_run_that_used_what_it_made_ends_the_walk() -> None:
    rows = GraphRows()
    model, run = "sha256:" + "1" * 64, "run:" + "2" * 64
    rows.node(model, "artifact", 0)
    rows.node(run, "run", 0)
    for source, kind, target in (
        (model, "WAS_GENERATED_BY", run),
        (run, "USED", model),
        (model, "SAME_AS", model),
    ):
        rows.edge(source, kind, target, 0)
    with saved(rows):
        for direction in Direction:
            found = sql_walk.closure(rows.ids[model], NodeKind.ARTIFACT, Way(direction, 1))
            assert found == [rows.ids[run]]


def test_a_place_opens_through_its_machines() -> None:
    rows = GraphRows()
    place, machine, run, model, dataset = (
        f"{scheme}:{'0' * 64}" for scheme in ("place", "hw", "run", "sha256", "uri")
    )
    for key, kind in (
        (place, "place"),
        (machine, "hardware"),
        (run, "run"),
        (model, "artifact"),
        (dataset, "artifact"),
    ):
        rows.node(key, kind, 0)
    for source, kind, target in (
        (machine, "AT_LOCATION", place),
        (dataset, "AT_LOCATION", place),
        (run, "WAS_ASSOCIATED_WITH", machine),
        (model, "WAS_GENERATED_BY", run),
    ):
        rows.edge(source, kind, target, 0)
    down, up = Way(Direction.DESCENDANTS, 1), Way(Direction.ANCESTORS, 1)
    ids = rows.ids
    with saved(rows):
        assert sql_walk.closure(ids[place], NodeKind.PLACE, down) == sorted(
            ids[key] for key in (machine, dataset, run, model)
        )
        assert sql_walk.closure(ids[place], NodeKind.PLACE, down, 1) == [ids[machine], ids[dataset]]
        assert sql_walk.closure(ids[place], NodeKind.PLACE, down, 2) == sorted(
            ids[key] for key in (machine, dataset, run)
        )
        assert sql_walk.closure(ids[machine], NodeKind.HARDWARE, up) == [ids[place]]
        assert sql_walk.closure(ids[model], NodeKind.ARTIFACT, up) == [ids[run]]
        (path,) = sql_paths.shortest(ids[model], ids[place], NodeKind.PLACE, 1, 5)
        assert path == [ids[key] for key in (model, run, machine, place)]
        (path,) = sql_paths.shortest(ids[model], ids[machine], NodeKind.HARDWARE, 1, 5)
        assert path == [ids[key] for key in (model, run, machine)]


def test_a_lattice_of_paths_is_never_enumerated() -> None:
    """Thirty layers of eight nodes, all joined: 8^29 paths of the same length."""
    rows, width, layers = GraphRows(), 8, 30
    keys = [[f"sha256:{layer:032x}{place:032x}" for place in range(width)] for layer in range(layers)]
    for key in (key for layer in keys for key in layer):
        rows.node(key, "artifact", 0)
    for upper, lower in pairwise(keys):
        for key in upper:
            for other in lower:
                rows.edge(key, "WAS_DERIVED_FROM", other, 0)
    with saved(rows):
        found = sql_paths.shortest(rows.ids[keys[0][0]], rows.ids[keys[-1][0]], NodeKind.ARTIFACT, 1, 100)
    assert len({tuple(path) for path in found}) == 100
    assert {len(path) for path in found} == {layers}


def test_files_of_a_folder_join_nothing() -> None:
    rows = GraphRows()
    licence = "sha256:" + "0" * 64
    folders = [f"dirHash:{number:064x}" for number in range(3)]
    for key in (licence, *folders):
        rows.node(key, "artifact", 0)
    for folder in folders:
        rows.edge(licence, "PART_OF", folder, 0)
    with saved(rows):
        for key in (licence, *folders):
            for direction in Direction:
                assert sql_walk.closure(rows.ids[key], NodeKind.ARTIFACT, Way(direction, 1)) == []
    assert "PART_OF" not in LINEAGE
