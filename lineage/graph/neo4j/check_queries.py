"""The Cypher texts of `lineage graph check`: reading nodes and relationships as they are, and mending some.

Owns: the texts. Values are parameters; what is formatted into a text is edge types. Each write is made under
`queries.HOLD`. Does not own: what should be there (`services.graph_check_neo4j`).
"""

from __future__ import annotations

from lineage.graph.model import EdgeType
from lineage.graph.neo4j.queries import ALL_EDGES, Query

_TYPES = "|".join(ALL_EDGES)

KEYS = Query("MATCH (n:Node) WHERE n.key > $given.after RETURN n.key ORDER BY n.key LIMIT $most")
NODES = Query("UNWIND $given.keys AS k MATCH (n:Node {key: k}) RETURN k, labels(n), properties(n)")
EDGES = Query(
    "UNWIND $given.keys AS k MATCH (a:Node {key: k})-[r]->(b) "
    "RETURN k, type(r), CASE WHEN b:Node THEN b.key END, properties(r)"
)

_NO_KEY = "n.key IS NULL OR n.key = '' OR n.key IS NOT :: STRING"
NAMELESS = Query(f"MATCH (n:Node) WHERE {_NO_KEY} RETURN count(n)")
FOREIGN = Query(f"MATCH (a)-[r:{_TYPES}]->(b) WHERE NOT a:Node RETURN count(r)")
"""Relationships by which a walk would leave the graph, or enter it. Other programs' nodes are left alone."""

DROP_NAMELESS = Query(f"MATCH (n:Node) WHERE {_NO_KEY} DETACH DELETE n RETURN count(*)")
DROP_FOREIGN = Query(f"MATCH (a)-[r:{_TYPES}]->(b) WHERE NOT a:Node DELETE r RETURN count(*)")
DROP_NODES = Query("UNWIND $given.keys AS k MATCH (n:Node {key: k}) DETACH DELETE n RETURN count(*)")
DROP_EDGES = Query("UNWIND $given.keys AS k MATCH (n:Node {key: k})-[r]->() DELETE r RETURN count(*)")
WRITE_NODES = Query(
    "UNWIND $given.rows AS r MERGE (n:Node {key: r.values.key}) "
    "REMOVE n:$([label IN labels(n) WHERE NOT label IN r.labels]) "
    "SET n:$(r.labels), n = r.values RETURN count(*)"
)
"""Rows: `labels`, `values` (all properties). Source: Cypher manual, SET and REMOVE, dynamic labels (5.26)."""

RENEW = Query("MATCH (p:Projection {id: 1}) SET p.generation = $generation RETURN p.generation")
"""So that no process goes on with what it remembers of the graph as it was."""


def write_edges(kind: EdgeType) -> Query:
    """Rows: source key, target key, all properties."""
    return Query(
        "UNWIND $given.rows AS r MATCH (a:Node {key: r[0]}) MATCH (b:Node {key: r[1]}) "
        f"CREATE (a)-[e:{kind.value}]->(b) SET e = r[2] RETURN count(*)"
    )
