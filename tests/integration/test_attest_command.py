"""`lineage attest` against a real server process: accepted, refused, and what is said then."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lineage.cli.main import run
from lineage.client import Client, Receipt, attest, read_private_key
from lineage.errors import SignerUnknownError
from tests.factories import fresh
from tests.server import Server

TYPE = "https://example.org/report/v1"


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server) -> Path:
    """A working directory with a file, a predicate, a registered key and one that is not."""
    monkeypatch.chdir(tmp_path)
    Path("model.bin").write_bytes(fresh("weights").encode())
    Path("predicate.json").write_text("{}")
    for name in ("known.pem", "unknown.pem"):
        assert run(["keys", "generate", "--out", name]) == 0
    server.register(Path("known.pem.pub").read_bytes(), fresh("cli"))
    monkeypatch.setenv("LINEAGE_URL", server.url)
    monkeypatch.setenv("LINEAGE_TOKEN", server.token)
    return tmp_path


def signed(key: str, *more: str) -> int:
    what = ["--subject", "model.bin", "--predicate-type", TYPE, "--predicate", "predicate.json"]
    return run(["attest", *what, "--key", key, *more])


@pytest.mark.usefixtures("room")
def test_what_is_sent_is_what_is_written_and_is_there(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert signed("known.pem", "--out", "e.json", "--json", "--wait", "projected") == 0
    receipt: Any = json.loads(capsys.readouterr().out)
    assert receipt["predicate_type"] == TYPE
    kept = server.call("GET", f"/api/v1/attestations/{receipt['digest']}/envelope")
    assert kept.data + b"\n" == Path("e.json").read_bytes()
    digest = receipt["subjects"][0]["digest"]["sha256"]
    assert server.call("GET", f"/api/v1/nodes/sha256:{digest}").json()["name"] == "model.bin"


@pytest.mark.usefixtures("room")
def test_a_refusal_is_one_line_with_the_servers_reason(capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert signed("unknown.pem") == 1
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert "No registered key" in line


@pytest.mark.usefixtures("room")
def test_a_wrong_api_key_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert signed("known.pem", "--token", "lin_0_0") == 1
    assert "API key" in capsys.readouterr().err


@pytest.mark.usefixtures("room")
def test_a_set_from_python_gives_receipts_and_errors_in_order(server: Server) -> None:
    envelopes = [
        attest(
            key=read_private_key(Path(key)),
            subjects=["model.bin"],
            predicate_type=TYPE,
            predicate={"n": number},
        )
        for number, key in enumerate(["known.pem", "unknown.pem", "known.pem"])
    ]
    client = Client(server.url, server.token)
    first, second, third = client.send_set(envelopes)
    assert isinstance(second, SignerUnknownError)
    for envelope, receipt in ((envelopes[0], first), (envelopes[2], third)):
        assert isinstance(receipt, Receipt)
        assert client.send(envelope).index == receipt.index  # the same bytes are the same entry
