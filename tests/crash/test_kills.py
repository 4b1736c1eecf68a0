"""kill -9 of the real server under load: what it acknowledged is there once, in order, provable.

After each round the whole log is read anew, and what was sent without an answer is sent again.
`CRASH_ROUNDS` says how many rounds there are; `pytest -s` prints the table.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lineage.trust import tlog_proof
from lineage.trust.dsse import encode_base64
from lineage.trust.keys import generate_ed25519
from tests.bench import load
from tests.crash.running import Installation, Senders, until
from tests.crash.whole import reread

ROUNDS = int(os.environ.get("CRASH_ROUNDS", "5"))
ROWS: list[str] = []


@pytest.fixture(scope="module", autouse=True)
def table() -> Iterator[None]:
    yield
    print("\n\n| database | round | acknowledged | unanswered | of them in the log | entries | published |")
    print("|---|---|---|---|---|---|---|")
    print("\n".join(ROWS))


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Installation]:
    database = request.getfixturevalue("fresh_postgresql") if request.param == "PostgreSQL" else ""
    made = Installation(tmp_path, database)
    yield made
    made.kill()


def _rounds(installation: Installation, senders: Senders, name: str) -> None:
    seen: dict[int, bytes] = {}
    for number in range(ROUNDS):
        before = len(senders.acknowledged)
        senders.start()
        goal = before + random.randint(5, 60)
        until("it acknowledges", lambda goal=goal: len(senders.acknowledged) >= goal)  # type: ignore[misc]
        checkpoint = installation.server.call("GET", "/log/checkpoint")
        if checkpoint.status == 200:
            size, root = checkpoint.data.split(b"\n")[1:3]
            seen[int(size)] = root
        time.sleep(random.random() / 10)
        installation.kill()
        senders.end()
        asked = len(senders.unanswered)
        log = reread(installation.ask)
        log.holds(senders.acknowledged)
        for size, root in seen.items():
            assert root == encode_base64(log.roots[size]).encode(), "a served checkpoint is of another tree"
        acknowledged = len(senders.acknowledged) - before
        size_before = log.size
        installation.start()
        senders.send_again()
        log = reread(installation.ask)
        log.holds(senders.acknowledged)
        # Beside what was sent there are the first entry and the key's registration.
        assert log.size == len(senders.acknowledged) + 2
        written = asked - (log.size - size_before)
        cells = (name, number + 1, acknowledged, asked, written, log.size, log.published)
        ROWS.append("| " + " | ".join(map(str, cells)) + " |")


def test_killed_under_load(installation: Installation, request: pytest.FixtureRequest) -> None:
    installation.start()
    key = generate_ed25519()
    installation.server.register(key.public.pem(), "crash")
    senders = Senders(installation.server, lambda count: load.envelopes(key, count))
    try:
        _rounds(installation, senders, request.node.callspec.params["installation"])
    finally:
        installation.kill()
        senders.end()
    installation.start()
    size = reread(installation.ask).size
    until("all of it is published", lambda: reread(installation.ask).published == size)
    until("the graph is level", lambda: installation.ask("SELECT projected FROM graph_state")[0][0] == size)
    for digest in random.sample(sorted(senders.acknowledged), 5):
        proof = installation.server.call("GET", f"/api/v1/attestations/sha256:{digest}/proof")
        assert proof.status == 200, proof.data
        assert tlog_proof.read(proof.data).index == senders.acknowledged[digest]
