"""`lineage keys generate`, `attest` and `verify` together: what is signed here verifies here."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from lineage.cli.main import run
from lineage.trust import dsse
from lineage.trust.keys import load_private

TYPE = "https://example.org/report/v1"


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """A working directory with a key pair, a file, a folder and a predicate."""
    monkeypatch.chdir(tmp_path)
    for name in ("LINEAGE_URL", "LINEAGE_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    assert run(["keys", "generate", "--out", "k.pem"]) == 0
    Path("model.bin").write_bytes(b"weights")
    Path("data").mkdir()
    Path("data/train.csv").write_bytes(b"1,2")
    Path("predicate.json").write_text('{"result": "good"}')
    capsys.readouterr()
    return tmp_path


def attest(*more: str, subject: str = "model.bin", predicate_type: str = TYPE) -> int:
    return run(
        [
            "attest",
            "--subject",
            subject,
            "--predicate-type",
            predicate_type,
            "--predicate",
            "predicate.json",
            "--key",
            "k.pem",
            *more,
        ]
    )


def verdict(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any]:
    capsys.readouterr()
    code = run(["verify", "--json", *arguments])
    return code, json.loads(capsys.readouterr().out)


def test_generating_prints_the_key_id_alone(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["keys", "generate", "--out", "second.pem"]) == 0
    out, err = capsys.readouterr()
    assert len(out.strip()) == 64
    assert "second.pem.pub" in err
    assert run(["keys", "generate", "--out", "second.pem"]) == 1
    assert "never overwritten" in capsys.readouterr().err


@pytest.mark.parametrize("subject", ["model.bin", "data"])
def test_what_is_attested_verifies(room: Path, capsys: pytest.CaptureFixture[str], subject: str) -> None:
    assert attest("--out", "e.json", subject=subject) == 0
    code, found = verdict(capsys, "e.json", "--key", "k.pem.pub", "--artifact", subject)
    assert (code, found[0]["outcome"]) == (0, "verified")
    assert found[0]["facts"]["predicate_type"] == TYPE


def test_without_a_place_to_put_it_the_envelope_is_the_result(
    room: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert attest() == 0
    Path("e.json").write_text(capsys.readouterr().out)
    assert verdict(capsys, "e.json", "--key", "k.pem.pub")[0] == 0


def test_a_changed_artifact_or_envelope_or_another_key_is_refuted(
    room: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    attest("--out", "e.json")
    run(["keys", "generate", "--out", "other.pem"])
    Path("changed.bin").write_bytes(b"other weights")
    envelope = json.loads(Path("e.json").read_text())
    envelope["payload"] = envelope["payload"][:-8] + "AAAAAAA="
    Path("changed.json").write_text(json.dumps(envelope))
    assert verdict(capsys, "e.json", "--key", "k.pem.pub", "--artifact", "changed.bin")[0] == 1
    assert verdict(capsys, "e.json", "--key", "other.pem.pub")[0] == 1
    assert verdict(capsys, "changed.json", "--key", "k.pem.pub")[0] == 1
    code, found = verdict(capsys, "e.json", "changed.json", "--key", "k.pem.pub")
    assert (code, [each["outcome"] for each in found]) == (1, ["verified", "refuted"])


def test_what_could_not_be_checked_is_not_refuted(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    attest("--out", "e.json")
    assert verdict(capsys, "e.json")[0] == 2
    Path("data/link").symlink_to("/etc/hostname")
    assert verdict(capsys, "e.json", "--key", "k.pem.pub", "--artifact", "data")[0] == 2
    Path("model.asc").write_text("-----BEGIN PGP SIGNATURE-----\n")
    code, found = verdict(capsys, "e.json", "model.asc", "--key", "k.pem.pub")
    assert (code, [each["outcome"] for each in found]) == (2, ["verified", "inconclusive"])
    assert "GPG signatures are not taken" in found[1]["reasons"][0]


def test_files_that_are_not_what_they_claim_are_refuted(
    room: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("bundle.json").write_text('{"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json"}')
    Path("proof").write_text("c2sp.org/tlog-proof@v1\n")
    code, found = verdict(capsys, "bundle.json", "proof", "--key", "k.pem.pub")
    assert (code, [each["facts"] for each in found]) == (1, [{"malformed": True}] * 2)


def test_wrong_usage_is_neither(room: Path) -> None:
    attest("--out", "e.json")
    assert run(["verify", "missing.json", "--key", "k.pem.pub"]) == 3
    assert run(["verify", "e.json", "--key", "missing.pub"]) == 3
    assert run(["verify", "e.json", "--key", "model.bin"]) == 3
    assert run(["verify", "e.json", "--key", "k.pem.pub", "--artifact", "missing"]) == 3
    assert run(["verify", "e.json", "--key", "k.pem.pub", "--at", "soon"]) == 3


def test_materials_are_in_what_is_signed(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    link = "https://in-toto.io/attestation/link/v0.3"
    assert (
        attest("--material", "data", "--material", "corpus=urn:c", "--out", "e.json", predicate_type=link)
        == 0
    )
    assert verdict(capsys, "e.json", "--key", "k.pem.pub")[0] == 0
    assert attest("--material", "data", "--out", "e.json") == 1
    assert "no place" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "code"),
    [
        (("--url", "http://127.0.0.1:9"), 3),  # no API key
        (("--url", "localhost", "--token", "t"), 3),
        (("--key", "missing.pem"), 3),
        (("--key", "k.pem.pub"), 3),
        (("--predicate", "missing.json"), 3),
        (("--predicate", "model.bin"), 1),
        (("--subject", "missing"), 1),
        (("--out", "missing/e.json"), 3),
        (("--wait", "forever"), 3),
    ],
)
def test_nothing_is_signed_by_mistake(
    room: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], code: int
) -> None:
    assert attest(*more) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err
    assert not Path("e.json").exists()


def test_a_second_envelope_beside_the_signed_one_says_nothing(
    room: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever alters a model might lay a manifest of the altered files beside an honest signature."""
    from lineage.artifacts import signed_folder, signed_manifest

    Path("model").mkdir()
    Path("model/weights.bin").write_bytes(b"honest")

    def payload() -> bytes:
        made = signed_folder.build(b"model", signed_manifest.Serialization())
        return json.dumps(signed_manifest.to_payload(made)).encode()

    key = load_private(Path("k.pem").read_bytes())
    honest = json.loads(dsse.sign(dsse.INTOTO_PAYLOAD_TYPE, payload(), key))
    Path("model.sig").write_text(json.dumps(honest))
    asked = ("model.sig", "--key", "k.pem.pub", "--artifact", "model")
    assert verdict(capsys, *asked)[0] == 0
    Path("model/weights.bin").write_bytes(b"altered")
    assert verdict(capsys, *asked)[0] == 1
    forged = {"payloadType": dsse.INTOTO_PAYLOAD_TYPE, "payload": base64.b64encode(payload()).decode()}
    Path("model.sig").write_text(json.dumps(honest | {"dsseEnvelope": forged | {"signatures": []}}))
    assert verdict(capsys, *asked)[0] == 1


def test_a_demand_that_nobody_would_check_is_wrong_usage(room: Path) -> None:
    attest("--out", "e.json")
    assert run(["verify", "e.json", "--key", "k.pem.pub", "--identity", "ann@example.com"]) == 3
    assert run(["verify", "e.json", "--issuer", "https://issuer.example"]) == 3
