"""What the projector's tests share: the graph tables as text without ids, observations, a random log."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from django.db import connection

from lineage.db.models import Entry
from lineage.graph.model import Claim, ClaimKind, Edge, EdgeType, NodeKind
from lineage.graph.status import CheckFact, Facts, Piece, Rules, Status, evaluate
from lineage.services import append, graph_check, intake, keyring, platform_keys, project
from lineage.services.clock import now_us
from lineage.services.log_batch import Prepared
from lineage.services.project_batch import life
from lineage.trust import dsse, statement
from lineage.trust import signer as signers
from lineage.trust.digest import sha256_hex
from lineage.trust.leaf import rfc3339
from lineage.trust.policy import KeyRing
from tests import factories
from tests.factories import Signer

CHECK = "urn:lineage:predicate:check:v1"
DEPLOYMENT = "urn:lineage:predicate:deployment:v1"
TRAINING_RUN = "urn:lineage:predicate:training-run:v1"
HARDWARE = "urn:lineage:predicate:hardware-node:v1"
ROOT = "/srv/models"

Dump = dict[str, list[tuple[Any, ...]]]

_DUMPS = {
    "state": "SELECT projected, rules FROM graph_state",
    "skipped": 'SELECT "index", reason FROM graph_skipped_entry',
    "nodes": "SELECT key, kind, first_index FROM graph_node",
    "edges": (
        "SELECT a.key, e.type, b.key, e.first_index FROM graph_edge e"
        " JOIN graph_node a ON a.id = e.source_id JOIN graph_node b ON b.id = e.target_id"
    ),
    "support": (
        'SELECT a.key, e.type, b.key, s."index", n.key, s.trust FROM graph_support s'
        " JOIN graph_edge e ON e.id = s.edge_id JOIN graph_node n ON n.id = s.signer_id"
        " JOIN graph_node a ON a.id = e.source_id JOIN graph_node b ON b.id = e.target_id"
    ),
    "claims": (
        'SELECT n.key, c.kind, c.value, c."index", s.key, c.trust FROM graph_claim c'
        " JOIN graph_node n ON n.id = c.node_id JOIN graph_node s ON s.id = c.signer_id"
    ),
    "checks": (
        'SELECT n.key, c.location, c.outcome, c.reason, c.strength, c.trust, c.at_us, c."index", s.key'
        " FROM graph_check c"
        " JOIN graph_node n ON n.id = c.node_id JOIN graph_node s ON s.id = c.signer_id"
    ),
    "copies": (
        "SELECT n.key, c.location, c.storage, c.outcome, c.last_us, c.quick_us, c.content_us, c.full_us,"
        " c.bytes, c.due_us, c.method, c.overdue_us FROM graph_copy c JOIN graph_node n ON n.id = c.node_id"
    ),
    "statuses": (
        "SELECT n.key, s.from_index, COALESCE(s.to_index, -1), s.from_us, s.until_us, s.status, s.reasons"
        " FROM graph_status s JOIN graph_node n ON n.id = s.node_id"
    ),
}


def dump() -> Dump:
    """Every graph table, sorted, with node keys instead of ids."""
    with connection.cursor() as cursor:
        tables = {}
        for name, query in _DUMPS.items():
            cursor.execute(query)
            tables[name] = sorted(cursor.fetchall())
        return tables


def the_same_after_a_rebuild() -> None:
    """The graph that came step by step is the one that the log makes anew."""
    before = dump()
    project.rebuild()
    assert dump() == before
    report = graph_check.check("sql")
    assert report.differences == 0, report.sentence()


def timelines(rows: Dump, size: int) -> dict[str, tuple[Piece, ...]]:
    """The stored timeline of every node as of a tree size."""
    found: dict[str, list[Piece]] = {key: [] for key, _, first in rows["nodes"] if first < size}
    for key, opened, closed, from_us, until_us, status, reasons in rows["statuses"]:
        if opened < size and (closed < 0 or size <= closed):
            slugs = tuple(reasons.split(",")) if reasons else ()
            found[key].append(Piece(Status(status), slugs, from_us, until_us))
    return {key: tuple(sorted(pieces, key=lambda piece: piece.from_us)) for key, pieces in found.items()}


def fresh_timelines(
    rows: Dump, size: int, believed: Mapping[str, int], rules: Rules
) -> dict[str, tuple[Piece, ...]]:
    """The timelines that follow from the other tables' rows below a tree size, all computed anew."""
    facts = {key: Facts(key, NodeKind(kind), believed) for key, kind, first in rows["nodes"] if first < size}
    for key, kind, value, index, signer, trust in rows["claims"]:
        if index < size:
            facts[key].add_claim(Claim(key, ClaimKind(kind), value), signer, trust, index)
    for source, kind, target, index, signer, trust in rows["support"]:
        if index < size:
            for end in (source, target):
                facts[end].add_edge(Edge(source, EdgeType(kind), target), signer, trust, index)
    for key, location, outcome, _, strength, trust, at_us, index, signer in rows["checks"]:
        if index < size:
            facts[key].add_check(location, CheckFact(at_us, index, outcome, strength, trust), signer)
    for key, one in facts.items():
        one.life = life(keyring.as_of(size), key) if one.kind is NodeKind.SIGNER else None
    made: dict[str, tuple[Piece, ...]] = {}
    for key in sorted(facts, key=lambda key: facts[key].kind is NodeKind.DEPLOYMENT):
        made[key] = evaluate(facts[key], rules, made)
    return made


def status_at(key: str, size: int, at_us: int | None = None) -> tuple[str, str]:
    """Status and reasons as of a tree size and a moment (default: now); fails unless there is exactly one."""
    at_us = now_us() if at_us is None else at_us
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT s.status, s.reasons FROM graph_status s JOIN graph_node n ON n.id = s.node_id"
            " WHERE n.key = %s AND s.from_index < %s AND (s.to_index IS NULL OR %s <= s.to_index)"
            " AND s.from_us <= %s AND %s < s.until_us",
            [key, size, size, at_us, at_us],
        )
        (found,) = cursor.fetchall()
    return found[0], found[1]


def key_of(name: str) -> str:
    """The node key of `factories.artifact(name)`."""
    return f"sha256:{factories.sha256(name)}"


def send(who: Signer, made: dict[str, Any]) -> int:
    """Submit a statement; returns its log index."""
    return send_envelope(who.envelope(made))


def send_envelope(envelope: bytes) -> int:
    """Submit an envelope; returns its log index."""
    return intake.submit(envelope, token="t").receipt.index


def observe(made: dict[str, Any], by: signers.Signer | None = None) -> int:
    """Append an observation by the re-verifier (or another of the platform's keys); returns its log index."""
    key = by or platform_keys.load().reverifier
    payload = factories.as_payload(made)
    envelope = dsse.sign(dsse.INTOTO_PAYLOAD_TYPE, payload, key)

    def prepared(ring: KeyRing) -> Prepared:
        return Prepared(
            kind=Entry.Kind.OBSERVATION,
            envelope=envelope,
            envelope_digest=sha256_hex(envelope),
            statement=statement.parse(dsse.INTOTO_PAYLOAD_TYPE, payload),
            key_ids=(key.public.key_id,),
            policy_index=ring.policy_index,
            judge=lambda _ring, _at_us: None,
            renew=prepared,
        )

    return append.raise_first(append.append([prepared(keyring.current())])).index


def check(digest: str, location: str, outcome: str, at_us: int) -> dict[str, Any]:
    """A check statement of one row; `digest` is hex SHA-256."""
    expected = f"sha256:{digest}"
    row = {
        "digest": expected,
        "location": location,
        "method": "sha256",
        "outcome": outcome,
        "at": rfc3339(at_us),
    }
    observed = {"match": expected, "mismatch": "sha256:" + "f" * 64, "inconclusive": ""}[outcome]
    subject = factories.artifact("checked", digest)
    return factories.statement(
        subject, predicate_type=CHECK, predicate={"rows": [row | {"observed": observed}]}
    )


def deployment(name: str, *subjects: dict[str, Any]) -> dict[str, Any]:
    return factories.statement(*subjects, predicate_type=DEPLOYMENT, predicate={"name": name})


def machine_in(machine: dict[str, Any], place: str) -> dict[str, Any]:
    """That the machine (a resource descriptor) stands in a place."""
    predicate = {"vendor": "Supermicro", "model": "8 x H100", "location": {"name": place}}
    return factories.statement(machine, predicate_type=HARDWARE, predicate=predicate)


def trained_on(machine: dict[str, Any], name: str) -> dict[str, Any]:
    """A run that ran on the machine and made a model, each of that name."""
    predicate = {
        "builder": {"id": factories.BUILDER},
        "invocationId": name,
        "name": f"run {name}",
        "activity": "training",
        "hardware": [machine],
        "inputs": [],
        "outputs": [{"name": name, "role": "model"}],
    }
    return factories.statement(factories.artifact(name), predicate_type=TRAINING_RUN, predicate=predicate)


class RandomLog:
    """Appends random entries of every kind; the same seed makes the same, but for keys and times."""

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed)
        self._signers = [factories.registered() for _ in range(4)]
        self._revoked: set[str] = set()
        self._sent: list[tuple[Signer, dict[str, Any]]] = []
        self._kinds = (
            [self._provenance] * 6 + [self._generic] * 2 + [self._check] * 5 + [self._observed_check] * 3
            + [self._deployment] * 3 + [self._machine, self._again, self._revocation, self._malformed]
        )  # fmt: skip

    def grow(self, count: int) -> None:
        for _ in range(count):
            self._draw.choice(self._kinds)()

    def _signer(self) -> Signer:
        living = [s for s in self._signers if s.key_id not in self._revoked]
        if len(living) < 3:
            self._signers.append(factories.registered())
            return self._signers[-1]
        return self._draw.choice(living)

    def _artifact(self) -> dict[str, Any]:
        number = self._draw.randrange(12)
        members: dict[str, Any] = {}
        if number % 3 == 0:
            members["downloadLocation"] = f"file://{ROOT}/{number}.bin"
        return factories.artifact(f"a{number}", factories.sha256(f"a{number}"), **members)

    def _material(self) -> dict[str, Any]:
        if self._draw.random() < 0.15:
            return {"name": "glossary", "uri": f"https://example.com/{self._draw.randrange(3)}"}
        return self._artifact()

    def _send(self, made: dict[str, Any]) -> None:
        who = self._signer()
        self._sent.append((who, made))
        send(who, made)

    def _provenance(self) -> None:
        materials = [self._material() for _ in range(self._draw.randrange(3))]
        subjects = [self._artifact() for _ in range(self._draw.randrange(1, 3))]
        run = f"run-{self._draw.randrange(10)}"
        self._send(factories.provenance(subjects, materials, invocation=run))

    def _generic(self) -> None:
        self._send(factories.statement(self._artifact()))

    def _deployment(self) -> None:
        self._send(deployment(f"d{self._draw.randrange(3)}", self._artifact()))

    def _machine(self) -> None:
        made = factories.artifact(f"m{self._draw.randrange(3)}")
        self._send(factories.statement(made, predicate_type=HARDWARE, predicate={"vendor": "Example"}))

    def _some_check(self) -> dict[str, Any]:
        number = self._draw.choice((0, 3, 6, 9))
        outcome = self._draw.choice(("match", "match", "mismatch", "inconclusive"))
        at_us = now_us() - self._draw.randrange(10 * 24 * 3600) * 1_000_000
        return check(factories.sha256(f"a{number}"), f"file://{ROOT}/{number}.bin", outcome, at_us)

    def _check(self) -> None:
        self._send(self._some_check())

    def _observed_check(self) -> None:
        observe(self._some_check())

    def _again(self) -> None:
        """A statement that is in the log already, wrapped otherwise."""
        if self._sent:
            who, made = self._draw.choice(self._sent)
            if who.key_id not in self._revoked:
                send_envelope(who.envelope(made, keyid=None))

    def _revocation(self) -> None:
        who = self._signer()
        times = list(Entry.objects.order_by("index").values_list("received_us", flat=True))
        factories.revoke(who, self._draw.choice(times), compromised=self._draw.random() < 0.5)
        self._revoked.add(who.key_id)

    def _malformed(self) -> None:
        self._send(factories.statement(predicate_type=TRAINING_RUN, predicate={"activity": 7}))
