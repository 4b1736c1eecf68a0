"""HTTP to real servers that answer what no MLflow server should."""

from __future__ import annotations

import gzip
import json
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from lineage.mlflow import connection
from lineage.mlflow.connection import CIRCUIT, PROBE, RETRIES, Connection, Settings
from lineage.mlflow.errors import SourceError
from lineage.net import patience
from tests.certificates import Issued, issue
from tests.hostile_http import LAST, Hostile, answer, hostile

LOOPBACK = ("127.0.0.0/8",)
GOOD = answer(b'{"runs": []}')


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "BACKOFF_SECONDS", 0.001)


def connected(url: str, **members: Any) -> Connection:
    return Connection(Settings(url, **{"private_networks": LOOPBACK, **members}))


def trouble(call: Callable[[], object]) -> SourceError:
    with pytest.raises(SourceError) as caught:
        call()
    return caught.value


def asked(server: Hostile, **members: Any) -> SourceError:
    """The error of a JSON call to it."""
    with connected(server.url, **members) as http:
        return trouble(lambda: http.json("GET", "x"))


def streamed(http: Connection) -> bytes:
    with http.stream("file") as chunks:
        return b"".join(chunks)


def test_an_answer_is_an_object_and_the_connection_is_kept() -> None:
    with hostile(GOOD) as server, connected(server.url) as http:
        for _ in range(3):
            assert http.json("POST", "api/x", body={"a": "\0ü"}) == {"runs": []}
        assert http.json("GET", "api/y", query={"a b": "c&d"}) == {"runs": []}
    assert server.connections == 1
    assert server.requests[0].endswith(
        json.dumps({"a": "\0ü"}, ensure_ascii=False).encode().replace(b" ", b"")
    )
    assert server.requests[3].startswith(b"GET /api/y?a+b=c%26d HTTP/1.1\r\n")


def test_no_connection_is_left_open() -> None:
    with hostile(GOOD) as server:
        with connected(server.url) as http:
            for _ in range(3):
                http.json("GET", "x")
            assert not server.left.is_set()
        assert server.left.wait(60)


def test_a_prefix_of_the_url_is_kept() -> None:
    with hostile(GOOD) as server, connected(f"{server.url}/mlflow/") as http:
        http.json("GET", "api/x")
    assert server.requests[0].startswith(b"GET /mlflow/api/x ")


@pytest.mark.parametrize(
    "body",
    [
        b"<!doctype html><title>Sign in</title>",
        b"",
        b"[]",
        b"null",
        b'{"a": 1',
        b'{"a": "\xff"}',
        b'{"a": "\\ud800"}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
    ids=lambda body: body[:12].decode("latin-1"),
)
def test_what_is_no_json_object_is_not_mlflow(body: bytes) -> None:
    with hostile(answer(body)) as server:
        assert asked(server).trouble == "not-mlflow"


def test_a_missing_thing_is_none_only_where_mlflow_says_so() -> None:
    missing = answer(b'{"error_code": "RESOURCE_DOES_NOT_EXIST"}', "404 Not Found")
    with hostile(missing) as server, connected(server.url) as http:
        assert http.json("GET", "x") is None
    for body in (b"<html>", b'{"error_code": "ENDPOINT_NOT_FOUND"}', b"[]", b""):
        with hostile(answer(body, "404 Not Found")) as server:
            assert asked(server).trouble == "not-mlflow"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (answer(b'{"runs": [', length=5000), "cut-off"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}", "cut-off"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n{}\r\n", "cut-off"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "cut-off"),
        (b"", "cut-off"),
    ],
    ids=["half-a-body", "half-a-chunk", "no-chunk", "another-protocol", "nothing"],
)
def test_an_answer_that_ends_early_is_cut_off(said: bytes, expected: str) -> None:
    with hostile(said) as server:
        assert asked(server).trouble == expected
        with connected(server.url) as http:
            assert trouble(lambda: streamed(http)).trouble == expected


def test_a_file_of_which_nobody_says_where_it_ends_is_not_read() -> None:
    for said in (b"HTTP/1.1 200 OK\r\nContent-Length", b"HTTP/1.1 200 OK\r\n\r\nsome"):
        with hostile(said) as server, connected(server.url) as http:
            assert trouble(lambda http=http: streamed(http)).trouble == "cut-off"  # type: ignore[misc]


def test_a_failing_server_is_quoted_without_its_secrets() -> None:
    body = b"Traceback: postgresql://ml:hunter2@db/mlflow is away; token=hunter2 \0" + b"x" * 5000
    with hostile(answer(body, "500 Internal Server Error")) as server:
        error = asked(server)
    assert error.trouble == "server-error"
    assert "HTTP 500" in error.message
    assert "hunter2" not in error.message
    assert "\0" not in error.message
    assert len(error.message) < 500
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", ["429 Too Many", "502 Bad Gateway", "503 Away", "504 Slow"])
def test_what_passes_is_asked_again(status: str) -> None:
    def reply(number: int, _request: bytes) -> bytes:
        return GOOD if number else answer(b"", status, "Retry-After: 0")

    with hostile(reply) as server, connected(server.url) as http:
        assert http.json("POST", "x", body={}) == {"runs": []}
    assert len(server.requests) == 2


def test_a_server_that_wants_us_to_wait_for_ever_is_not_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    with hostile(answer(b"", "429 Too Many", "Retry-After: 86400")) as server:
        assert asked(server).trouble == "too-many-requests"
    assert len(server.requests) == 1 + RETRIES
    assert max(slept) == patience.LONGEST_PAUSE_SECONDS


def test_a_silent_server_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "READ_SECONDS", 0.2)

    def silent(_number: int, _request: bytes) -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"
        server.released.wait(60)

    with hostile(silent) as server:
        assert asked(server).trouble == "timeout"
        with connected(server.url) as http:
            assert trouble(lambda: streamed(http)).trouble == "timeout"


def test_an_endless_answer_is_too_large() -> None:
    def endless(_number: int, _request: bytes) -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\n" + LAST + b"\r\n"
        while not server.released.is_set():
            yield b" " * (1 << 20)

    with hostile(endless) as server:
        assert asked(server).trouble == "too-large"
        with connected(server.url) as http:
            assert trouble(lambda: http.text("version")).trouble == "too-large"


def test_a_redirect_is_not_followed() -> None:
    to = "Location: http://169.254.169.254/latest/meta-data/"
    for status in ("301 Moved", "302 Found", "303 See", "307 Again", "308 Again"):
        with hostile(answer(b"", status, to)) as server:
            assert asked(server).trouble == "bad-answer"
        assert len(server.requests) == 1


def test_nothing_is_unfolded() -> None:
    packed = gzip.compress(b'{"runs": []}' + b" " * (80 << 20))
    with hostile(answer(packed, "200 OK", "Content-Encoding: gzip")) as server:
        assert asked(server).trouble == "not-mlflow"
        with connected(server.url) as http:
            assert streamed(http) == packed
    assert b"Accept-Encoding: identity" in server.requests[0]


@pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden"])
def test_refused_credentials_are_told_apart(status: str) -> None:
    with hostile(answer(b"token=hunter2", status)) as server:
        error = asked(server, auth="token", secret="hunter2")
    assert error.trouble == "unauthorized"
    assert "hunter2" not in f"{error} {error.__cause__}"
    assert b"Authorization: Bearer hunter2\r\n" in server.requests[0]


def test_user_and_password_go_along() -> None:
    with hostile(GOOD) as server, connected(server.url, auth="basic", username="ü", secret="a:b") as http:
        http.json("GET", "x")
    assert b"Authorization: Basic w7w6YTpi\r\n" in server.requests[0]


@pytest.mark.parametrize("token", ["", "hunter2\r\nX-Admin: 1", "hunter2 ", "hünter2", "hunter2\0"])
def test_a_token_that_is_none_is_not_quoted(token: str) -> None:
    error = trouble(lambda: connected("http://127.0.0.1:1", auth="token", secret=token))
    assert error.trouble == "unauthorized"
    assert "nter2" not in repr(error)


def test_settings_do_not_show_their_secrets() -> None:
    shown = repr(Settings("http://a.example", auth="token", secret="hunter2", client_key_pem="hunter2"))
    assert "hunter2" not in shown


def test_a_server_that_is_away_is_left_alone() -> None:
    with hostile(GOOD) as server:
        gone = server.url
    with connected(gone) as http:
        for _ in range(CIRCUIT):
            assert trouble(lambda: http.json("GET", "x")).trouble == "unreachable"
        assert "left alone" in trouble(lambda: http.json("GET", "x")).message


def test_a_server_that_gives_no_experiments_either_is_left_alone() -> None:
    """What it is asked besides is asked once."""
    failing = (CIRCUIT + 1) * (1 + RETRIES)
    with hostile(lambda n, _: answer(b"", "503 Away") if n < failing else GOOD) as server:
        with connected(server.url) as http:
            for _ in range(CIRCUIT):
                assert trouble(lambda: http.json("GET", "x")).trouble == "server-error"
            for _ in range(CIRCUIT):
                assert "left alone" in trouble(lambda: http.json("GET", "x")).message
                assert "left alone" in trouble(lambda: http.open("x")).message
        assert len(server.requests) == failing
        assert [each for each in server.requests if each.startswith(f"POST /{PROBE} ".encode())] == (
            server.requests[-1 - RETRIES :]
        )


def test_a_server_that_keeps_back_some_files_is_asked_for_others() -> None:
    def reply(_number: int, request: bytes) -> bytes:
        return answer(b"", "504 Slow") if b"bad" in request else GOOD

    with hostile(reply) as server, connected(server.url, requests_per_second=10_000) as http:
        for _ in range(3 * CIRCUIT):
            assert trouble(lambda: http.json("GET", "bad")).trouble == "server-error"
        assert http.json("GET", "good") == {"runs": []}
    asked = [each.split(b" ")[1].decode() for each in server.requests]
    assert asked.count("/bad") == 3 * CIRCUIT * (1 + RETRIES)
    assert asked.count(f"/{PROBE}") == 3


def test_one_of_several_threads_asks_whether_the_server_is_there() -> None:
    with hostile(answer(b"", "503 Away")) as server, connected(server.url, connections=4) as http:
        for _ in range(CIRCUIT):
            trouble(lambda: http.json("GET", "x"))
        with ThreadPoolExecutor(16) as pool:
            told = list(pool.map(lambda _: trouble(lambda: http.json("GET", "x")).trouble, range(50)))
    assert set(told) == {"unreachable"}
    assert sum(PROBE.encode() in each for each in server.requests) == 1 + RETRIES


def test_failures_of_single_things_do_not_open_the_circuit() -> None:
    with hostile(answer(b"", "500 Internal Server Error")) as server, connected(server.url) as http:
        for _ in range(2 * CIRCUIT):
            assert trouble(lambda: http.json("GET", "x")).trouble == "server-error"
    assert len(server.requests) == 2 * CIRCUIT


def test_threads_share_it() -> None:
    with hostile(GOOD) as server, connected(server.url, connections=4, requests_per_second=10_000) as http:
        with ThreadPoolExecutor(16) as pool:
            assert list(pool.map(lambda _: http.json("GET", "x"), range(200))) == [{"runs": []}] * 200
        assert server.connections <= 4


# Addresses


def test_a_name_that_resolves_to_loopback_is_not_asked() -> None:
    with hostile(GOOD) as server, connected(f"http://localhost:{server.port}", private_networks=()) as http:
        assert trouble(lambda: http.json("GET", "x")).trouble == "refused-address"
        assert server.connections == 0


def test_a_name_that_resolves_anew_to_loopback_is_sent_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = ["8.8.8.8"]

    def rebinding(_host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        address = answers.pop() if answers else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    with hostile(GOOD) as server:
        monkeypatch.setattr(socket, "getaddrinfo", rebinding)
        with connected(f"http://rebind.example:{server.port}", private_networks=()) as http:
            assert trouble(lambda: http.json("GET", "x")).trouble == "refused-address"
    assert not answers
    assert not server.requests


def test_one_refused_address_among_good_ones_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, 80)) for a in ("8.8.8.8", "169.254.169.254")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with connected("http://two.example") as http:
        assert trouble(lambda: http.json("GET", "x")).trouble == "refused-address"


def test_a_name_that_does_not_resolve_is_unreachable() -> None:
    for name in ("nowhere.invalid", "a" * 64 + ".example", "ü..example"):
        with connected(f"http://{name}") as http:
            assert trouble(lambda: http.json("GET", "x")).trouble == "unreachable"


# Proxies


def test_a_proxy_is_asked_for_the_server() -> None:
    with hostile(GOOD) as proxy, connected("http://ml.example/p", proxy=proxy.url) as http:
        assert http.json("GET", "x") == {"runs": []}
    assert proxy.requests[0].startswith(b"GET http://ml.example/p/x HTTP/1.1\r\n")


def test_a_proxy_is_itself_guarded() -> None:
    with hostile(GOOD) as proxy:
        with connected("http://ml.example", proxy=proxy.url, private_networks=()) as http:
            assert trouble(lambda: http.json("GET", "x")).trouble == "refused-address"
        assert proxy.connections == 0


@pytest.mark.parametrize(
    "host",
    [*("169.254.169.254", "2852039166", "0xa9fea9fe", "169.254.43518", "0251.0376.0251.0376"),
     *("[::ffff:a9fe:a9fe]", "[fe80::1]", "169.254.169.254.", "10.0.0.1", "localhost", "a.localhost.")],
)  # fmt: skip
def test_a_proxy_is_not_asked_for_a_refused_address(host: str) -> None:
    with hostile(GOOD) as proxy:
        error = trouble(
            lambda: connected(f"http://{host}/", proxy=proxy.url, private_networks=("127.8.0.0/16",))
        )
        assert error.trouble == "refused-address"


# TLS


@pytest.fixture(scope="module")
def authority() -> Issued:
    return issue("authority")


def context(tmp_path: Path, authority: Issued, clients: bool = False) -> ssl.SSLContext:
    served = issue("localhost", authority)
    (tmp_path / "server.pem").write_text(served.pem + served.key_pem)
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(tmp_path / "server.pem")
    if clients:
        made.verify_mode = ssl.CERT_REQUIRED
        made.load_verify_locations(cadata=authority.pem)
    return made


def test_a_certificate_is_verified(tmp_path: Path, authority: Issued) -> None:
    with hostile(GOOD, context(tmp_path, authority)) as server:
        url = f"https://127.0.0.1:{server.port}"
        with connected(url) as http:
            assert trouble(lambda: http.json("GET", "x")).trouble == "tls"
        with connected(url, ca_pem=issue("another").pem) as http:
            assert trouble(lambda: http.json("GET", "x")).trouble == "tls"
        assert not server.requests
        with connected(url, ca_pem=authority.pem) as http:
            assert http.json("GET", "x") == {"runs": []}


def test_a_client_certificate_goes_along(tmp_path: Path, authority: Issued) -> None:
    ours = issue("collector", authority)
    with hostile(GOOD, context(tmp_path, authority, clients=True)) as server:
        url = f"https://127.0.0.1:{server.port}"
        with connected(url, ca_pem=authority.pem) as http:
            assert trouble(lambda: http.json("GET", "x")).trouble in {"tls", "cut-off"}
        assert not server.requests
        pems = {"client_certificate_pem": ours.pem, "client_key_pem": ours.key_pem}
        with connected(url, ca_pem=authority.pem, **pems) as http:
            assert http.json("GET", "x") == {"runs": []}


def test_the_system_s_anchors_are_read_once_and_for_tls_alone(
    tmp_path: Path, authority: Issued, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[ssl.SSLContext] = []
    real = ssl.create_default_context

    def counted() -> ssl.SSLContext:
        read.append(real())
        return read[-1]

    monkeypatch.setattr(ssl, "create_default_context", counted)
    with hostile(GOOD) as server, connected(server.url) as http:
        assert http.json("GET", "x") == {"runs": []}
    assert not read
    with hostile(GOOD, context(tmp_path, authority)) as server:
        with connected(f"https://127.0.0.1:{server.port}") as http:
            for _ in range(2):
                assert trouble(lambda: http.json("GET", "x")).trouble == "tls"
        assert not server.requests
    assert [each.verify_mode for each in read] == [ssl.CERT_REQUIRED]


def test_certificates_that_cannot_be_used_are_said_at_once(authority: Issued) -> None:
    ours = issue("collector", authority)
    for members in (
        {"ca_pem": "no PEM"},
        {"client_certificate_pem": ours.pem},
        {"client_certificate_pem": ours.pem, "client_key_pem": authority.key_pem},
        {"client_certificate_pem": ours.pem, "client_key_pem": ours.locked_key_pem("hunter2")},
    ):
        assert trouble(lambda members=members: connected("https://a.example", **members)).trouble == "tls"  # type: ignore[misc]
