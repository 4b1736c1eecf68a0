"""kill -9 of the real server under load: what it acknowledged is there once, in order, provable.

After each round the whole log is read anew, and what was sent without an answer is sent again; in the end it
is audited, and what was seen is replayed against the specification. `CRASH_ROUNDS` says how many rounds there
are; `pytest -s` prints the table.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from lineage.trust import tlog_proof
from lineage.trust.dsse import encode_base64
from lineage.trust.keys import generate_ed25519
from tests.bench import load
from tests.crash.conftest import Traces
from tests.crash.running import Installation, Senders, until
from tests.crash.trace import Trace

ROUNDS = int(os.environ.get("CRASH_ROUNDS", "5"))
KILLED: tuple[tuple[str, ...], ...] = (("web", "worker"), ("web",), ("worker",))
"""What dies in a round: in turn."""
TRACED_ROUNDS = 10
"""A longer trace has trees that take TLC minutes."""
ROWS: list[str] = []


@pytest.fixture(scope="module", autouse=True)
def table() -> Iterator[None]:
    yield
    columns = ("database", "round", "killed", "acknowledged", "unanswered", "of them in the log", "entries")
    print(f"\n\n| {' | '.join(columns)} | published |\n{'|---' * 8}|")
    print("\n".join(ROWS))


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Installation]:
    database = request.getfixturevalue("fresh_postgresql") if request.param == "PostgreSQL" else ""
    made = Installation(tmp_path, database)
    yield made
    made.kill()


def _load(installation: Installation, senders: Senders, killed: Sequence[str]) -> tuple[int, bytes]:
    """Send for a while and kill; the size and root (base64) of a checkpoint that was served before."""
    until("it has published", lambda: _checkpoint(installation)[0] == len(senders.acknowledged) + 2)
    goal = len(senders.acknowledged) + random.randint(20, 100)
    senders.start()
    until("it acknowledges", lambda: len(senders.acknowledged) >= goal)
    served = _checkpoint(installation)
    time.sleep(random.random() / 10)
    installation.kill(*killed)
    if "web" not in killed:
        goal = len(senders.acknowledged) + 20
        until("it acknowledges without a worker", lambda: len(senders.acknowledged) >= goal)
    senders.end()
    return served


def _checkpoint(installation: Installation) -> tuple[int, bytes]:
    answer = installation.server.call("GET", "/log/checkpoint")
    if answer.status != 200:
        return 0, b""
    size, root = answer.data.split(b"\n")[1:3]
    return int(size), root


def _rounds(installation: Installation, senders: Senders, name: str, trace: Trace) -> None:
    seen: dict[int, bytes] = {}
    for number in range(ROUNDS):
        killed = KILLED[number % len(KILLED)]
        traced = trace if number < TRACED_ROUNDS else None
        if traced is None:
            senders.told = lambda digest, index: None
        before = len(senders.acknowledged)
        size, root = _load(installation, senders, killed)
        seen[size] = root
        asked, acknowledged = len(senders.unanswered), len(senders.acknowledged) - before
        log = installation.reread(traced)
        log.holds(senders.acknowledged)
        for size, root in seen.items():
            assert root == encode_base64(log.roots[size]).encode(), "a served checkpoint is of another tree"
        if traced is not None:
            trace.crashed()
        installation.start()
        written = senders.send_again()
        log = installation.reread(traced)
        log.holds(senders.acknowledged)
        # Beside what was sent there are the first entry and the key's registration.
        assert log.size == len(senders.acknowledged) + 2
        cells = (name, number + 1, " and ".join(killed), acknowledged, asked, written, log.size)
        ROWS.append("| " + " | ".join(map(str, (*cells, log.published))) + " |")


def test_killed_under_load(
    installation: Installation, request: pytest.FixtureRequest, traces: Traces
) -> None:
    name = request.node.callspec.params["installation"]
    trace = traces.new(name)
    installation.start()
    key = generate_ed25519()
    installation.server.register(key.public.pem(), "crash")
    senders = Senders(installation.server, lambda count: load.envelopes(key, count), told=trace.acknowledged)
    try:
        _rounds(installation, senders, name, trace)
    finally:
        installation.kill()
        senders.end()
    installation.start()
    size = installation.reread().size
    until("all of it is published", lambda: installation.reread().published == size)
    until("the graph is level", lambda: installation.ask("SELECT projected FROM graph_state")[0][0] == size)
    for digest in random.sample(sorted(senders.acknowledged), 5):
        proof = installation.server.call("GET", f"/api/v1/attestations/sha256:{digest}/proof")
        assert proof.status == 200, proof.data
        assert tlog_proof.read(proof.data).index == senders.acknowledged[digest]
    installation.audited()
