"""What a request leaves behind once it is answered: nothing that waits for the collector of cycles.

A body of megabytes and its answer would else stay until thousands of requests later.
"""

from __future__ import annotations

import gc
import io
import sys
from collections.abc import Callable

import pytest

from lineage.wsgi import application
from tests import factories

URL = "/api/v1/attestations"
DSSE, SET = "application/vnd.in-toto+json", "application/x-ndjson"


def send(secret: str, method: str, path: str, body: bytes = b"", media: str = DSSE) -> str:
    """One request through the application as the server calls it; the status."""
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "CONTENT_TYPE": media,
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_HOST": "localhost",
        "HTTP_AUTHORIZATION": f"Bearer {secret}",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "SCRIPT_NAME": "",
        "wsgi.input": io.BytesIO(body),
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
    }
    statuses: list[str] = []

    def start(status: str, headers: object, problem: object = None, /) -> Callable[[bytes], object]:
        statuses.append(status)
        return io.BytesIO().write

    answer = application(environ, start)
    b"".join(answer)
    if not isinstance(answer, list):
        answer.close()
    return statuses[0]


@pytest.mark.parametrize("kind", ["one", "set", "refused", "listed", "unknown"])
@pytest.mark.usefixtures("log")
def test_a_call_leaves_no_cycle(kind: str) -> None:
    secret = factories.token("attest", "read")
    signer = factories.registered()

    def call() -> str:
        envelopes = [signer.envelope(factories.statement()) for _ in range(3)]
        if kind == "one":
            return send(secret, "POST", URL, envelopes[0])
        if kind == "set":
            return send(secret, "POST", URL, b"\n".join(envelopes), SET)
        if kind == "refused":
            return send(secret, "POST", URL, b"{}")
        return send(secret, "GET", URL if kind == "listed" else f"{URL}/sha256:{'0' * 64}")

    send(secret, "POST", URL, signer.envelope(factories.statement()))
    call()  # what is loaded and kept once
    gc.collect()
    gc.disable()
    try:
        status = call()
        left = gc.collect()
    finally:
        gc.enable()
    expected = {"one": "201", "set": "200", "refused": "400", "listed": "200", "unknown": "404"}
    assert status.partition(" ")[0] == expected[kind]
    assert left == 0
