"""Bodies on the wire, against a real server: chunked, broken off, over the limit."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator

import pytest

from tests import factories
from tests.factories import Signer
from tests.server import Server

PATH = "/api/v1/attestations"
MIB = 1 << 20


@pytest.fixture
def signer(server: Server) -> Signer:
    made = factories.signer()
    server.register(made.private.public.pem(), made.name)
    return made


def request(server: Server, *fields: str, token: str | None = None) -> bytes:
    lines = [
        f"POST {PATH} HTTP/1.1",
        "Host: 127.0.0.1",
        f"Authorization: Bearer {token or server.token}",
        *fields,
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield chunk(data[start : start + size])
    yield b"0\r\n\r\n"


def answer(connection: socket.socket) -> tuple[http.client.HTTPResponse, bytes]:
    connection.settimeout(20)
    response = http.client.HTTPResponse(connection)
    response.begin()
    return response, response.read()


@pytest.fixture
def wire(server: Server) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        yield connection


CHUNKED = ("Content-Type: application/json", "Transfer-Encoding: chunked")


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_a_chunked_envelope(server: Server, signer: Signer, wire: socket.socket, size: int) -> None:
    data = signer.envelope(factories.statement())
    wire.sendall(request(server, *CHUNKED))
    for piece in pieces(data, size):
        wire.sendall(piece)
    response, body = answer(wire)
    assert response.status == 201, body
    assert server.call("GET", f"{json.loads(body)['links']['envelope']}").data == data


def test_a_chunked_set_with_a_wait(server: Server, signer: Signer, wire: socket.socket) -> None:
    data = b"\n".join(signer.envelope(factories.statement()) for _ in range(50))
    head = request(server, "Content-Type: application/x-ndjson", "Transfer-Encoding: chunked")
    wire.sendall(head.replace(PATH.encode(), f"{PATH}?wait=published".encode()))
    for piece in pieces(data, 1000):
        wire.sendall(piece)
    response, body = answer(wire)
    assert response.status == 200
    assert [json.loads(line)["state"] for line in body.splitlines()] == ["published"] * 50


def test_a_chunked_body_without_content(server: Server, wire: socket.socket) -> None:
    wire.sendall(request(server, *CHUNKED) + b"0\r\n\r\n")
    response, body = answer(wire)
    assert (response.status, json.loads(body)["type"]) == (400, "urn:lineage:problem:malformed")


def test_the_connection_goes_on_after_each_answer(
    server: Server, signer: Signer, wire: socket.socket
) -> None:
    for _ in range(3):
        wire.sendall(request(server, *CHUNKED))
        for piece in pieces(signer.envelope(factories.statement()), 500):
            wire.sendall(piece)
        assert answer(wire)[0].status == 201
    wire.sendall(request(server, "Content-Type: text/plain", "Content-Length: 2") + b"{}")
    assert answer(wire)[0].status == 415
    wire.sendall(
        request(server, "Content-Type: application/json", "Content-Length: 2", token="lin_no") + b"{}"
    )
    assert answer(wire)[0].status == 401


def test_a_chunked_body_over_the_limit(server: Server, wire: socket.socket) -> None:
    wire.sendall(request(server, *CHUNKED))
    for _ in range(9):
        wire.sendall(chunk(b" " * MIB))
    wire.sendall(b"0\r\n\r\n")
    response, body = answer(wire)
    assert (response.status, json.loads(body)["limit"]) == (413, 8 * MIB)
    newest = server.call("GET", "/api/v1/refusals?limit=1").json()["refusals"][0]
    assert (newest["slug"], newest["digest"]) == ("too-large", "")


def test_a_length_over_the_limit_is_answered_before_it_is_sent(server: Server, wire: socket.socket) -> None:
    wire.sendall(request(server, "Content-Type: application/json", f"Content-Length: {8 * MIB + 1}"))
    response, body = answer(wire)
    assert (response.status, json.loads(body)["limit"]) == (413, 8 * MIB)


def test_an_ordinary_client_gets_the_answer_to_a_body_over_the_limit(server: Server) -> None:
    found = server.call("POST", PATH, b" " * (9 * MIB))
    assert (found.status, found.json()["limit"]) == (413, 8 * MIB)


@pytest.mark.parametrize("fields", [CHUNKED, ("Content-Type: application/json", "Content-Length: 5000")])
def test_a_body_that_breaks_off_leaves_nothing(
    server: Server, signer: Signer, wire: socket.socket, fields: tuple[str, ...]
) -> None:
    data = signer.envelope(factories.statement())
    before = server.call("GET", f"{PATH}?limit=1").json()["attestations"][0]["digest"]
    # What breaks off after its last byte but before the end of the chunks is whole: its signature says so.
    half = data[: len(data) // 2]
    wire.sendall(request(server, *fields) + (chunk(half) if fields is CHUNKED else half))
    wire.shutdown(socket.SHUT_WR)
    wire.settimeout(20)
    received = wire.recv(65536)
    assert b" 201 " not in received.partition(b"\r\n")[0]
    assert server.call("GET", f"{PATH}?limit=1").json()["attestations"][0]["digest"] == before


def test_an_expectation_is_met(server: Server, signer: Signer, wire: socket.socket) -> None:
    data = signer.envelope(factories.statement())
    fields = ("Content-Type: application/json", f"Content-Length: {len(data)}", "Expect: 100-continue")
    wire.sendall(request(server, *fields))
    wire.settimeout(20)
    assert b"100 Continue" in wire.recv(4096)
    wire.sendall(data)
    assert answer(wire)[0].status == 201


@pytest.mark.parametrize("charset", ["base64", "punycode", "undefined", "utf-16", "no such thing"])
def test_a_charset_is_not_looked_at(server: Server, signer: Signer, charset: str) -> None:
    media_type = f"application/json; charset={charset}"
    for path in (PATH, f"{PATH}?wait=%70rojected"):
        answer = server.call("POST", path, signer.envelope(factories.statement()), media_type)
        assert answer.status == 201, answer.data
    assert server.call("GET", f"{PATH}?limit=1", None, media_type).status == 200
