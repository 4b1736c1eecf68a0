"""The real `witness` and `archivistactl` against a real server, where they are; large envelopes too.

Both are Go programs that no package index has: `LINEAGE_TEST_GO_CLIENTS` names their folder, or they are on
PATH. Without them the tests are skipped with the reason, under LINEAGE_TEST_SERVICES=all too.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from lineage.graph.model import run_key
from lineage.services import archive
from tests import factories
from tests.server import Server

SECONDS = 120
LARGE = 5 << 20
CHUNK = 60_000


def program(name: str) -> str:
    """Where a client is. Skips without it."""
    folder = os.environ.get("LINEAGE_TEST_GO_CLIENTS")
    found = shutil.which(name, path=folder or None)
    if found is None:
        pytest.skip(f"{name} is not {f'in {folder}' if folder else 'on PATH'}; set LINEAGE_TEST_GO_CLIENTS")
    return found


class Clients:
    """Both programs with a registered key, in a folder with something to work on."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.witness, self.archivistactl = program("witness"), program("archivistactl")
        self.folder, self._server = folder, server
        signer = factories.signer()
        (folder / "ci.pem").write_bytes(signer.private.to_pem())
        self.key_id = server.register(signer.private.public.pem(), factories.fresh("ci"))
        (folder / "work").mkdir()
        (folder / "work" / "weights.bin").write_text(factories.fresh("weights"))

    @property
    def _header(self) -> str:
        return f"Authorization: Bearer {self._server.token}"

    def step(self, name: str, script: str, key: str = "ci.pem") -> subprocess.CompletedProcess[str]:
        """`witness run`; the envelope is in `<name>.json`."""
        return self._run(
            [
                *(self.witness, "run", "--step", name, "-a", "environment"),
                *("--signer-file-key-path", str(self.folder / key), "-o", str(self.folder / f"{name}.json")),
                *("--enable-archivista", "--archivista-server", f"{self._server.url}/archivista"),
                *("--archivista-headers", self._header, "--", "sh", "-c", script),
            ]
        )

    def ctl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        address = f"{self._server.url}/archivista"
        return self._run([self.archivistactl, "-u", address, "-H", self._header, *arguments])

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        """Both streams as one: archivistactl says what it found on stderr."""
        return subprocess.run(
            command,
            cwd=self.folder / "work",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder)},
        )


@pytest.fixture
def clients(server: Server, tmp_path: Path) -> Clients:
    return Clients(server, tmp_path)


def test_witness_and_archivistactl(clients: Clients, server: Server) -> None:
    name = factories.fresh("quantise")
    ran = clients.step(name, "cat weights.bin > model.gguf; echo done >> model.gguf")
    assert ran.returncode == 0, ran.stdout
    data = (clients.folder / f"{name}.json").read_bytes()
    made = hashlib.sha256((clients.folder / "work" / "model.gguf").read_bytes()).hexdigest()

    found = clients.ctl("search", f"sha256:{made}")
    assert found.returncode == 0, found.stdout
    assert f"Collection name: {name}" in found.stdout
    (gitoid,) = (line.split()[1] for line in found.stdout.splitlines() if line.startswith("Gitoid:"))
    fetched = clients.ctl("retrieve", "envelope", gitoid, "-o", str(clients.folder / "back.json"))
    assert fetched.returncode == 0, fetched.stdout
    # What witness sends has a line's end, the file that it writes has none: two envelopes, one statement.
    assert (clients.folder / "back.json").read_bytes().rstrip(b"\n") == data.rstrip(b"\n")
    first, again = (clients.ctl("store", str(clients.folder / f"{name}.json")) for _ in range(2))
    assert f"stored with gitoid {archive.gitoid(data)}" in first.stdout
    assert again.stdout == first.stdout, "the same bytes are the same entry"
    assert "model.gguf" in clients.ctl("retrieve", "subjects", gitoid).stdout

    document = json.loads(data)
    payload = base64.b64decode(document["payload"])
    run = run_key("", "", hashlib.sha256(payload).hexdigest())
    wait = server.call("POST", "/api/v1/attestations?wait=projected", data)
    assert wait.status in (200, 201), wait.data
    node = server.call("GET", f"/api/v1/nodes/sha256:{made}").json()
    assert node["status"] == "verified"
    above = {
        each["key"] for each in server.call("GET", f"/api/v1/nodes/sha256:{made}/ancestors").json()["nodes"]
    }
    weights = hashlib.sha256((clients.folder / "work" / "weights.bin").read_bytes()).hexdigest()
    assert above == {run, f"sha256:{weights}"}


def test_a_key_that_nobody_registered_is_told_so_by_the_client(clients: Clients) -> None:
    (clients.folder / "other.pem").write_bytes(factories.signer().private.to_pem())
    ran = clients.step("build", "echo x > y", key="other.pem")
    assert ran.returncode != 0
    assert "register" in ran.stdout.lower()


def test_what_is_not_there_is_an_error_of_the_client(clients: Clients) -> None:
    assert clients.ctl("retrieve", "envelope", "ab" * 32).returncode != 0


def test_an_upload_in_chunks_of_five_megabytes(server: Server) -> None:
    """As Go sends a file: no Content-Length, so that a server has to count for itself."""
    signer = factories.signer()
    server.register(signer.private.public.pem(), factories.fresh("ci"))
    files = {f"f{n:06}": {"sha256": f"{n:064x}"} for n in range(500)}
    kind = "https://witness.dev/attestations/material/v0.1"
    padding = {"type": "https://example.org/log/v0.1", "attestation": {"stdout": "x" * (4 << 20)}}
    told = factories.statement(
        predicate_type="https://witness.testifysec.com/attestation-collection/v0.1",
        predicate={"name": "large", "attestations": [{"type": kind, "attestation": files}, padding]},
    )
    data = signer.envelope(told) + b"\n"
    assert len(data) > LARGE
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=SECONDS)
    try:
        chunks = (data[at : at + CHUNK] for at in range(0, len(data), CHUNK))
        headers = {"Authorization": f"Bearer {server.token}", "Content-Type": "application/json"}
        connection.request("POST", "/archivista/upload", body=chunks, headers=headers, encode_chunked=True)
        answer = connection.getresponse()
        body = json.loads(answer.read())
        assert (answer.status, body) == (200, {"gitoid": archive.gitoid(data)})
    finally:
        connection.close()
    back = server.call("GET", f"/archivista/download/{body['gitoid']}")
    assert back.data == data
