"""Sending, against a real HTTP server in this process that answers what the test wrote down."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from lineage.client import Client
from lineage.errors import (
    ConfigurationError,
    LineageError,
    MalformedError,
    NotAllowedError,
    TooLargeError,
    UnavailableError,
)

RECEIPT = {
    "digest": "sha256:" + "a" * 64,
    "statement": "sha256:" + "b" * 64,
    "index": 7,
    "state": "integrated",
    "predicate_type": "urn:x",
    "subjects": [{"name": "m", "digest": {"sha256": "c" * 64}}],
    "signers": [{"key_id": "d" * 64, "name": "pipeline"}],
    "trust": "signed",
    "links": {"self": "/api/v1/attestations/sha256:a"},
    "from_the_future": True,
}
NOT_ALLOWED = {
    "type": "urn:lineage:problem:not-allowed",
    "title": "The signing key may not say this",
    "status": 422,
    "detail": "The key may not sign the predicate type urn:x.",
    "hint": "Register it with that type.",
    "where": "$.predicateType",
    "key_id": "d",
}


@dataclass
class Script:
    """Answers (status, body) in order, the last one again and again; and what was asked."""

    url: str = ""
    answers: list[tuple[int, bytes]] = field(default_factory=list)
    asked: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)


@pytest.fixture
def script() -> Iterator[Script]:
    script = Script()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            script.asked.append((self.path, dict(self.headers), body))
            status, answer = script.answers.pop(0) if len(script.answers) > 1 else script.answers[0]
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            if status == 302:
                self.send_header("Location", "/elsewhere")
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None:
            """Not to stderr."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    script.url = f"http://127.0.0.1:{server.server_port}"
    yield script
    server.shutdown()
    thread.join()
    server.server_close()


def body(value: object) -> bytes:
    return json.dumps(value).encode()


def test_an_envelope_is_sent_as_it_is_with_the_api_key(script: Script) -> None:
    script.answers = [(201, body(RECEIPT))]
    receipt = Client(script.url + "/", "lin_x_y").send(b"{exact bytes}", wait="projected")
    path, headers, sent = script.asked[0]
    assert (path, sent) == ("/api/v1/attestations?wait=projected", b"{exact bytes}")
    assert headers["Authorization"] == "Bearer lin_x_y"
    assert headers["Content-Type"] == "application/json"
    assert (receipt.index, receipt.digest, receipt.signers[0].name) == (7, RECEIPT["digest"], "pipeline")


def test_a_busy_server_is_asked_again(script: Script) -> None:
    script.answers = [(503, b""), (503, b""), (200, body(RECEIPT))]
    assert Client(script.url, "t").send(b"{}").index == 7
    assert len(script.asked) == 3
    assert len({sent for _, _, sent in script.asked}) == 1


def test_a_server_that_stays_busy_is_unavailable(script: Script) -> None:
    busy = {"type": "urn:lineage:problem:unavailable", "title": "Can't now", "status": 503, "detail": "Full."}
    script.answers = [(503, body(busy))]
    with pytest.raises(UnavailableError, match="Full"):
        Client(script.url, "t", attempts=1).send(b"{}")
    assert len(script.asked) == 2


def test_a_refusal_is_raised_as_its_class_with_the_servers_words(script: Script) -> None:
    script.answers = [(422, body(NOT_ALLOWED))]
    with pytest.raises(NotAllowedError) as caught:
        Client(script.url, "t").send(b"{}")
    assert caught.value.message == f"{NOT_ALLOWED['title']}: {NOT_ALLOWED['detail']}"
    assert (caught.value.hint, caught.value.where) == (NOT_ALLOWED["hint"], NOT_ALLOWED["where"])
    assert caught.value.extra == {"key_id": "d"}
    assert len(script.asked) == 1


def test_a_limit_comes_with_its_number(script: Script) -> None:
    script.answers = [(413, body({"type": "urn:lineage:problem:too-large", "title": "Over", "limit": 32}))]
    with pytest.raises(TooLargeError) as caught:
        Client(script.url, "t").send(b"{}")
    assert caught.value.limit == 32


@pytest.mark.parametrize("answer", [b"", b"<html>", b"[]", b'{"type": "about:blank"}', b"\xff"])
def test_an_error_without_a_problem_document_is_told_as_it_is(script: Script, answer: bytes) -> None:
    script.answers = [(500, answer)]
    with pytest.raises(LineageError, match="answered 500"):
        Client(script.url, "t").send(b"{}")


def test_an_unknown_problem_is_still_an_error_with_its_words(script: Script) -> None:
    script.answers = [(422, body({"type": "urn:lineage:problem:new", "title": "New", "detail": "thing"}))]
    with pytest.raises(LineageError, match="New: thing"):
        Client(script.url, "t").send(b"{}")


def test_a_redirect_is_not_followed_with_the_api_key(script: Script) -> None:
    script.answers = [(302, b"moved")]
    with pytest.raises(LineageError, match="answered 302"):
        Client(script.url, "t").send(b"{}")
    assert [path for path, _, _ in script.asked] == ["/api/v1/attestations"]


def test_an_answer_that_is_no_receipt_is_said(script: Script) -> None:
    script.answers = [(200, b'{"hello": 1}')]
    with pytest.raises(MalformedError, match="not a receipt"):
        Client(script.url, "t").send(b"{}")


def test_a_set_gives_a_receipt_or_an_error_for_each_line_in_order(script: Script) -> None:
    script.answers = [(200, b"\n".join([body(RECEIPT), body(NOT_ALLOWED), body(RECEIPT)]) + b"\n")]
    first, second, third = Client(script.url, "t").send_set([b"{1}\n", b"{2}", b"{3}"])
    assert isinstance(second, NotAllowedError)
    assert [getattr(answer, "index", None) for answer in (first, third)] == [7, 7]
    _, headers, sent = script.asked[0]
    assert (headers["Content-Type"], sent) == ("application/x-ndjson", b"{1}\n{2}\n{3}\n")


def test_a_set_whose_answer_is_short_is_not_taken_for_whole(script: Script) -> None:
    script.answers = [(200, body(RECEIPT) + b"\n")]
    with pytest.raises(UnavailableError, match="1 of 2"):
        Client(script.url, "t").send_set([b"{}", b"{}"])


def test_an_envelope_of_several_lines_does_not_fit_into_a_set(script: Script) -> None:
    with pytest.raises(MalformedError, match="one line"):
        Client(script.url, "t").send_set([b"{\n}"])


def test_a_server_that_is_not_there_is_named() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    with pytest.raises(UnavailableError, match=url):
        Client(url, "t", attempts=0).send(b"{}")


@pytest.mark.parametrize("url", ["", "localhost:8000", "ftp://h", "http://", "http://h/?q", "http://h/#f"])
def test_an_address_that_is_none_is_refused_before_anything_is_sent(url: str) -> None:
    with pytest.raises(ConfigurationError, match="address"):
        Client(url, "t")


@pytest.mark.parametrize("token", ["", "a\nb", "ä"])
def test_an_api_key_that_is_none_is_refused(token: str) -> None:
    with pytest.raises(ConfigurationError, match="API key"):
        Client("http://h", token)
