"""A real server with its worker, and a real witness beside it: a checkpoint is cosigned by itself."""

from __future__ import annotations

import time
from pathlib import Path

from lineage.trust import cosignature
from tests.server import run, started
from tests.witness_server import TestWitness, running

LONGEST_SECONDS = 45.0
LOG_KEY = """
import django
django.setup()
from lineage.services import publish
print(publish.verifier_key())
"""


def test_a_server_has_its_checkpoint_cosigned(tmp_path: Path) -> None:
    witness = TestWitness(time.time_ns() // 1_000_000_000)
    with running(witness):
        settings = {
            "LINEAGE_WITNESSES": f"{witness.verifier_key} {witness.url}",
            "LINEAGE_PRIVATE_NETWORKS": "127.0.0.0/8",
            "LINEAGE_DEMO": "0",
        }
        home = tmp_path / "home"
        home.mkdir()
        with started(home, **settings) as server:
            witness.log_key = run(home, LOG_KEY, settings).strip()
            until = time.monotonic() + LONGEST_SECONDS
            note = b""
            while witness.name.encode() not in note and time.monotonic() < until:
                time.sleep(0.2)
                note = server.call("GET", "/log/checkpoint").data
    (found,) = cosignature.verified(note, [cosignature.parse_witness_key(witness.verifier_key)])
    assert found.at_us == witness.seconds * 1_000_000
