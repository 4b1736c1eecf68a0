"""Rows of the graph tables for tests: gathered in memory, then written at once by raw SQL.

Only for tests of what reads the graph; in the product the projector alone writes these tables.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction

from lineage.db.numbered_fields import kind_number

FOREVER_US = 2**63 - 1
START_US = 1_767_225_600_000_000  # 2026-01-01
SECOND_US = 1_000_000


class GraphRows:
    """A graph to be. Keys and names are free; ids are dense from 1 in order of mention.

    Nodes and edges are first seen at the lowest index that mentions them; entry `i` of the log is received
    at `START_US` + i seconds. `save` writes everything, and the watermark after the highest index.
    """

    def __init__(self, signer: str = "key:" + "aa" * 32) -> None:
        self.ids: dict[str, int] = {}
        self.kinds: dict[int, str] = {}
        self.first: dict[int, int] = {}
        self.edges: dict[tuple[int, str, int], int] = {}
        self.edge_first: list[int] = []
        self.support: list[tuple[int, int, int, str]] = []
        self.claims: list[tuple[int, str, str, int, int, str]] = []
        self.statuses: list[tuple[int, int, int | None, int, int, str, str]] = []
        self.checks: list[tuple[object, ...]] = []
        self.top = 0
        self.signer = signer
        self.node(signer, "signer", 0)

    def node(self, key: str, kind: str, index: int) -> int:
        number = self.ids.setdefault(key, len(self.ids) + 1)
        self.kinds.setdefault(number, kind)
        self.first[number] = min(index, self.first.get(number, index))
        self.top = max(self.top, index)
        return number

    def edge(
        self, source: str, kind: str, target: str, index: int, *, signer: str = "", trust: str = "signed"
    ) -> None:
        """Both nodes must have been mentioned before."""
        triple = (self.ids[source], kind, self.ids[target])
        number = self.edges.setdefault(triple, len(self.edges) + 1)
        if number > len(self.edge_first):
            self.edge_first.append(index)
        self.edge_first[number - 1] = min(self.edge_first[number - 1], index)
        self.support.append((number, index, self.ids[signer or self.signer], trust))
        self.top = max(self.top, index)

    def claim(
        self, key: str, kind: str, value: str, index: int, *, signer: str = "", trust: str = "signed"
    ) -> None:
        self.claims.append((self.ids[key], kind, value, index, self.ids[signer or self.signer], trust))

    def status(
        self,
        key: str,
        status: str,
        reasons: str = "",
        *,
        index: int = 0,
        to: int | None = None,
        since: int = 0,
        until: int = FOREVER_US,
    ) -> None:
        self.statuses.append((self.ids[key], index, to, since, until, status, reasons))

    def check(
        self, key: str, location: str, outcome: str, index: int, at_us: int, *, signer: str = ""
    ) -> None:
        by = self.ids[signer or self.signer]
        expected = key.partition(":")[2]
        observed = expected if outcome == "match" else "00" if outcome == "mismatch" else ""
        self.checks.append(
            (
                self.ids[key],
                location,
                "sha256",
                expected,
                observed,
                outcome,
                3,
                "",
                0,
                at_us,
                index,
                by,
                "observed",
            )
        )

    def save(self, *, entries: bool = True) -> None:
        """Write all rows, in ids' order, in one transaction."""
        with transaction.atomic():
            nodes = ((i, key, self.kinds[i], self.first[i]) for key, i in self.ids.items())
            _insert("graph_node", "id, key, kind, first_index", nodes)
            edges = ((i, s, k, t, self.edge_first[i - 1]) for (s, k, t), i in self.edges.items())
            _insert("graph_edge", "id, source_id, type, target_id, first_index", edges)
            _insert("graph_support", 'edge_id, "index", signer_id, trust', self.support)
            _insert("graph_claim", 'node_id, kind, value, "index", signer_id, trust', self.claims)
            columns = "node_id, from_index, to_index, from_us, until_us, status, reasons"
            _insert("graph_status", columns, self.statuses)
            columns = (
                "node_id, location, method, expected, observed, outcome, strength, reason, bytes, at_us, "
                '"index", signer_id, trust'
            )
            _insert("graph_check", columns, self.checks)
            _insert("graph_state", "id, projected, generation, rules", [(1, self.top + 1, 0, "test")])
            if entries:
                _insert_log(self.top + 1)


@contextmanager
def saved(rows: GraphRows) -> Iterator[None]:
    """The graph tables hold `rows` inside the block, and what they held before after it. No log entries."""
    with transaction.atomic():
        rows.save(entries=False)
        yield
        transaction.set_rollback(True)


def _insert_log(size: int) -> None:
    columns = (
        '"index", kind, envelope_digest, statement_digest, received_us, key_ids, policy_index, leaf_hash, '
        "predicate_type_id"
    )
    leaf = uuid.uuid4().bytes * 2  # a closure index knows by it that this is another log
    entries = (
        (
            i,
            kind_number("attestation"),
            i.to_bytes(32, "big"),
            i.to_bytes(32, "big"),
            START_US + i * SECOND_US,
            b"\xaa" * 32,
            -1,
            leaf,
            1,
        )
        for i in range(size)
    )
    _insert("log_predicate_type", "id, name", [(1, "test")])
    _insert("log_entry", columns, entries)
    head = [(1, f"{uuid.uuid4()}.example", size, START_US + size * SECOND_US, -1)]
    _insert("log_head", "id, origin, size, last_received_us, policy_index", head)


def _insert(table: str, columns: str, rows: Iterable[tuple[Any, ...]]) -> None:
    marks = ", ".join(["%s"] * len(columns.split(",")))
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
            return
        cursor.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", list(rows))
