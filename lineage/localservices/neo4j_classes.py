"""A class-data archive of Neo4j: its classes as Java has them in memory, so that a start reads, checks and
links none of them anew. That halves a start's processor time.

Owns: `classes-<digest>.jsa` beside the class path in the user's cache; the digest is that of Java and the
class path. Java goes on without what is not its own archive. Nothing needs one:
`python -m lineage.localservices.neo4j_classes` makes it, which takes as long as three starts.

Source: JEP 350 (dynamic archiving of class data).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from pathlib import Path

from lineage.errors import UnavailableError
from lineage.localservices import neo4j_jars

_QUERIES = (
    "CREATE CONSTRAINT one IF NOT EXISTS FOR (n:N) REQUIRE n.id IS UNIQUE",
    "CREATE INDEX other IF NOT EXISTS FOR ()-[e:E]-() ON (e.at)",
    "UNWIND range(1, 9) AS i MERGE (n:N {id: i}) SET n += {at: i, text: toString(i), list: [i]}",
    "UNWIND range(2, 9) AS i MATCH (a:N {id: i - 1}), (b:N {id: i}) MERGE (a)-[e:E {at: i}]->(b)",
    "MATCH (n:N) WHERE n.id IN [1, 2] AND NOT EXISTS { (n)<--(:N {id: 7}) } RETURN n ORDER BY n.at LIMIT 3",
    "MATCH p = (n:N {id: 1})((:N)-[e:E WHERE e.at < 8]->(:N)){1,6}(m) RETURN length(p), collect(m.id)",
    "MATCH p = shortestPath((n:N {id: 1})-[:E*..9]-(m:N {id: 9})) RETURN nodes(p), relationships(p)",
    "MATCH (n:N) CALL (n) { OPTIONAL MATCH (n)-[e:E]->(m) RETURN count(m) AS c } RETURN n.id, c UNION "
    "MATCH (n:N) WITH DISTINCT n.at AS at WHERE at > 1 RETURN at AS `n.id`, sum(at) AS c",
    "EXPLAIN MATCH (n:N)-[:E*1..3]->(m) WHERE m.id STARTS WITH 'x' OR m.id CONTAINS 'y' RETURN m LIMIT 2",
    "SHOW CONSTRAINTS",
    "SHOW INDEXES",
)
"""Of the kinds that the graph asks: what Java reads for the first of a kind is archived too."""


def arguments(java: str) -> tuple[str, ...]:
    """What Java is told to start Neo4j with its archive; nothing where there is none."""
    archive = path(java)
    return (f"-XX:SharedArchiveFile={archive}", "-Xshare:auto") if archive.exists() else ()


def make() -> bool:
    """Make the archive where there is none yet; whether it is there now.

    Raises: UnavailableError where Java or the jars are missing, or Neo4j does not start.
    """
    from lineage.localservices import neo4j

    archive = path(neo4j.program())
    if archive.exists():
        return True
    with tempfile.TemporaryDirectory(prefix="lineage-neo4j-") as folder:
        made = Path(folder) / archive.name
        # It does not live long enough for what the second compiler makes.
        java = (f"-XX:ArchiveClassesAtExit={made}", "-XX:TieredStopAtLevel=1")
        service = neo4j.Neo4j(Path(folder), None, neo4j.HEAP, "64m", java=java)
        service.start()
        try:
            for query in _QUERIES:
                service.ask(query)
        finally:
            service.stop()
        if not made.exists():  # it took too long to end
            return False
        # The cache may be another file system. Who looks sees none or all of it, also after a power cut: Java
        # goes on without a file that is no archive, but crashes in the middle of half of one.
        waiting = archive.with_name(f".{archive.name}.{os.getpid()}")
        with open(made, "rb") as source, open(waiting, "wb") as copy:
            shutil.copyfileobj(source, copy)
            copy.flush()
            os.fsync(copy.fileno())
        waiting.replace(archive)
    return True


def path(java: str) -> Path:
    """Where the archive of this Java and these jars is, or would be."""
    program = Path(java).resolve()
    status = program.stat()
    of = f"{program}\0{status.st_size}\0{status.st_mtime_ns}\0{neo4j_jars.class_path()}"
    return neo4j_jars.cache() / f"classes-{hashlib.sha256(of.encode()).hexdigest()[:16]}.jsa"


if __name__ == "__main__":
    try:
        if not make():
            sys.exit("Neo4j did not write its classes down in time.")
    except UnavailableError as problem:
        sys.exit(f"{problem.message} {problem.hint}".rstrip())
