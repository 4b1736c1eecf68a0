"""Taint by decisions, compromised keys and bad copies, set, cleared, waived, run out, revoked and withdrawn
in any order, is what a plain computation from scratch says.

In the graph tables and with the closure index.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pytest
from django.db import transaction

from lineage.db.models import Entry, PredicateType
from lineage.graph import sql_bad_copies, sql_nodes, sql_taint, sql_taint_spread
from lineage.graph.backend import Link
from lineage.graph.index import door, live
from lineage.graph.locations import Root
from lineage.graph.model import CheckResult, Claim, ClaimKind, Edge, EdgeType, GraphDelta
from lineage.graph.sql_moment import Moment
from lineage.trust.leaf import rfc3339
from tests.conformance.stores import SqlStore
from tests.conformance.story import Story, artifact, kind_of, run
from tests.integration.taint_reference import Believed, Checked, Plain, Used

pytestmark = pytest.mark.django_db

PLATFORM, VERIFIER = "key:" + "dd" * 32, "key:" + "ee" * 32
SIGNERS = [f"key:{n:064x}" for n in range(3)]
MACHINES = [f"hw:{n:064x}" for n in range(2)]
PLACES = [f"place:{n:064x}" for n in range(3)]
SUPPLIERS = [f"supplier:{n:064x}" for n in range(2)]
THINGS = [artifact(n) for n in range(7)]
RUNS = [run(n) for n in range(5)]
KEYS = [*THINGS, *RUNS, *MACHINES, *PLACES, *SUPPLIERS]
DECISIONS = (ClaimKind.DESIGNATED, ClaimKind.DESIGNATED, ClaimKind.CLEARED, ClaimKind.UNTAINTED)
ROOTS = (Root("store", "file:///srv"),)
COPIES = ("file:///srv/a", "file:///srv/b")
LOCATIONS = (*COPIES, "https://elsewhere.example/a")
LENGTH = 60
SEEDS = [
    *(pytest.param(seed) for seed in range(10)),
    *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(10, 200)),
]


class Told:
    """Entries of a log, drawn: to feed the tables with, and in plain Python."""

    def __init__(self, seed: int) -> None:
        self.draw, self.story, self.plain = random.Random(seed), Story(), Plain(copies=frozenset(COPIES))
        kinds = (self.decided, self.linked, self.linked, self.linked, self.vouched, self.placed, self.checked)
        while self.index < LENGTH:
            self.draw.choice(kinds)()

    @property
    def index(self) -> int:
        return len(self.story.entries)

    def add(
        self,
        signer: str,
        trust: str,
        *,
        edges: Iterable[Link] = (),
        claims: Iterable[Claim] = (),
        checks: Iterable[CheckResult] = (),
    ) -> None:
        made, said, found = tuple(edges), tuple(claims), tuple(checks)
        keys = [signer, *(key for edge in made for key in (edge[0], edge[2]))]
        keys += [*(claim.node for claim in said), *(check.node for check in found)]
        linked = tuple(Edge(source, EdgeType(kind), target) for source, kind, target in made)
        delta = GraphDelta({key: kind_of(key) for key in keys}, linked, said, found)
        self.plain.edges += [(self.index, *edge) for edge in made]
        self.story.add((signer, delta), trust=trust)

    def decided(self) -> None:
        node, kind = self.draw.choice([*KEYS, *RUNS]), self.draw.choice(DECISIONS)
        until = 0 if kind is ClaimKind.CLEARED else self.draw.choice((0, 0, 4, 9))
        self.plain.decisions.append((self.index, PLATFORM, node, kind, until))
        self.add(PLATFORM, "asserted", claims=[Claim(node, kind, str(until))])

    def linked(self) -> None:
        """An edge; a run's may say where it read, and when the run began."""
        signer, (source, kind, target) = self.draw.choice(SIGNERS), self.edge()
        claims = list[Claim]()
        if kind == "USED":
            where = frozenset(self.draw.sample(LOCATIONS, self.draw.choice((0, 0, 1, 2))))
            claims += [Claim(target, ClaimKind.LOCATION, location) for location in where]
            self.plain.stated += [(self.index, signer, target, location) for location in where]
            self.plain.used.append(Used(self.index, signer, source, target, where))
            if self.draw.random() < 0.5:
                began = self.draw.randrange(self.index + 1)
                claims.append(Claim(source, ClaimKind.STARTED, rfc3339(began)))
                self.plain.starts.append((self.index, signer, source, began))
        if kind == "SAME_AS":
            self.plain.bound.append((self.index, signer, source, target))
        self.add(signer, "signed", edges=[(source, kind, target)], claims=claims)

    def edge(self) -> Link:
        made, used, doing = self.draw.randrange(1, 7), self.draw.randrange(6), self.draw.choice(RUNS)
        return self.draw.choice(
            [
                (THINGS[made], "WAS_GENERATED_BY", doing),
                (THINGS[made], "WAS_GENERATED_BY", RUNS[min(made, 4)]),
                (doing, "USED", THINGS[used]),
                (RUNS[min(used + 1, 4)], "USED", THINGS[used]),
                (doing, "USED", THINGS[used % 2]),
                (THINGS[made], "WAS_DERIVED_FROM", THINGS[min(used, made - 1)]),
                (THINGS[made], "SAME_AS", THINGS[made - 1]),
                (doing, "WAS_ASSOCIATED_WITH", self.draw.choice(MACHINES)),
                (self.draw.choice(MACHINES), "AT_LOCATION", self.draw.choice(PLACES)),
                (self.draw.choice(PLACES), "AT_LOCATION", self.draw.choice(PLACES)),
                (self.draw.choice(PLACES), "WAS_ATTRIBUTED_TO", self.draw.choice(SUPPLIERS)),
                (THINGS[used], "WAS_ATTRIBUTED_TO", self.draw.choice(SUPPLIERS)),
            ]
        )

    def vouched(self) -> None:
        signer, node = self.draw.choice(SIGNERS), self.draw.choice([*THINGS, *RUNS, *MACHINES])
        self.plain.attested.append((self.index, signer, node))
        self.add(signer, "signed", claims=[Claim(node, ClaimKind.ATTESTED, "urn:example:said")])

    def placed(self) -> None:
        signer, node, location = self.draw.choice(SIGNERS), THINGS[self.draw.randrange(2)], self.location()
        self.plain.stated.append((self.index, signer, node, location))
        self.add(signer, "signed", claims=[Claim(node, ClaimKind.LOCATION, location)])

    def location(self) -> str:
        return self.draw.choice((COPIES[0], *LOCATIONS))

    def checked(self) -> None:
        """By our own re-verifier, or by a pipeline; of the digest, of all bytes, of some."""
        node, location = THINGS[self.draw.randrange(2)], self.location()
        at = self.draw.randrange(self.index + 1)
        outcome = self.draw.choice(("match", "match", "mismatch", "mismatch", "inconclusive"))
        strength, expected = self.draw.choice(((3, node), (3, node), (2, "blake3:00"), (1, "sample:00")))
        own = self.draw.random() < 0.7
        signer, trust = (VERIFIER, "observed") if own else (SIGNERS[0], "signed")
        row = CheckResult(node, location, "sha256", expected, "", outcome, "", at)
        self.plain.checks.append(Checked(self.index, signer, node, location, outcome, strength, at, own))
        self.add(signer, trust, checks=[row])

    def believed(self) -> Believed:
        """A moment with what is revoked, in other hands and withdrawn at it."""
        size = self.draw.randrange(1, LENGTH + 1)
        cutoffs = {signer: self.draw.randrange(size) for signer in SIGNERS if self.draw.random() < 0.4}
        stolen = frozenset(signer for signer in cutoffs if self.draw.random() < 0.7)
        withdrawn = frozenset(self.draw.sample(range(LENGTH), self.draw.choice((0, 0, 3))))
        return Believed(size, self.draw.choice((0, 3, 6, 11, 50)), cutoffs, stolen, withdrawn)


@pytest.fixture(params=["tables", "index"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SqlStore:
    if request.param == "index":
        monkeypatch.setattr(door, "LEAST_EDGES", 0)
        monkeypatch.setattr(live, "index", cache(lambda: live.Index(tmp_path)))
    return SqlStore()


def received() -> None:
    """When the log received the entries: as `Plain` has it."""
    PredicateType.objects.create(id=1, name="test")
    Entry.objects.bulk_create(
        Entry(
            index=index,
            kind=Entry.Kind.ATTESTATION,
            envelope_digest=f"{index:064x}",
            statement_digest=f"{index:064x}",
            received_us=index,
            key_ids="00" * 32,
            policy_index=-1,
            leaf_hash=bytes(32),
            predicate_type="test",
        )
        for index in range(LENGTH)
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_in_any_order_it_is_what_a_plain_computation_says(store: SqlStore, tmp_path: Path, seed: int) -> None:
    told = Told(seed)
    store.wipe()
    with transaction.atomic():
        received()
        store.feed(told.story.entries)
    live.make(tmp_path / "closure-index")
    ids = sql_nodes.rows_of([*KEYS, *SIGNERS])
    for _ in range(24):
        assert_agrees(told.plain, told.believed(), ids)


def assert_agrees(plain: Plain, then: Believed, ids: dict[str, int]) -> None:
    """The set, its nearest sources, and why each node is in it."""
    names = {number: key for key, number in ids.items()}
    cutoffs = {ids[signer]: index for signer, index in then.cutoffs.items() if signer in ids}
    stolen = {number: index for number, index in cutoffs.items() if names[number] in then.compromised}
    moment = Moment(then.size, then.at_us, cutoffs, stolen, then.withdrawn)
    said, misled = sql_taint.decided(moment), sql_bad_copies.runs(moment, ROOTS)
    assert {names[n]: {names[a] for a in of} for n, of in misled.items()} == plain.misled(then), then
    wanted = plain.tainted(then)
    assert {names[n] for n in sql_taint.tainted(moment, said, misled)} == wanted.keys(), then
    near = sql_taint_spread.nearest(sql_taint_spread.seeds(moment, said, misled), then.size, said.waived)
    assert {names[n]: hops for n, hops in zip(near.nodes, near.hops, strict=True)} == wanted, then
    nearest = dict(zip(near.nodes, near.labels, strict=True))
    allowed = plain.decided(then)[0] | plain.of_thieves(then)
    for key, number in ids.items():
        found = sql_taint.tainted_by(number, moment, said)
        bad = sql_taint.bad_copies_of(number, moment, misled, said)
        assert {names[source] for source, _ in found} <= allowed, (key, then)
        assert {names[source] for source, _ in bad} <= {a for of in plain.misled(then).values() for a in of}
        sources = sorted((hops, source) for source, hops in [*found, *bad])
        assert bool(sources) == (key in wanted), (key, then)
        if sources:
            assert sources[0] == (wanted[key], sql_taint_spread.unlabelled(nearest[number])[0]), (key, then)


def test_every_source_is_drawn() -> None:
    """In these logs, by the plain computation alone, each kind of source, its end and its waiver count."""
    names = (
        *("designated", "waived", "stolen", "misled", "misled alone", "misled but waived", "far"),
        "in a bad place",
    )
    reached = dict.fromkeys(names, 0)
    for seed in range(10):
        told = Told(seed)
        for _ in range(24):
            then, plain = told.believed(), told.plain
            designated, waived = plain.decided(then)
            thieves, misled, wanted = plain.of_thieves(then), plain.misled(then), plain.tainted(then)
            reached["designated"] += bool(designated & wanted.keys())
            reached["waived"] += bool(waived & (thieves | designated))
            reached["stolen"] += bool(thieves - designated - waived)
            reached["misled"] += bool(misled.keys() & wanted.keys())
            reached["misled alone"] += any(wanted.get(node) == 1 for node in misled)
            reached["misled but waived"] += bool(misled.keys() & waived)
            reached["in a bad place"] += any(wanted.get(node, 0) > 0 for node in PLACES)
            reached["far"] += max(wanted.values(), default=0) > 2
    assert min(reached.values()) > 3, reached
