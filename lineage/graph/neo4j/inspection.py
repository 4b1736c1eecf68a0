"""What an operator asks of a Neo4j server: its version, and whether what keeps nodes single is there.

Owns: these questions alone. They are about the server, so no plan of theirs matters.
"""

from __future__ import annotations

from dataclasses import dataclass

from lineage.graph.neo4j import queries
from lineage.graph.neo4j.driver import Client
from lineage.graph.neo4j.queries import Query
from lineage.service_urls import Bolt

_VERSION = Query("CALL dbms.components() YIELD versions, edition RETURN versions[0], edition LIMIT 1")
_CONSTRAINTS = Query("SHOW CONSTRAINTS YIELD name RETURN name")


@dataclass(frozen=True, slots=True)
class Server:
    """`missing`: names of constraints that the projector makes and that are not there."""

    version: str
    edition: str
    missing: tuple[str, ...]


def server(bolt: Bolt) -> Server:
    """Raises: UnavailableError where it does not answer."""
    client = Client(bolt)
    version, edition = client.read(lambda tx: tx.first(_VERSION)) or ("unknown", "unknown")
    there = {str(name) for (name,) in client.read(lambda tx: tx.rows(_CONSTRAINTS))}
    wanted = [query.text.split()[2] for query in queries.CONSTRAINTS]
    return Server(str(version), str(edition), tuple(name for name in wanted if name not in there))
