"""A stranger's tools are enough: keys and signatures by `openssl`, sent by `curl`, followed to the node.

Nothing of this project takes part in making the envelope; the payload and its PAE are written by hand.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests import factories
from tests.server import Server

PAYLOAD_TYPE = "application/vnd.in-toto+json"
MISSING = [tool for tool in ("openssl", "curl") if shutil.which(tool) is None]

pytestmark = [
    pytest.mark.service,
    pytest.mark.skipif(
        bool(MISSING) and os.environ.get("LINEAGE_TEST_SERVICES") != "all", reason=f"missing: {MISSING}"
    ),
]

EC, RSA, PSS = "EC", "RSA", ["-sigopt", "rsa_padding_mode:pss"]
KEYS = {
    "ed25519": (["-algorithm", "ed25519"], None),
    "P-256": (["-algorithm", EC, "-pkeyopt", "ec_paramgen_curve:P-256"], ["-sha256"]),
    "P-384": (["-algorithm", EC, "-pkeyopt", "ec_paramgen_curve:P-384"], ["-sha384"]),
    "P-384 with SHA-256": (["-algorithm", EC, "-pkeyopt", "ec_paramgen_curve:P-384"], ["-sha256"]),
    "P-521": (["-algorithm", EC, "-pkeyopt", "ec_paramgen_curve:P-521"], ["-sha512"]),
    "RSA-PSS": (["-algorithm", RSA, "-pkeyopt", "rsa_keygen_bits:2048"], ["-sha256", *PSS]),
    "RSA PKCS#1 v1.5": (["-algorithm", RSA, "-pkeyopt", "rsa_keygen_bits:3072"], ["-sha256"]),
}


def run(*command: str, data: bytes | None = None) -> bytes:
    finished = subprocess.run(command, input=data, capture_output=True, check=False)
    assert finished.returncode == 0, finished.stderr.decode()
    return finished.stdout


def make_key(folder: Path, arguments: list[str]) -> bytes:
    """A private key in the folder; returns the public one, PEM."""
    run("openssl", "genpkey", *arguments, "-out", str(folder / "key.pem"))
    return run("openssl", "pkey", "-in", str(folder / "key.pem"), "-pubout")


def sign(folder: Path, message: bytes, digest: list[str] | None) -> bytes:
    path = folder / "message"
    path.write_bytes(message)
    key = str(folder / "key.pem")
    if digest is None:
        return run("openssl", "pkeyutl", "-sign", "-inkey", key, "-rawin", "-in", str(path))
    return run("openssl", "dgst", *digest, "-sign", key, str(path))


def envelope(folder: Path, payload: bytes, digest: list[str] | None) -> bytes:
    message = b"DSSEv1 %d %s %d %s" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload), payload)
    return json.dumps(
        {
            "payloadType": PAYLOAD_TYPE,
            "payload": base64.b64encode(payload).decode(),
            "signatures": [{"sig": base64.b64encode(sign(folder, message, digest)).decode()}],
        }
    ).encode()


def curl(server: Server, path: str, *options: str, data: bytes | None = None) -> tuple[int, Any]:
    """Status and parsed body."""
    send = ("--data-binary", "@-") if data is not None else ()
    answer = run(
        "curl", "-sS", "-w", "\n%{http_code}", "-H", f"Authorization: Bearer {server.token}",
        *options, *send, server.url + path, data=data,
    )  # fmt: skip
    body, _, status = answer.rpartition(b"\n")
    return int(status), json.loads(body)


@pytest.mark.parametrize("kind", KEYS)
def test_from_openssl_to_the_node(server: Server, tmp_path: Path, kind: str) -> None:
    arguments, digest = KEYS[kind]
    name = f"made by {kind}"
    key_id = server.register(make_key(tmp_path, arguments), name)
    subject, material = factories.artifact(), factories.artifact()
    payload = json.dumps(factories.provenance([subject], [material])).encode()
    data = envelope(tmp_path, payload, digest)

    path = "/api/v1/attestations?wait=projected"
    status, receipt = curl(server, path, "-H", f"Content-Type: {PAYLOAD_TYPE}", data=data)

    assert status == 201, receipt
    assert receipt["signers"] == [{"key_id": key_id, "name": name}]
    status, node = curl(server, f"/api/v1/nodes/sha256:{subject['digest']['sha256']}")
    assert (status, node["name"], node["status"]) == (200, subject["name"], "verified")
    assert node["support"] == [receipt["index"]]
    status, closure = curl(server, f"/api/v1/nodes/{node['key']}/ancestors")
    assert f"sha256:{material['digest']['sha256']}" in [n["key"] for n in closure["nodes"]]
    status, record = curl(server, receipt["links"]["self"])
    assert record["signatures"][0]["key"]["key_id"] == key_id
    assert server.call("GET", receipt["links"]["envelope"]).data == data


def test_curl_sends_a_chunked_body(server: Server, tmp_path: Path) -> None:
    server.register(make_key(tmp_path, KEYS["ed25519"][0]), factories.fresh("chunked"))
    data = envelope(tmp_path, json.dumps(factories.statement()).encode(), None)
    options = ("-H", "Content-Type: application/json", "-H", "Transfer-Encoding: chunked")
    status, receipt = curl(server, "/api/v1/attestations", *options, data=data)
    assert status == 201, receipt


def test_one_changed_byte_is_refused(server: Server, tmp_path: Path) -> None:
    server.register(make_key(tmp_path, KEYS["ed25519"][0]), factories.fresh("altered"))
    good = json.loads(envelope(tmp_path, json.dumps(factories.statement()).encode(), None))
    other = json.dumps(factories.statement()).encode()
    data = json.dumps(good | {"payload": base64.b64encode(other).decode()}).encode()
    status, told = curl(server, "/api/v1/attestations", "-H", "Content-Type: application/json", data=data)
    assert (status, told["type"]) == (422, "urn:lineage:problem:signer-unknown")
