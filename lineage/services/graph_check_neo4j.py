"""Checking the graph in Neo4j, and putting right what differs.

Owns: what is mended by name and when the graph is made anew instead. Does not own: what should be there
(`graph_check_rows`), or comparing (`graph_compare`).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from functools import partial

from lineage.config import current
from lineage.db.models import LogHead
from lineage.errors import ConflictError, UnavailableError
from lineage.graph.model import EdgeType
from lineage.graph.neo4j import check_queries, queries
from lineage.graph.neo4j.driver import Client, Transaction
from lineage.services import graph_check_rows, project_neo4j
from lineage.services.graph_check_rows import Expected
from lineage.services.graph_check_tables import Tables
from lineage.services.graph_compare import MANY, Comparison, Findings, Outcome, in_pages
from lineage.services.graph_replay import Progress, Replay, replay

MENDED = 100
"""Nodes mended in one transaction, with all relationships that begin at them."""


def check(repair: bool, progress: Progress) -> Outcome:
    """Compare what Neo4j holds of the entries that it has followed. Raises: as `graph_check.check`."""
    bolt, state = current().graph, project_neo4j.graph().state()
    if bolt is None:
        raise UnavailableError("No Neo4j is configured.", hint="Set LINEAGE_GRAPH_URL.")
    findings = Findings()
    if state is None:
        return Outcome(0, findings, repaired=False)
    wrong = project_neo4j.wrong(state, LogHead.objects.get(pk=1))
    if wrong:
        findings.add("graph", "changed", wrong)
        if repair:
            _rebuild(progress)
        return Outcome(0, findings, repaired=repair)
    client, size = Client(bolt), state.projected
    with replay() as played:
        expected, found = Expected(played), graph_check_rows.Found(client, size)
        played.follow(size, progress)
        known = Tables(played.database, size)
        Comparison(size, known, expected, found, graph_check_rows.SECTIONS, progress).run(findings)
        after = project_neo4j.graph().state()
        if after is None or after.generation != state.generation or after.projected < size:
            raise ConflictError("The graph in Neo4j was made anew during the check.", hint="Check it again.")
        repaired = repair and bool(findings.differences)
        if repaired:
            _mend(Mender(client, played, expected, state.generation), findings, progress)
    return Outcome(size, findings, repaired=repaired)


def _mend(mender: Mender, findings: Findings, progress: Progress) -> None:
    if len(findings.keys) <= MANY:
        try:
            mender.mend(findings.keys)
            return
        except IncompleteError:
            pass  # a node that a mended edge needs is missing too, since the comparison
    _rebuild(progress)


def _rebuild(progress: Progress) -> None:
    project_neo4j.rebuild(lambda done, total: progress(done, total, "making Neo4j's graph anew"))


class IncompleteError(Exception):
    """More is wrong than was named. Never leaves the check, which then makes the graph anew."""


class Mender:
    """Puts named nodes, and the relationships that begin at them, right: under the watermark, which stays.

    The projector goes on meanwhile, so what is right is taken from the replay at the watermark of each
    transaction.
    """

    def __init__(self, client: Client, replay: Replay, expected: Expected, generation: int) -> None:
        self._client, self._replay = client, replay
        self._expected, self._generation = expected, generation

    def mend(self, keys: Iterable[str]) -> None:
        """Raises: ConflictError where the graph was emptied meanwhile; IncompleteError; UnavailableError."""
        chunks = list(in_pages(sorted(keys), MENDED))
        for part in (self._nodes, self._edges):
            for chunk in chunks:
                self._client.write(partial(part, keys=chunk))
        self._client.write(self._finish)

    def _hold(self, tx: Transaction) -> None:
        row = tx.first(queries.HOLD)
        if row is None or row[0] != self._generation or not row[3]:
            raise ConflictError("The graph in Neo4j was emptied during the check.", hint="Check it again.")
        self._replay.follow(int(row[1]))

    def _nodes(self, tx: Transaction, keys: Sequence[str]) -> None:
        self._hold(tx)
        nodes = self._expected.nodes(keys)
        there = {values["key"] for _, values in nodes}
        tx.rows(check_queries.DROP_NODES, keys=[key for key in keys if key not in there])
        tx.rows(
            check_queries.WRITE_NODES, rows=[{"labels": labels, "values": values} for labels, values in nodes]
        )

    def _edges(self, tx: Transaction, keys: Sequence[str]) -> None:
        self._hold(tx)
        tx.rows(check_queries.DROP_EDGES, keys=keys)
        by_type: dict[str, list[list[object]]] = {}
        for source, kind, target, values in self._expected.edges(keys):
            by_type.setdefault(kind, []).append([source, target, values])
        for kind, made in by_type.items():
            if tx.first(check_queries.write_edges(EdgeType(kind)), rows=made) != [len(made)]:
                raise IncompleteError

    def _finish(self, tx: Transaction) -> None:
        self._hold(tx)
        tx.rows(check_queries.DROP_NAMELESS)
        tx.rows(check_queries.DROP_FOREIGN)
        tx.rows(check_queries.RENEW, generation=secrets.randbits(62))
