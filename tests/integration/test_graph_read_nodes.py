"""What is said of nodes, search, counts and taint of random graphs against the plain reference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lineage.graph import sql_edges, sql_find, sql_nodes, sql_search, sql_status, sql_taint
from lineage.graph.model import EdgeType, NodeKind
from lineage.graph.sql_moment import Moment
from lineage.graph.sql_taint import Decided
from tests.graph_reference import Reference
from tests.graph_rows import GraphRows, saved
from tests.graph_strategies import LAST, SIGNERS, TURN_US, graphs

pytestmark = pytest.mark.django_db
examples = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
sizes = st.integers(1, LAST + 1)
times = st.sampled_from([0, TURN_US - 1, TURN_US, TURN_US + 1])
cutoffs = st.dictionaries(st.integers(1, 2), st.integers(0, LAST + 1))
"""By node id: `GraphRows` numbers the two signers 1 and 2."""

NOTHING = Decided(frozenset(), frozenset(), frozenset())
"""No decision about taint."""
Supporters = Sequence[tuple[int, int, str]]


def best(supporters: Supporters, revoked: dict[int, int]) -> str:
    left = [trust for signer, index, trust in supporters if index < revoked.get(signer, 10**9)]
    return min(left, key=["signed", "observed", "asserted"].index) if left else "revoked"


def expected_trust(reference: Reference, node: int, revoked: dict[int, int]) -> str:
    rows = reference.rows
    claims = [c for c in rows.claims if c[0] == node and c[3] < reference.size]
    about = [(signer, index, trust) for _, kind, _, index, signer, trust in claims if kind == "attested"]
    said = [(signer, index, trust) for _, _, _, index, signer, trust in claims]
    numbers = {n for (source, _, target), n in rows.edges.items() if node in (source, target)}
    edges = [
        (s, index, trust) for n, index, s, trust in rows.support if n in numbers and index < reference.size
    ]
    return best(about or said or edges, revoked)


@examples
@given(graphs(), sizes, times, cutoffs)
def test_nodes_are_told_as_the_claims_say(
    rows: GraphRows, size: int, at_us: int, revoked: dict[int, int]
) -> None:
    with saved(rows):
        reference, moment = Reference(rows, size), Moment(size, at_us, revoked)
        known = reference.known()
        found = {row.id: row for row in sql_nodes.load(list(rows.kinds), moment)}
        assert list(found) == known
        for node, row in found.items():
            assert row.kind == rows.kinds[node]
            assert row.status == reference.status(node, at_us)
            assert row.trust == expected_trust(reference, node, revoked)
            believed = [
                (index, place, value)
                for place, (number, kind, value, index, signer, _) in enumerate(rows.claims)
                if (number, kind) == (node, "name") and index < min(size, revoked.get(signer, 10**9))
            ]
            assert row.name == min(believed, default=(0, 0, ""))[2]
            assert set(row.roles) <= reference.roles(node)
            assert bool(row.roles) == (bool(reference.roles(node)) and row.kind == "artifact")


@examples
@given(graphs(), sizes, cutoffs)
def test_edges_carry_their_support(rows: GraphRows, size: int, revoked: dict[int, int]) -> None:
    with saved(rows):
        found = sql_edges.among(list(rows.kinds), list(EdgeType), Moment(size, 0, revoked))
        assert {(edge.source, edge.type, edge.target) for edge in found} == set(Reference(rows, size).edges)
        for edge in found:
            number = rows.edges[edge.source, edge.type, edge.target]
            support = [
                (s, index, trust) for n, index, s, trust in rows.support if n == number and index < size
            ]
            assert edge.support == tuple(sorted({index for _, index, _ in support}))
            assert edge.trust == best(support, revoked)
            assert edge.first_index == edge.support[0]


@examples
@given(graphs(), sizes, times)
def test_counts_are_those_of_the_nodes(rows: GraphRows, size: int, at_us: int) -> None:
    with saved(rows):
        reference, moment = Reference(rows, size), Moment(size, at_us)
        known = reference.known()
        expected = Counter((rows.kinds[node], reference.status(node, at_us)) for node in known)
        assert sql_nodes.counts(known, moment) == expected
        census = sql_status.census(moment)
        assert census.counts == expected
        later = Moment(size, census.until_us - 1)
        assert sql_status.census(later).counts == expected
        for role in ("model", "dataset"):
            having = [node for node in known if role in reference.roles(node)]
            assert sql_status.of_role(role, moment) == Counter(reference.status(n, at_us) for n in having)


filters = st.builds(
    sql_search.Filter,
    kind=st.none() | st.sampled_from(list(NodeKind)),
    role=st.none() | st.sampled_from(["model", "dataset", "nothing"]),
    status=st.none() | st.sampled_from(["verified", "failed", "unverified", "expired"]),
    ids=st.none() | st.sets(st.integers(1, 9)),
    but=st.none() | st.sets(st.integers(1, 9)),
)


@examples
@given(graphs(), sizes, times, filters, st.integers(1, 4))
def test_pages_hold_every_match_once_and_newest_first(
    rows: GraphRows, size: int, at_us: int, wanted: sql_search.Filter, limit: int
) -> None:
    with saved(rows):
        reference, moment = Reference(rows, size), Moment(size, at_us)
        expected = [
            node
            for node in reversed(reference.known())
            if wanted.kind in {None, rows.kinds[node]}
            and (wanted.role is None or wanted.role in reference.roles(node))
            and wanted.status in {None, reference.status(node, at_us)}
            and (wanted.ids is None or node in wanted.ids)
            and (wanted.but is None or node not in wanted.but)
        ]
        found: list[int] = []
        while page := sql_search.page(wanted, moment, found[-1] if found else None, limit):
            found += page
        assert found == expected
        assert sql_search.total(wanted, moment) == len(expected)


@examples
@given(graphs(), sizes, st.sampled_from(["модель", "дел", "MODEL", "_code%", "k\\s", "集", "%", "nothing"]))
def test_a_part_of_a_name_finds_its_nodes(rows: GraphRows, size: int, text: str) -> None:
    with saved(rows):
        reference = Reference(rows, size)
        folded = text.lower() if text.isascii() else text
        expected = {
            node
            for node in reference.known()
            if any(folded in (name.lower() if text.isascii() else name) for name in reference.names(node))
        }
        assert sql_find.by_text(text, size) == expected


@examples
@given(graphs(), sizes, st.dictionaries(st.integers(1, 2), st.integers(0, LAST), min_size=1))
def test_taint_descends_from_what_compromised_keys_alone_attest(
    rows: GraphRows, size: int, compromised: dict[int, int]
) -> None:
    with saved(rows):
        reference = Reference(rows, size)
        moment = Moment(size, 0, compromised, compromised)
        sources = set()
        for node in reference.known():
            about = [
                index >= compromised.get(signer, 10**9)
                for number, kind, _, index, signer, _ in rows.claims
                if (number, kind) == (node, "attested") and index < size
            ]
            if about and all(about) and rows.kinds[node] in sql_taint.SOURCE_KINDS:
                sources.add(node)
        assert sql_taint.sources(moment) == sources
        hops: dict[int, dict[int, int]] = {}
        for source in sources:
            for node, away in tainted_from(reference, source).items():
                hops.setdefault(node, {})[source] = away
        assert sql_taint.tainted(moment, NOTHING) == set(hops)
        for node in reference.known():
            found = sql_taint.tainted_by(node, moment, NOTHING)
            assert dict(found) == hops.get(node, {})
            assert [away for _, away in found] == sorted(away for _, away in found)


def tainted_from(reference: Reference, source: int) -> dict[int, int]:
    """What descends from the source, from what ran on it, and from what lies at that or ran there, by edges
    away."""
    found = dict(walk(reference, source))
    level, hops = set(reference.step(source, False, ["WAS_ASSOCIATED_WITH"])), 1
    beside = set[int]()
    while level:
        for first in level:
            for node, away in walk(reference, first).items():
                found[node] = min(away + hops, found.get(node, 10**9))
        beside |= level
        further = [reference.step(node, False, ["AT_LOCATION", "WAS_ASSOCIATED_WITH"]) for node in level]
        level, hops = set[int]().union(*further) - beside, hops + 1
    return found


def walk(reference: Reference, root: int) -> dict[int, int]:
    return reference.distances(root, False, ["USED", "WAS_GENERATED_BY", "WAS_DERIVED_FROM", "SAME_AS"])


def test_a_hub_has_the_roles_of_all_its_claims() -> None:
    rows = GraphRows(SIGNERS[0])
    rows.node(SIGNERS[1], "signer", 0)
    hub, other = "sha256:" + "1" * 64, "sha256:" + "2" * 64
    for key in (hub, other):
        rows.node(key, "artifact", 0)
    for index in range(200):
        rows.claim(hub, "role", "model" if index % 3 else "dataset", index)
    rows.claim(hub, "role", "code", 200, signer=SIGNERS[1])
    rows.claim(other, "role", "code", 200, signer=SIGNERS[1])
    rows.top = 200
    with saved(rows):
        ids = [rows.ids[hub], rows.ids[other]]
        assert [n.roles for n in sql_nodes.load(ids, Moment(201, 0))] == [
            ("model", "dataset", "code"),
            ("code",),
        ]
        assert [n.roles for n in sql_nodes.load(ids, Moment(200, 0))] == [("model", "dataset"), ()]
        assert [n.roles for n in sql_nodes.load(ids, Moment(1, 0))] == [("dataset",), ()]
        revoked = Moment(201, 0, {rows.ids[SIGNERS[1]]: 0})
        assert [n.roles for n in sql_nodes.load(ids, revoked)] == [("model", "dataset"), ("code",)]


def test_a_machine_taints_what_ran_on_it() -> None:
    rows = GraphRows(SIGNERS[0])
    machine, run, model = "hw:" + "1" * 64, "run:" + "2" * 64, "sha256:" + "3" * 64
    for key, kind in ((machine, "hardware"), (run, "run"), (model, "artifact")):
        rows.node(key, kind, 0)
    rows.edge(run, "WAS_ASSOCIATED_WITH", machine, 0)
    rows.edge(model, "WAS_GENERATED_BY", run, 0)
    rows.claim(machine, "attested", "test", 0)
    revoked = {rows.ids[SIGNERS[0]]: 0}
    with saved(rows):
        moment = Moment(1, 0, revoked, revoked)
        assert sql_taint.tainted(moment, NOTHING) == {rows.ids[key] for key in (machine, run, model)}
        for key, away in ((model, 2), (run, 1), (machine, 0)):
            assert sql_taint.tainted_by(rows.ids[key], moment, NOTHING) == [(rows.ids[machine], away)]
        later = {rows.ids[SIGNERS[0]]: 1}
        assert sql_taint.tainted(Moment(1, 0, later, later), NOTHING) == set()


def test_digests_fingerprints_and_uris_find_nodes() -> None:
    rows = GraphRows(SIGNERS[0])
    keys = [f"sha256:{'ab' * 31}{end}" for end in ("cd", "ce")]
    for key in (*keys, "dirHash:" + "ab" * 32):
        rows.node(key, "artifact", 1)
    rows.claim(keys[0], "fingerprint", "gitCommit:" + "12" * 20, 1)
    rows.claim(keys[1], "fingerprint", "gitCommit:" + "12" * 20, 2)
    rows.claim(keys[0], "location", "s3://bucket/модель.bin", 1)
    rows.top = 2
    with saved(rows):
        first, second, folder = (rows.ids[key] for key in (*keys, "dirHash:" + "ab" * 32))
        assert sql_find.by_digest("abab", 3) == {first, second, folder}
        assert sql_find.by_digest("sha256:ABAB", 3) == {first, second}
        assert sql_find.by_digest(keys[1], 3) == {second}
        assert sql_find.by_text("12" * 20, 3) == {first, second}
        assert sql_find.by_text("gitCommit:" + "12" * 20, 2) == {first}
        assert sql_find.by_text("s3://bucket/модель.bin", 3) == {first}
        assert sql_find.by_text(keys[0], 1) == set()
