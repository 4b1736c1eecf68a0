"""What `lineage graph check` reads of Neo4j, and what a replay of the log says should be there.

Owns: how nodes and relationships of Neo4j follow from the tables of a replay. Does not own: comparing
(`graph_compare`), mending (`graph_check_neo4j`), or Cypher (`graph.neo4j.check_queries`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from lineage.graph import sql_dialect
from lineage.graph.backend import GraphEntry
from lineage.graph.model import EdgeType, NodeKind
from lineage.graph.neo4j import check_queries, queries, rows
from lineage.graph.neo4j.driver import Client
from lineage.services import project_neo4j
from lineage.services.graph_check_tables import EDGE as TABLE_EDGE
from lineage.services.graph_check_tables import NODE as TABLE_NODE
from lineage.services.graph_check_tables import SUPPORT as TABLE_SUPPORT
from lineage.services.graph_check_tables import Tables
from lineage.services.graph_compare import Findings, Row, Section
from lineage.services.graph_replay import Replay
from lineage.services.project_entries import Judged

PAGE = 5_000
SECONDS = 60.0

NODE = Section(
    "node", ("key", "kind", "first", "seq", "name", "name_first", "roles", "labels", "others"), 1, 2
)
EDGE = Section("edge", ("source", "type", "target", "mirror", "first", "others"), 4, 4)
SUPPORT = Section("support", ("source", "type", "target", "mirror", "index", "signer", "trust"), 7, 4)
SECTIONS = (NODE, EDGE, SUPPORT)

_ORDER = "SELECT o.key, o.seq FROM {texts} CROSS JOIN node_order o WHERE o.key = w.value"
_ROLES = (
    'SELECT n.key, c.value, MIN(c."index") FROM {texts} CROSS JOIN graph_node n CROSS JOIN graph_claim c'
    " WHERE n.key = w.value AND c.node_id = n.id AND c.kind = 'role' GROUP BY n.key, c.value"
)
_NAMES = (
    'SELECT n.key, c.value, c."index" FROM {texts} CROSS JOIN graph_node n CROSS JOIN graph_claim c'
    " WHERE n.key = w.value AND c.id = (SELECT f.id FROM graph_claim f"
    " WHERE f.node_id = n.id AND f.kind = 'name' ORDER BY f.\"index\", f.id LIMIT 1)"
)
_ALIASES = (
    'SELECT b.key, a.key, e.first_index, c."index", s.key, c.trust FROM {texts} CROSS JOIN graph_node b'
    " CROSS JOIN graph_edge e CROSS JOIN graph_node a CROSS JOIN graph_support c CROSS JOIN graph_node s"
    " WHERE b.key = w.value AND e.target_id = b.id AND e.type = 'SAME_AS' AND e.source_id <> e.target_id"
    " AND a.id = e.source_id AND c.edge_id = e.id AND s.id = c.signer_id"
)
"""The `SAME_AS` that others state of these nodes: Neo4j has a relationship each way."""

Values = dict[str, Any]


class Expected:
    """What Neo4j should hold of the entries that the replay has followed."""

    def __init__(self, replay: Replay) -> None:
        self._replay = replay
        self._database = replay.database
        with self._database.cursor() as cursor:
            cursor.execute("CREATE TABLE node_order (key TEXT PRIMARY KEY, seq INTEGER) WITHOUT ROWID")
        replay.watch(self._take_order)

    def _take_order(self, judged: list[Judged]) -> None:
        """A node's place in the log's order, which its rank among all nodes of its first entry is part of."""
        folded = rows.fold(_graph_entries(judged))
        found = [
            (str(row[0]), cast("int", row[2])) for node_rows in folded.nodes.values() for row in node_rows
        ]
        with self._database.cursor() as cursor:
            cursor.executemany("INSERT OR IGNORE INTO node_order (key, seq) VALUES (%s, %s)", found)

    @property
    def _tables(self) -> Tables:
        return Tables(self._database, self._replay.size)

    def rows(self, section: Section, keys: Sequence[str]) -> list[Row]:
        if section is NODE:
            return [_node_row(values, labels) for labels, values in self.nodes(keys)]
        return _edge_rows(section, self.edges(keys))

    def nodes(self, keys: Sequence[str]) -> list[tuple[list[str], Values]]:
        """Labels and properties of those of the nodes that should be there."""
        order: dict[str, int] = dict(self._ask(_ORDER, keys))
        names = {key: (name, index) for key, name, index in self._ask(_NAMES, keys)}
        roles: dict[str, list[tuple[int, str]]] = {}
        for key, role, index in self._ask(_ROLES, keys):
            roles.setdefault(key, []).append((index, role))
        found = []
        for key, kind, first in self._tables.rows(TABLE_NODE, keys):
            claimed = sorted(roles.get(key, ()))
            name, name_first = names.get(key, (None, None))
            shown = [queries.ROLE_LABELS[role] for _, role in claimed if role in queries.ROLE_LABELS]
            values = {
                "key": key,
                "kind": kind,
                "first": first,
                "seq": order.get(key),
                "name": name,
                "name_first": name_first,
                "roles": [role for _, role in claimed],
                "role_first": [index for index, _ in claimed],
            }
            found.append((["Node", queries.LABELS[NodeKind(kind)], *shown], values))
        return found

    def edges(self, keys: Sequence[str]) -> list[tuple[str, str, str | None, Values]]:
        """Source, type, target and properties of the relationships that should begin at these nodes."""
        made: dict[tuple[str, str, str, bool], Values] = {}
        for source, kind, target, first in self._tables.rows(TABLE_EDGE, keys):
            made[source, kind, target, False] = _support_of(first)
        for source, kind, target, index, signer, trust in self._tables.rows(TABLE_SUPPORT, keys):
            _add_support(made[source, kind, target, False], index, signer, trust)
        for source, target, first, index, signer, trust in self._ask(_ALIASES, keys):
            values = made.setdefault((source, EdgeType.SAME_AS.value, target, True), _support_of(first))
            _add_support(values, index, signer, trust)
        for (_, kind, _, mirror), values in made.items():
            if kind == EdgeType.SAME_AS:
                values["mirror"] = mirror
        return [(source, kind, target, values) for (source, kind, target, _), values in made.items()]

    def _ask(self, query: str, keys: Sequence[str]) -> list[Row]:
        if not keys:
            return []
        with self._database.cursor() as cursor:
            cursor.execute(sql_dialect.query(query, "sqlite"), sql_dialect.listed(keys, "sqlite"))
            return list(cursor.fetchall())


def _graph_entries(judged: Iterable[Judged]) -> list[GraphEntry]:
    return [project_neo4j.graph_entry(one) for one in judged]


def _support_of(first: int) -> Values:
    return {"first": first, "indexes": [], "signers": [], "trusts": []}


def _add_support(values: Values, index: int, signer: str, trust: str) -> None:
    for name, value in (("indexes", index), ("signers", signer), ("trusts", trust)):
        values[name].append(value)


class Found:
    """What Neo4j holds, as of tree size `size`: of a node that grew later, what it was."""

    def __init__(self, client: Client, size: int) -> None:
        self._client = client
        self._size = size
        self._edges: tuple[Sequence[str], list[list[Any]]] = ((), [])

    def rows(self, section: Section, keys: Sequence[str]) -> list[Row]:
        if section is NODE:
            nodes = self._ask(check_queries.NODES, keys=keys)
            return [_node_row(values, labels, self._size) for _, labels, values in nodes]
        if self._edges[0] is not keys:  # edges and their support are asked for one after the other
            self._edges = keys, self._ask(check_queries.EDGES, keys=keys)
        return _edge_rows(section, self._edges[1])

    def key_pages(self) -> Iterator[list[str]]:
        last = ""
        while keys := [row[0] for row in self._ask(check_queries.KEYS, after=last, most=PAGE)]:
            yield keys
            last = keys[-1]

    def strays(self, findings: Findings) -> None:
        """Add what no node's key leads to."""
        for query, told in (
            (check_queries.NAMELESS, "{} of label Node without a key"),
            (check_queries.FOREIGN, "{} relationships that begin outside the graph"),
        ):
            count = self._ask(query)[0][0]
            if count:
                findings.add("stray", "extra", told.format(count))

    def _ask(self, query: queries.Query, **parameters: object) -> list[list[Any]]:
        return self._client.read(lambda tx: tx.rows(query, **parameters), seconds=SECONDS)


def _node_row(given: Mapping[str, Any], labels: Iterable[str], size: int | None = None) -> Row:
    values = dict(given)
    key, kind, first, seq = (_plain(values.pop(name, None)) for name in ("key", "kind", "first", "seq"))
    name, name_first = _plain(values.pop("name", None)), _plain(values.pop("name_first", None))
    if _since(name_first, size):
        name, name_first = None, None
    roles, later = _pairs(values.pop("roles", None), values.pop("role_first", None), size)
    shown = sorted(set(labels) - {queries.ROLE_LABELS.get(role, "") for role in later})
    return key, kind, first, seq, name, name_first, roles, tuple(shown), _others(values)


def _pairs(roles: object, firsts: object, size: int | None) -> tuple[tuple[Row, ...], list[str]]:
    """(role, first index) of those below `size`, sorted, and the roles that came later."""
    if not isinstance(roles, list) or not isinstance(firsts, list) or len(roles) != len(firsts):
        return (("damaged", _plain(roles), _plain(firsts)),), []
    pairs = list(zip(roles, firsts, strict=True))
    later = [role for role, first in pairs if _since(first, size)]
    return tuple(sorted((pair for pair in pairs if not _since(pair[1], size)), key=repr)), later


def _edge_rows(section: Section, edges: Iterable[Sequence[Any]]) -> list[Row]:
    made: list[Row] = []
    for source, kind, target, given in edges:
        values = dict(given)
        mirror, first = _plain(values.pop("mirror", None)), _plain(values.pop("first", None))
        lists = [values.pop(name, None) for name in ("indexes", "signers", "trusts")]
        if section is EDGE:
            made.append((source, kind, target, mirror, first, _others(values)))
        elif all(isinstance(one, list) for one in lists) and len({len(one) for one in lists}) == 1:
            made += [(source, kind, target, mirror, *said) for said in zip(*lists, strict=True)]
        else:
            made.append((source, kind, target, mirror, "damaged", repr(lists), ""))
    return made


def _since(index: object, size: int | None) -> bool:
    return size is not None and isinstance(index, int) and index >= size


def _plain(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _others(values: Mapping[str, object]) -> Row:
    """Properties that nothing of ours writes."""
    return tuple(sorted((name, repr(value)) for name, value in values.items()))
