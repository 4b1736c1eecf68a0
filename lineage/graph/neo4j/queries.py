"""Every Cypher text that the code has, as constants and as functions of what can't be a parameter.

Owns: the texts. `every` lists them, so that a test can look at each one's plan. Values are parameters; what
is formatted into a text is edge types, labels and depths, all from closed sets or checked numbers.

Reachability must be planned as `VarLengthExpand(Pruning,BFS,All)`, which visits a node once; any other
operator enumerates trails, of which there can be more than atoms. Source: Neo4j Cypher manual, "Operators".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lineage.graph.backend import MAX_DEPTH, OPENING_EDGES, Direction
from lineage.graph.model import LINEAGE_EDGES, EdgeType, NodeKind


@dataclass(frozen=True, slots=True)
class Query:
    """A Cypher text. Only this module makes any."""

    text: str


ALL_EDGES = tuple(sorted(EdgeType))

LABELS = {
    NodeKind.ARTIFACT: "Artifact",
    NodeKind.RUN: "TrainingRun",
    NodeKind.HARDWARE: "HardwareNode",
    NodeKind.DEPLOYMENT: "Deployment",
    NodeKind.SIGNER: "Signer",
    NodeKind.SUPPLIER: "Supplier",
    NodeKind.PLACE: "Jurisdiction",
}
"""The second label of a node, beside `Node`."""

ROLE_LABELS = {
    "model": "Model",
    "adapter": "Adapter",
    "dataset": "Dataset",
    "code": "Code",
    "config": "Config",
    "report": "Report",
    "file": "File",
}
"""Labels for people who browse the graph. They know no as-of: what counts is `roles` with `role_first`."""


def _at(name: str, key: str) -> str:
    """Finds a node by its key. On a small graph the planner would rather look through all keys, and would
    keep that plan while the graph grows: hence the hint.
    """
    return f"MATCH ({name}:Node {{key: {key}}}) USING INDEX SEEK {name}:Node(key)"


def _types(types: Sequence[str]) -> str:
    """Raises: ValueError for what is no edge type, so that nothing else gets into a text."""
    return "|".join(sorted(EdgeType(name) for name in set(types)))


# Schema and watermark

ONE_PROJECTION = Query(
    "CREATE CONSTRAINT lineage_projection IF NOT EXISTS FOR (p:Projection) REQUIRE p.id IS UNIQUE"
)
CONSTRAINTS = (
    Query("CREATE CONSTRAINT lineage_node_key IF NOT EXISTS FOR (n:Node) REQUIRE n.key IS UNIQUE"),
    ONE_PROJECTION,
)

STATE = Query(
    "MATCH (p:Projection {id: 1}) RETURN p.schema, p.origin, p.rules, p.generation, p.projected, p.leaf, "
    "p.nodes, p.edges, p.cleared, p.reason"
)

START = Query(
    "MERGE (p:Projection {id: 1}) ON CREATE SET p += $values, p.at = datetime() RETURN p.generation"
)

RESET = Query(
    "MATCH (p:Projection {id: 1}) SET p.locked = true WITH p WHERE p.generation = $generation "
    "SET p += $values, p.at = datetime() REMOVE p.locked RETURN p.generation"
)
"""Writing any property takes the lock; what is read after it is what the last holder committed."""

CLEAR_EDGES = Query(
    "MATCH (p:Projection {id: 1}) SET p.locked = true WITH p WHERE p.generation = $generation "
    "AND NOT p.cleared REMOVE p.locked WITH p MATCH (:Node)-[r]->() WITH r LIMIT $most DELETE r "
    "RETURN count(*)"
)
CLEAR_NODES = Query(
    "MATCH (p:Projection {id: 1}) SET p.locked = true WITH p WHERE p.generation = $generation "
    "AND NOT p.cleared REMOVE p.locked WITH p MATCH (n:Node) WITH n LIMIT $most DETACH DELETE n "
    "RETURN count(*)"
)
CLEARED = Query(
    "MATCH (p:Projection {id: 1}) SET p.locked = true WITH p WHERE p.generation = $generation "
    "SET p.cleared = true REMOVE p.locked RETURN p.generation"
)

HOLD = Query(
    "MATCH (p:Projection {id: 1}) SET p.locked = true WITH p REMOVE p.locked "
    "RETURN p.generation, p.projected, p.leaf, p.cleared, p.nodes, p.edges"
)
"""The watermark, locked until the transaction ends."""

ADVANCE = Query(
    "MATCH (p:Projection {id: 1}) SET p.projected = $projected, p.leaf = $given.leaf, p.nodes = $nodes, "
    "p.edges = $edges, p.at = datetime() RETURN p.projected"
)

COUNT_NODES = Query("MATCH (n:Node) RETURN count(n)")
COUNT_EDGES = Query(f"MATCH (:Node)-[r:{_types(ALL_EDGES)}]->() RETURN count(r)")
"""Both come from the count store, whatever the graph's size."""


# Writing


def merge_nodes(kind: NodeKind) -> Query:
    """Rows: key, first, seq, name, name_first, roles, role_first."""
    return Query(
        "UNWIND $given.rows AS r MERGE (n:Node {key: r[0]}) "
        f"ON CREATE SET n:{LABELS[kind]}, n.kind = '{kind.value}', n.first = r[1], n.seq = r[2], "
        "n.name = r[3], n.name_first = r[4], n.roles = r[5], n.role_first = r[6] "
        "WITH n, r WHERE n.seq <> r[2] AND ((n.name IS NULL AND r[3] IS NOT NULL) "
        "OR any(role IN r[5] WHERE NOT role IN n.roles)) "
        "WITH n, r, [i IN range(0, size(r[5]) - 1) WHERE NOT r[5][i] IN n.roles] AS more "
        "SET n.name_first = CASE WHEN n.name IS NULL THEN r[4] ELSE n.name_first END, "
        "n.name = coalesce(n.name, r[3]), "
        "n.roles = n.roles + [i IN more | r[5][i]], n.role_first = n.role_first + [i IN more | r[6][i]] "
        "RETURN count(*)"
    )


def label_role(role: str) -> Query:
    return Query(f"UNWIND $given.keys AS k {_at('n', 'k')} SET n:{ROLE_LABELS[role]} RETURN count(*)")


def merge_edges(kind: EdgeType) -> Query:
    """Rows: source key, target key, indexes, signers, trusts, mirror. Counts those that found both ends."""
    which = " {mirror: r[5]}" if kind is EdgeType.SAME_AS else ""
    return Query(
        f"UNWIND $given.rows AS r {_at('a', 'r[0]')} {_at('b', 'r[1]')} "
        f"MERGE (a)-[e:{kind.value}{which}]->(b) "
        "ON CREATE SET e.first = r[2][0], e.indexes = r[2], e.signers = r[3], e.trusts = r[4] "
        "ON MATCH SET e.indexes = e.indexes + r[2], e.signers = e.signers + r[3], e.trusts = e.trusts + r[4] "
        "RETURN count(*)"
    )


# Reading

_NODE = "b.key, b.kind, b.first, b.name, b.name_first, b.roles, b.role_first"

NODE = Query(f"{_at('b', '$given.key')} WHERE b.first < $size RETURN {_NODE}")
NODES = Query(f"UNWIND $given.keys AS k {_at('b', 'k')} WHERE b.first < $size RETURN {_NODE}")


BEGUN = Query(
    "MATCH (p:Projection {id: 1}) WITH p.generation AS generation, p.projected AS projected "
    f"OPTIONAL {_at('b', '$given.key')} WHERE b.first < $size RETURN generation, projected, {_NODE}"
)
"""What a question begins with: the watermark, and read after it the node that it is about, or nothing."""

STILL = Query("MATCH (p:Projection {id: 1}) RETURN p.generation, p.projected")


@dataclass(frozen=True, slots=True)
class Reach:
    """The part of a closure's text that can't be a parameter.

    Attributes:
        types: edges to follow.
        opens: the first step goes over `OPENING_EDGES` too.
        machines: so does the step from the root's machines to their runs.
        kept: keep nodes of `$given.kinds`, also such as roles, unless `$any_kind`; and nodes with a role of
            `$given.only`, unless `$any_role`. One text for both: planning takes longer than looking at these.
        place: so too, and keep what is at one of `$given.places`.
        depth: edges at most; `MAX_DEPTH` and more mean no limit.
    """

    direction: Direction
    types: tuple[EdgeType, ...] = LINEAGE_EDGES
    opens: bool = False
    machines: bool = False
    depth: int = MAX_DEPTH
    kept: bool = False
    place: bool = False

    def text(self) -> str:
        """Binds each node of the closure once, as `b`. Parameters: `closures.Closure`'s."""
        types = _types((*self.types, *OPENING_EDGES) if self.opens else self.types)
        up = self.direction is Direction.ANCESTORS
        before, after = ("-", "->") if up else ("<-", "-")
        if self.depth == 1:
            # A walk of one edge would be planned as trails: the same there, but it would look like a mistake.
            walk = f"MATCH (a){before}[x:{types}]{after}(b) WHERE x.first < $size"
        else:
            limit = "" if self.depth >= MAX_DEPTH else str(int(self.depth))
            walk = (
                f"{self._machines()}MATCH p = (a){before}[:{types}*1..{limit}]{after}(b) "
                "WHERE all(x IN relationships(p) WHERE x.first < $size"
                f"{self._first_step('startNode(x)' if up else 'endNode(x)')})"
            )
        # What is asked of `b` comes after the walk: else the planner may look through all nodes for some that
        # are kept, and search a path to each.
        return f"{_at('a', '$given.root')} {walk} WITH DISTINCT a, b WHERE b <> a{self._kept()} WITH b"

    def _machines(self) -> str:
        if not self.machines:
            return ""
        return (
            f"OPTIONAL MATCH (a)<-[o:{EdgeType.AT_LOCATION} WHERE o.first < $size]-(m:HardwareNode) "
            "WITH a, collect(m) AS machines "
        )

    def _first_step(self, near: str) -> str:
        """One walk from the root, in which the wider edges count at its beginning alone."""
        if not self.opens:
            return ""
        wider = [name for name in OPENING_EDGES if name not in self.types]
        machines = (
            f" OR (type(x) = '{EdgeType.WAS_ASSOCIATED_WITH}' AND {near} IN machines)"
            if self.machines
            else ""
        )
        names = ", ".join(f"'{name}'" for name in wider)
        return f" AND (NOT type(x) IN [{names}] OR {near} = a{machines})"

    def _kept(self) -> str:
        conditions = [_KINDS_KEPT, _ROLES_KEPT] if self.kept or self.place else []
        if self.place:
            conditions.append(_AT_PLACE)
        return "".join(f" AND {condition}" for condition in conditions)


def _claims(roles: str) -> str:
    return f"any(i IN range(0, size(b.roles) - 1) WHERE b.roles[i] IN {roles} AND b.role_first[i] < $size)"


_KINDS_KEPT = f"($any_kind OR b.kind IN $given.kinds OR {_claims('$given.kinds')})"
_ROLES_KEPT = f"($any_role OR {_claims('$given.only')})"


def _there(node: str) -> str:
    """Lies at one of `$given.places`, or is the run of a machine that does.

    The place has no label here: with one, a small graph's plan begins at all that the index of keys has.
    """
    here = "-[l:AT_LOCATION]->(w) WHERE l.first < $size AND w.key IN $given.places"
    return (
        f"(EXISTS {{ ({node}){here} }} "
        f"OR EXISTS {{ ({node})-[o:WAS_ASSOCIATED_WITH]->(:HardwareNode){here} AND o.first < $size }})"
    )


_MADE = f"EXISTS {{ (b)-[g:WAS_GENERATED_BY]->(m:Node) WHERE g.first < $size AND {_there('m')} }}"
_AT_PLACE = f"({_there('b')} OR {_MADE})"
"""`b` is at one of the places, or was generated by what is."""


PLACES_WITHIN = Query(
    f"UNWIND $given.keys AS k {_at('a', 'k')} MATCH (a)<-[r:{EdgeType.AT_LOCATION}]-(b:Jurisdiction) "
    "WHERE r.first < $size RETURN DISTINCT b.key"
)


SHOWN_MODULUS = 2_147_483_647
"""Squares of what is below it fit into Cypher's 64 bits, and so do sums of four thousand million of them."""


_KINDS = " ".join(f"WHEN b:{label} THEN '{kind.value}'" for kind, label in LABELS.items())
_KIND = f"CASE {_KINDS} ELSE b.kind END"
"""The same as `b.kind`. A label lies in the node's own record: over 160,000 nodes that is a tenth faster."""


def closure_counts(reach: Reach) -> Query:
    return Query(f"{reach.text()} RETURN {_KIND}, count(*)")


def closure_nodes(reach: Reach) -> Query:
    """`$most` nodes after the first `$skip`, in the order of the walk, which ends with them."""
    return Query(f"{reach.text()} SKIP $skip LIMIT $most RETURN {_NODE}, b.seq")


def closure_shown(reach: Reach) -> Query:
    """What `neo4j.cursor.Shown` holds of the first `$most` nodes."""
    return Query(
        f"{reach.text()} LIMIT $most RETURN count(b), sum(b.seq % {SHOWN_MODULUS}), "
        f"sum((b.seq % {SHOWN_MODULUS}) * (b.seq % {SHOWN_MODULUS}) % {SHOWN_MODULUS})"
    )


def _own(types: Sequence[str]) -> str:
    """`SAME_AS` is stored each way; the one that was not stated is left out."""
    return " AND (r.mirror IS NULL OR NOT r.mirror)" if EdgeType.SAME_AS in types else ""


def edges_among(types: Sequence[str]) -> Query:
    return Query(
        f"UNWIND $given.keys AS k {_at('a', 'k')} MATCH (a)-[r:{_types(types)}]->(b:Node) "
        f"WHERE r.first < $size AND b.key IN $given.keys{_own(types)} "
        "RETURN a.key, type(r), b.key, r.first, r.indexes, r.signers, r.trusts "
        "ORDER BY r.first, a.seq, type(r), b.seq"
    )


def links_among(types: Sequence[str]) -> Query:
    return Query(
        f"UNWIND $given.keys AS k {_at('a', 'k')} MATCH (a)-[r:{_types(types)}]->(b:Node) "
        f"WHERE r.first < $size AND b.key IN $given.keys{_own(types)} "
        "RETURN k, collect([type(r), b.key])"
    )


def neighbours(types: Sequence[str], *, causes: bool) -> Query:
    arrow = f"-[r:{_types(types)}]->" if causes else f"<-[r:{_types(types)}]-"
    source, target = ("a", "b") if causes else ("b", "a")
    return Query(
        f"{_at('a', '$given.key')} MATCH (a){arrow}(b:Node) WHERE r.first < $size{_own(types)} "
        "WITH a, r, b ORDER BY r.first, type(r), b.seq LIMIT $limit "
        f"RETURN {source}.key, type(r), {target}.key, r.first, r.indexes, r.signers, r.trusts"
    )


STEPS = Query(
    f"UNWIND $given.keys AS k {_at('a', 'k')} MATCH (a)-[r:{_types(LINEAGE_EDGES)}]->(b:Node) "
    "WHERE r.first < $size RETURN k, collect(b.key)"
)
"""One edge nearer to the causes. `SAME_AS` is stored each way, so one direction is enough."""

ENTERED = Query(
    f"UNWIND $given.keys AS k {_at('a', 'k')} MATCH (a)-[r:{_types(OPENING_EDGES)}]->(b:Node) "
    "WHERE r.first < $size AND b.key = $given.cause RETURN k, collect(b.key)"
)
MACHINES = Query(
    f"{_at('a', '$given.cause')} MATCH (a)<-[r:{EdgeType.AT_LOCATION}]-(b:HardwareNode) "
    "WHERE r.first < $size RETURN b.key"
)
ASSOCIATED = Query(
    f"UNWIND $given.keys AS k {_at('a', 'k')} MATCH (a)-[r:{EdgeType.WAS_ASSOCIATED_WITH}]->(b:Node) "
    "WHERE r.first < $size AND b.key IN $given.machines RETURN k, collect(b.key)"
)


# All of them

_FIXED = (
    *CONSTRAINTS, STATE, START, RESET, CLEAR_EDGES, CLEAR_NODES, CLEARED, HOLD, ADVANCE,
    COUNT_NODES, COUNT_EDGES, NODE, NODES, BEGUN, STILL, PLACES_WITHIN, STEPS, ENTERED, MACHINES, ASSOCIATED,
)  # fmt: skip


def reaches() -> Iterator[Reach]:
    """Every form of a walk: types are alike, so one, the usual and all stand for the rest."""
    for direction in Direction:
        for types in (LINEAGE_EDGES, ALL_EDGES, *((name,) for name in ALL_EDGES)):
            yield Reach(direction, types)
        for opens in (False, True):
            for depth in (1, 2, 30, MAX_DEPTH):
                for kept in (False, True):
                    yield Reach(direction, opens=opens, depth=depth, kept=kept)
        yield Reach(direction, place=True)
    for depth in (1, 2, 30, MAX_DEPTH):
        yield Reach(Direction.DESCENDANTS, opens=True, machines=True, depth=depth)


def every() -> Iterator[Query]:
    """Every text, functions of edge types by one, the usual and all types."""
    yield from _FIXED
    for kind in NodeKind:
        yield merge_nodes(kind)
    for role in ROLE_LABELS:
        yield label_role(role)
    for name in EdgeType:
        yield merge_edges(name)
    for types in (LINEAGE_EDGES, ALL_EDGES, *((name,) for name in ALL_EDGES)):
        yield edges_among(types)
        yield links_among(types)
        yield neighbours(types, causes=True)
        yield neighbours(types, causes=False)
    for reach in reaches():
        yield closure_counts(reach)
        yield closure_nodes(reach)
        yield closure_shown(reach)
