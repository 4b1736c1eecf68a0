"""Four web processes and two workers on one PostgreSQL database: one log, each statement once, one graph."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

from lineage.db.numbered_fields import kind_text
from lineage.db.packing import unpack
from lineage.trust.digest import sha256_hex
from lineage.trust.keys import generate_ed25519
from lineage.trust.leaf import Leaf
from lineage.trust.merkle import Frontier, leaf_hash
from tests.bench import load
from tests.server import Server, run, started_many

PROCESSES = 4
THREADS = 8
STATEMENTS = 320
SENT_BY = 3
"""Each statement is sent by so many threads, of different processes."""
PATIENCE_SECONDS = 60.0

GRAPH = """
import django; django.setup()
from lineage.services import project
from tests.integration.projections import dump
while project.project_pending():
    pass
followed = dump()
project.rebuild()
assert dump() == followed, "a graph that two workers followed the log with is another than one made at once"
print(len(followed["nodes"]), project.watermark())
"""


class _Sender(threading.Thread):
    """Posts its share over one connection; `answers` are (digest of the envelope, status, receipt)."""

    def __init__(self, server: Server, envelopes: list[bytes]) -> None:
        super().__init__()
        self.server, self.envelopes = server, envelopes
        self.answers: list[tuple[str, int, dict[str, Any]]] = []

    def run(self) -> None:
        for envelope in self.envelopes:
            answer = self.server.call("POST", "/api/v1/attestations", envelope)
            self.answers.append((sha256_hex(envelope), answer.status, answer.json()))


@pytest.fixture
def servers(fresh_postgresql: str, tmp_path: Path) -> Any:
    settings = {"LINEAGE_DATABASE_URL": fresh_postgresql, "LINEAGE_WEB_WORKERS": "1"}
    with started_many(tmp_path, webs=PROCESSES, workers=2, **settings) as running:
        yield running


def test_many_processes_keep_one_log(servers: list[Server], fresh_postgresql: str, tmp_path: Path) -> None:
    key = generate_ed25519()
    servers[0].register(key.public.pem(), "many")
    envelopes = load.envelopes(key, STATEMENTS)
    senders = [
        _Sender(server, share(envelopes, place, thread))
        for place, server in enumerate(servers)
        for thread in range(THREADS)
    ]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    receipts: dict[str, set[int]] = {}
    created = []
    for digest, status, receipt in (answer for sender in senders for answer in sender.answers):
        assert status in {200, 201}, receipt
        assert receipt["digest"] == f"sha256:{digest}"
        receipts.setdefault(digest, set()).add(receipt["index"])
        created += [digest] if status == 201 else []
    assert sum(len(sender.answers) for sender in senders) == STATEMENTS * SENT_BY
    assert sorted(created) == sorted(receipts) == sorted(map(sha256_hex, envelopes))
    indexes = {digest: found.pop() for digest, found in receipts.items() if len(found) == 1}
    assert len(indexes) == STATEMENTS

    with psycopg.connect(fresh_postgresql) as database:
        logged = entries(database)
        assert {digest: logged.index(digest) for digest in indexes} == indexes
        published(database, len(logged))
    said = run(tmp_path, GRAPH, {"LINEAGE_DATABASE_URL": fresh_postgresql})
    nodes, watermark = map(int, said.split())
    assert watermark == len(logged)
    assert nodes > 2 * STATEMENTS


def share(envelopes: list[bytes], place: int, thread: int) -> list[bytes]:
    """What one thread sends: each envelope goes to three processes, there to one thread, in other orders."""
    mine = [
        envelope
        for number, envelope in enumerate(envelopes)
        if (number + place) % PROCESSES < SENT_BY and (number // PROCESSES) % THREADS == thread
    ]
    return mine if place % 2 else mine[::-1]


def entries(database: psycopg.Connection) -> list[str]:
    """Envelope digests in log order; each entry's row, leaf and bytes are looked at on the way."""
    rows = database.execute(
        'SELECT e."index", e.kind, e.envelope_digest, e.statement_digest, e.received_us, e.key_ids,'
        " e.policy_index, e.leaf_hash, v.content FROM log_entry e"
        ' LEFT JOIN log_envelope v ON v.entry_id = e."index" ORDER BY e."index"'
    ).fetchall()
    assert [row[0] for row in rows] == list(range(len(rows)))
    assert [row[4] for row in rows] == sorted(row[4] for row in rows)
    for _, kind, digest, statement, received, keys, policy, hashed, content in rows:
        assert sha256_hex(unpack(content)) == digest.hex()
        signers = tuple(keys[at : at + 32].hex() for at in range(0, len(keys), 32))
        leaf = Leaf(kind_text(kind), digest.hex(), statement.hex(), received, signers, policy)
        assert leaf_hash(leaf.encode()) == hashed
    (size,) = database.execute("SELECT size FROM log_head").fetchone() or (None,)
    assert size == len(rows)
    return [row[2].hex() for row in rows]


def published(database: psycopg.Connection, size: int) -> None:
    """Waits for the checkpoint over the whole log: its root is that of the leaves, computed anew."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    found = None
    while found is None and time.monotonic() < deadline:
        database.rollback()  # to see what others have committed since
        found = database.execute("SELECT root_hash FROM log_checkpoint WHERE size = %s", [size]).fetchone()
        time.sleep(0.05)
    frontier = Frontier(0, ())
    for (hashed,) in database.execute('SELECT leaf_hash FROM log_entry ORDER BY "index"'):
        frontier = frontier.append(hashed)
    assert found == (frontier.root().hex(),)
