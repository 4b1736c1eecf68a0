"""The log as a client reads it that shares no code with it; and a proof checked with nothing around."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest
from pytest_django.live_server_helper import LiveServer

from lineage.db.models import Checkpoint, Entry
from lineage.services import intake, proofs, publish
from tests import factories, tlog_checker

pytestmark = pytest.mark.usefixtures("log")


def grow(count: int) -> None:
    signer = factories.registered()
    intake.submit_set([signer.envelope(factories.statement()) for _ in range(count)], token="t")
    assert publish.publish_once() is not None


def test_another_client_reads_all_of_it(live_server: LiveServer) -> None:
    for count in (1, 250, 6, 300):
        grow(count)
        size, leaves = tlog_checker.check(f"{live_server.url}/log", publish.verifier_key())
        assert size == len(leaves) == Entry.objects.count()


def test_it_sees_a_checkpoint_that_another_key_signed(live_server: LiveServer) -> None:
    grow(3)
    name, _, key = publish.verifier_key().split("+", 2)
    other = f"{name}+00000000+{key[:-4]}AAA="
    with pytest.raises(AssertionError, match="did not sign"):
        tlog_checker.check(f"{live_server.url}/log", other)


def test_full_and_partial_tiles_of_every_published_size_never_change(live_server: LiveServer) -> None:
    for count in (2, 251, 5, 40):
        grow(count)
    for size in Checkpoint.objects.values_list("size", flat=True):
        for kind in ("0", "entries"):
            number, width = (size - 1) // 256, (size - 1) % 256 + 1
            address = f"{live_server.url}/log/tile/{kind}/{tlog_checker.place(number, width)}"
            with urlopen(address) as answer:
                assert "immutable" in answer.headers["Cache-Control"]
                assert answer.headers["Content-Type"] == "application/octet-stream"
    with urlopen(f"{live_server.url}/log/checkpoint") as answer:
        assert answer.headers["Cache-Control"] == "no-cache"


def test_a_proof_is_verified_in_an_empty_folder_with_an_empty_environment(tmp_path: Path) -> None:
    grow(300)
    entry = Entry.objects.get(pk=123)
    (tmp_path / "p.tlog-proof").write_bytes(proofs.of_envelope(f"sha256:{entry.envelope_digest}"))
    key = publish.verifier_key()

    def verify(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [
            "/usr/bin/env",
            "-i",
            str(Path(sys.executable).parent / "lineage"),
            "verify",
            "p.tlog-proof",
        ]
        return subprocess.run(
            [*command, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )

    done = verify("--root", key)
    assert done.returncode == 0, done.stderr
    assert f"Proved: the log {key.split('+', 1)[0]} has this attestation as entry 123" in done.stdout
    assert f"Asserted by the log's operator as of {Entry.objects.count()} entries, not proved" in done.stdout
    assert verify().returncode == 2
    assert [each.name for each in tmp_path.iterdir()] == ["p.tlog-proof"]
    proof = (tmp_path / "p.tlog-proof").read_text()
    (tmp_path / "p.tlog-proof").write_text(proof.replace("index 123\n", "index 122\n"))
    assert verify("--root", key).returncode == 1
