"""Redacting on a real server, while its worker follows the log: web process and worker are two."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

from lineage.trust import tlog_proof
from tests import factories
from tests.server import Server, started

SECONDS = 30.0
NAME = "Ada's model"


def until(look: Callable[[], bool]) -> bool:
    """Whether it comes true in time."""
    deadline = time.monotonic() + SECONDS
    while not look():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_bytes_go_and_the_worker_makes_the_graph_anew(tmp_path: Path) -> None:
    with started(tmp_path) as server:
        who = factories.signer()
        server.register(who.private.public.pem(), "pipeline")
        kept, gone = (
            _attest(server, who, factories.provenance([factories.artifact(name)], invocation=name))
            for name in ("kept", NAME)
        )
        proof = _proof(server, gone)
        form = {"action": "redact", "envelopes": [gone], "reason": "it names Ada"}
        answers = []

        def redacted() -> bool:
            answers.append(server.call("POST", "/api/v1/decisions", json.dumps(form).encode()))
            return bool(answers[-1].status != 503)  # the graph may be a moment behind

        assert until(redacted)
        assert answers[-1].status == 201, answers[-1].data
        assert server.call("GET", f"/api/v1/attestations/{gone}/envelope").status == 410
        assert server.call("GET", f"/api/v1/attestations/{kept}/envelope").status == 200
        node = f"/api/v1/nodes/sha256:{factories.sha256(NAME)}"
        assert until(lambda: server.call("GET", node).status == 410)
        alive = f"/api/v1/nodes/sha256:{factories.sha256('kept')}"
        assert until(lambda: server.call("GET", alive).status == 200)
        after = _proof(server, gone)
    before, now = tlog_proof.read(proof), tlog_proof.read(after)
    assert (now.index, now.extra) == (before.index, before.extra)
    assert gone.encode() in now.extra


def _attest(server: Server, who: factories.Signer, made: dict[str, object]) -> str:
    answer = server.call(
        "POST", "/api/v1/attestations?wait=projected", who.envelope(made), "application/vnd.in-toto+json"
    )
    assert answer.status == 201, answer.data
    return str(answer.json()["digest"])


def _proof(server: Server, digest: str) -> bytes:
    path = f"/api/v1/attestations/{digest}/proof"
    assert until(lambda: bool(server.call("GET", path).status == 200))
    return bytes(server.call("GET", path).data)
