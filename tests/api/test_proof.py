"""GET /api/v1/attestations/{digest}/proof: what an auditor checks offline, in trees of every shape."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lineage.services import proofs, publish
from lineage.trust import tlog_proof
from lineage.trust.digest import sha256_hex
from tests import factories
from tests.conftest import Api, problem


def test_it_is_checked_without_a_server(api: Api, tmp_path: Path) -> None:
    """By the installed command, in an empty environment and folder."""
    signer = factories.registered()
    envelope = signer.envelope(factories.statement())
    digest = api.attest(envelope).json()["digest"]
    publish.publish_once()
    answer = api.get(f"/api/v1/attestations/{digest}/proof")
    assert answer["Content-Type"].startswith("text/plain")
    (tmp_path / "a.tlog-proof").write_bytes(answer.content)
    (tmp_path / "envelope.json").write_bytes(envelope)
    (tmp_path / "key.pem").write_bytes(signer.private.public.pem())
    (tmp_path / "log.key").write_text(publish.verifier_key())
    command = [str(Path(sys.executable).with_name("lineage")), "verify", "a.tlog-proof", "--root", "log.key"]

    def run(*more: str) -> int:
        return subprocess.run([*command, *more], cwd=tmp_path, env={}, check=False).returncode

    assert run() == 0
    assert run("--artifact", "envelope.json", "--key", "key.pem") == 0
    (tmp_path / "envelope.json").write_bytes(envelope + b" ")
    assert run("--artifact", "envelope.json") == 1


def test_before_a_checkpoint_it_can_be_asked_again(api: Api) -> None:
    publish.publish_once()
    digest = api.attest(factories.registered().envelope(factories.statement())).json()["digest"]
    answer = api.get(f"/api/v1/attestations/{digest}/proof")
    assert problem(answer) == (503, "unavailable")
    assert answer["Retry-After"]


@pytest.mark.parametrize(("digest", "status"), [("sha256:" + "0" * 64, 404), ("sha256:0", 400), ("x", 400)])
def test_unknown(api: Api, digest: str, status: int) -> None:
    assert api.get(f"/api/v1/attestations/{digest}/proof").status_code == status


@pytest.mark.parametrize("size", [1, 2, 3, 255, 256, 257, 300, 513])
def test_trees_of_every_shape(log: None, size: int) -> None:
    """Around the width of a tile, where hashes come from another level."""
    from lineage.services import intake

    signer = factories.registered()
    envelopes = [signer.envelope(factories.statement()) for _ in range(size)]
    intake.submit_set(envelopes, token="test")
    while publish.publish_once():
        pass
    key = publish.verifier_key()
    for place in {0, 1, size // 2, size - 1} & set(range(size)):
        data = proofs.of_envelope(f"sha256:{sha256_hex(envelopes[place])}")
        signed, leaf = tlog_proof.verify(tlog_proof.read(data), [key])
        assert (signed.size, leaf.envelope_digest) == (size + 2, sha256_hex(envelopes[place]))
