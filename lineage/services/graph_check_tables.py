"""Checking the graph tables: how the installation's own, and those of a replay, are read and compared.

Owns: the queries, each for some node keys at a time, so that no read is long and none needs much memory. Does
not own: comparing (`graph_compare`), or making the tables anew (`project`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper

from lineage.db.models import LogHead
from lineage.errors import ConflictError
from lineage.graph import sql, sql_dialect
from lineage.services import project
from lineage.services.graph_compare import PAGE, Comparison, Findings, Outcome, Row, Section
from lineage.services.graph_replay import Progress, Replay, replay

SKIPPED_PAGE = 50_000
"""Log indexes at a time."""
MAX_STRAYS = 20
NO_NODE = "(no node)"
_TARGET = f"COALESCE(b.key, '{NO_NODE}')"
_SIGNER = f"COALESCE(s.key, '{NO_NODE}')"

NODE = Section("node", ("key", "kind", "first_index"), 1, 2)
EDGE = Section("edge", ("source", "type", "target", "first_index"), 3, 3)
SUPPORT = Section("support", ("source", "type", "target", "index", "signer", "trust"), 6, 3)
CLAIM = Section("claim", ("node", "kind", "value", "index", "signer", "trust"), 6, 3)
CHECK = Section(
    "check",
    (
        "node",
        "location",
        "index",
        "signer",
        "method",
        "expected",
        "observed",
        "outcome",
        "reason",
        "at_us",
        "strength",
        "bytes",
        "trust",
    ),
    10,
    2,
)
STATUS = Section(
    "status", ("node", "from_index", "from_us", "until_us", "status", "reasons", "to_index"), 3, 1
)
SKIPPED = Section("skipped", ("index", "reason"), 1, 0)
COPY = Section(
    "copy",
    (
        "node",
        "location",
        "storage",
        "outcome",
        "last_us",
        "quick_us",
        "content_us",
        "full_us",
        "bytes",
        "due_us",
        "method",
        "overdue_us",
    ),
    2,
    0,
)

_EDGES = (
    " FROM {{texts}} CROSS JOIN graph_node a CROSS JOIN graph_edge e"
    "{join} LEFT JOIN graph_node b ON b.id = e.target_id{more}"
    " WHERE a.key = w.value AND e.source_id = a.id"
)
_OF_NODES = (
    " FROM {{texts}} CROSS JOIN graph_node n CROSS JOIN {table} c"
    " LEFT JOIN graph_node s ON s.id = c.signer_id WHERE n.key = w.value AND c.node_id = n.id"
)
_QUERIES = {
    NODE: ("SELECT n.key, n.kind, n.first_index FROM {texts} CROSS JOIN graph_node n WHERE n.key = w.value"),
    EDGE: (f"SELECT a.key, e.type, {_TARGET}, e.first_index" + _EDGES.format(join="", more="")),
    SUPPORT: (
        f'SELECT a.key, e.type, {_TARGET}, c."index", {_SIGNER}, c.trust'
        + _EDGES.format(
            join=" CROSS JOIN graph_support c", more=" LEFT JOIN graph_node s ON s.id = c.signer_id"
        )
        + " AND c.edge_id = e.id"
    ),
    CLAIM: (
        f'SELECT n.key, c.kind, c.value, c."index", {_SIGNER}, c.trust'
        + _OF_NODES.format(table="graph_claim")
    ),
    CHECK: (
        f'SELECT n.key, c.location, c."index", {_SIGNER}, c.method, c.expected, c.observed,'
        " c.outcome, c.reason, c.at_us, c.strength, c.bytes, c.trust" + _OF_NODES.format(table="graph_check")
    ),
    STATUS: (
        "SELECT n.key, c.from_index, c.from_us, c.until_us, c.status, c.reasons, c.to_index"
        " FROM {texts} CROSS JOIN graph_node n CROSS JOIN graph_status c"
        " WHERE n.key = w.value AND c.node_id = n.id"
    ),
    COPY: (
        "SELECT n.key, c.location, c.storage, c.outcome, c.last_us, c.quick_us, c.content_us, c.full_us,"
        " c.bytes, c.due_us, c.method, c.overdue_us FROM {texts} CROSS JOIN graph_node n"
        " CROSS JOIN graph_copy c WHERE n.key = w.value AND c.node_id = n.id"
    ),
}
SECTIONS = tuple(each for each in _QUERIES if each is not COPY)
"""Of which a row of some tree size can be told from later ones. A copy's row is of now alone."""
_READINGS = 20
"""Of a page of copies, until the graph stands still for one; a page takes some milliseconds."""

_STRAYS = {
    "edge": "SELECT r.id FROM graph_edge r LEFT JOIN graph_node n ON n.id = r.source_id",
    "support": "SELECT r.id FROM graph_support r LEFT JOIN graph_edge n ON n.id = r.edge_id",
    "claim": "SELECT r.id FROM graph_claim r LEFT JOIN graph_node n ON n.id = r.node_id",
    "check": "SELECT r.id FROM graph_check r LEFT JOIN graph_node n ON n.id = r.node_id",
    "node": "SELECT r.id FROM graph_node r LEFT JOIN graph_node n ON n.id = r.id AND n.key <> ''",
    "status": "SELECT r.id FROM graph_status r LEFT JOIN graph_node n ON n.id = r.node_id",
    "copy": "SELECT r.id FROM graph_copy r LEFT JOIN graph_node n ON n.id = r.node_id",
}


class Tables:
    """The graph tables of one database, read as of tree size `size`: a status closed later is still open."""

    def __init__(self, database: BaseDatabaseWrapper, size: int) -> None:
        self._database = database
        self._size = size

    def rows(self, section: Section, keys: Sequence[str]) -> list[Row]:
        """The rows that belong to these node keys, in no order."""
        vendor = self._database.vendor
        query = sql_dialect.query(_QUERIES[section], vendor)
        found = self._fetch(query, sql_dialect.listed(keys, vendor)) if keys else []
        if section is STATUS:
            return [(*row[:-1], self._closed(row[-1])) for row in found]
        return found

    def _closed(self, index: int | None) -> int | None:
        return None if index is None or index >= self._size else index

    def key_pages(self) -> Iterator[list[str]]:
        """Every node's key, `PAGE` at a time."""
        last = ""
        query = "SELECT key FROM graph_node WHERE key > %s ORDER BY key LIMIT %s"
        while keys := [row[0] for row in self._fetch(query, [last, PAGE])]:
            yield keys
            last = keys[-1]

    def known(self, keys: Sequence[str]) -> set[str]:
        return {row[0] for row in self.rows(NODE, keys)}

    def count_nodes(self) -> int:
        return int(self._fetch("SELECT count(*) FROM graph_node", [])[0][0])

    def skipped(self, start: int) -> list[Row]:
        """The skipped entries of the `SKIPPED_PAGE` from `start` on."""
        query = 'SELECT "index", reason FROM graph_skipped_entry WHERE "index" >= %s AND "index" < %s'
        return self._fetch(query, [start, min(start + SKIPPED_PAGE, self._size)])

    def strays(self, findings: Findings) -> None:
        """Add what hangs on no node, which no key leads to."""
        for name, query in _STRAYS.items():
            for (number,) in self._fetch(f"{query} WHERE n.id IS NULL LIMIT {MAX_STRAYS}", []):
                findings.add(name, "extra", f"row {number} hangs on nothing")

    def _fetch(self, query: str, parameters: Sequence[Any]) -> list[Row]:
        with self._database.cursor() as cursor:
            cursor.execute(query, list(parameters))
            return list(cursor.fetchall())


def check(repair: bool, progress: Progress) -> Outcome:
    """Compare the tables with the entries that they have followed. Raises: as `graph_check.check`."""
    findings, state, head = Findings(), _state(), _head()
    size = min(state.projected, head)
    with replay() as played:
        played.follow(size, progress)
        same_rules = state.rules == project.fingerprint()
        sections = SECTIONS if same_rules else tuple(each for each in SECTIONS if each is not STATUS)
        expected, found = Tables(played.database, size), Tables(connection, size)
        Comparison(size, expected, expected, found, sections, progress).run(findings)
        for start in range(0, size, SKIPPED_PAGE):
            findings.compare(SKIPPED, expected.skipped(start), found.skipped(start), size)
        if same_rules:
            _compare_copies(played, state.generation, progress, findings)
    if not same_rules:
        findings.add("rules", "changed", "the statuses were made by other rules, and were not compared")
    if state.projected > head:
        findings.add("watermark", "changed", f"it is at {state.projected}, the log ends at {head}")
    now = _state()
    if now.generation != state.generation or now.projected < state.projected:
        raise ConflictError("The graph was made anew during the check.", hint="Check it again.")
    repaired = repair and bool(findings.differences)
    if repaired:
        project.rebuild(lambda done, total: progress(done, total, "making the tables anew"))
    return Outcome(size, findings, repaired=repaired)


def _compare_copies(played: Replay, generation: int, progress: Progress, findings: Findings) -> None:
    """How copies stand and when each is due: a page at a time, as of where the graph is when it is read.

    What has another generation by then is left to whoever looks at that.
    """
    expected, found, done = Tables(played.database, played.size), Tables(connection, played.size), 0
    total = expected.count_nodes()
    for keys in expected.key_pages():
        for _ in range(_READINGS):
            before, rows, after = _state(), found.rows(COPY, keys), _state()
            if (before.generation, after.generation) != (generation, generation):
                return
            if before.projected == after.projected:
                size = min(after.projected, _head())
                if size < played.size:
                    return
                played.follow(size)
                findings.compare(COPY, expected.rows(COPY, keys), rows, size)
                break
        done += len(keys)
        progress(done, total, "comparing copies")


def _head() -> int:
    return LogHead.objects.values_list("size", flat=True).filter(pk=1).first() or 0


def _state() -> sql.State:
    with connection.cursor() as cursor:
        return sql.read_state(cursor) or sql.State(0, 0, project.fingerprint())
