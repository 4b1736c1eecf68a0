"""What hostile servers and networks can't do: exhaust us, keep us for ever, learn what we sign in with."""

from __future__ import annotations

import base64
import gc
import logging
import socket
import ssl
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lineage.mlflow import connection
from lineage.mlflow.connection import CIRCUIT, RETRIES, Connection, Settings
from lineage.mlflow.errors import SourceError
from lineage.net import patience, sockets
from tests.certificates import issue
from tests.hostile_http import LAST, answer, hostile
from tests.http_proxy import proxy

LOOPBACK = ("127.0.0.0/8", "::1/128")
GOOD = answer(b'{"runs": []}')
SECRET = "correct-horse/battery+staple"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "BACKOFF_SECONDS", 0.001)


def connected(url: str, **members: Any) -> Connection:
    return Connection(Settings(url, **{"private_networks": LOOPBACK, **members}))


def failure(call: Callable[[], object]) -> SourceError:
    with pytest.raises(SourceError) as caught:
        call()
    return caught.value


def streamed(http: Connection) -> bytes:
    with http.stream("file") as chunks:
        return b"".join(chunks)


def tls(folder: Path, *, clients_by: str = "") -> tuple[ssl.SSLContext, str]:
    """A server's context, and the authority that its clients have to trust."""
    authority = issue("authority")
    served = issue("localhost", authority)
    (folder / "server.pem").write_text(served.pem + served.key_pem)
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(folder / "server.pem")
    if clients_by:
        made.verify_mode = ssl.CERT_REQUIRED
        made.load_verify_locations(cadata=clients_by)
    return made, authority.pem


# Exhaustion


def test_answers_that_are_left_in_the_middle_keep_no_connection() -> None:
    """Each is longer than what is read of it; a place that is not given back is waited for for ever."""
    with (
        hostile(answer(b"x" * 100_000, "500 Broken")) as server,
        connected(server.url, connections=2) as http,
    ):
        for _ in range(6):
            assert failure(lambda: http.json("GET", "x")).trouble == "server-error"
        for _ in range(6):
            assert failure(lambda: http.text("version")).trouble == "server-error"
    assert len(server.requests) == 12


def test_files_that_are_left_in_the_middle_keep_no_connection() -> None:
    with hostile(answer(b"x" * (9 << 20))) as server, connected(server.url, connections=1) as http:
        for _ in range(4):
            with http.stream("file") as chunks:
                assert next(chunks)


def test_the_end_of_an_endless_refusal_is_not_waited_for() -> None:
    def endless(_number: int, _request: bytes) -> Iterator[bytes]:
        yield b"HTTP/1.1 503 Away\r\n" + LAST + b"\r\n"
        while not server.released.is_set():
            yield b" " * (1 << 16)

    with hostile(endless) as server, connected(server.url, connections=1) as http:
        assert failure(lambda: http.json("GET", "x")).trouble == "server-error"
        assert len(server.requests) == 1 + RETRIES


@pytest.mark.parametrize("call", [lambda http: http.json("GET", "x"), streamed], ids=["json", "file"])
def test_a_body_that_comes_drop_by_drop_is_given_up(
    monkeypatch: pytest.MonkeyPatch, call: Callable[[Connection], object]
) -> None:
    monkeypatch.setattr(connection, "SLOW_SECONDS", 0.1)

    def drops(_number: int, _request: bytes) -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"
        while not server.released.wait(0.01):
            yield b" "

    with hostile(drops) as server, connected(server.url) as http:
        assert failure(lambda: call(http)).trouble == "timeout"


def test_a_head_that_comes_drop_by_drop_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "HEAD_SECONDS", 0.1)

    def drops(_number: int, _request: bytes) -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nX-Long: "
        while not server.released.wait(0.01):
            yield b"x"

    with hostile(drops) as server, connected(server.url) as http:
        assert failure(lambda: http.json("GET", "x")).trouble == "timeout"
        assert len(server.requests) == 1 + RETRIES


def test_files_that_are_cut_off_do_not_open_the_circuit() -> None:
    """The server is there: one folder of broken files must not end a visit."""
    with hostile(answer(b"half", length=5000)) as server, connected(server.url) as http:
        for _ in range(2 * CIRCUIT):
            assert failure(lambda: streamed(http)).trouble == "cut-off"
    assert len(server.requests) == 2 * CIRCUIT


@pytest.mark.parametrize(
    "told", ["9" * 5000, "soon", "-5", "Mon, 01 Jan 999999999 00:00:00 GMT", "\u0661", ""], ids=repr
)
def test_a_time_to_wait_that_is_none_is_not_obeyed(told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("urllib3.util.retry.time", SimpleNamespace(sleep=slept.append, time=lambda: 0.0))
    away = answer(b"", "429 No", f"Retry-After: {told}")
    with hostile(lambda n, _: GOOD if n else away) as server, connected(server.url) as http:
        assert http.json("GET", "x") == {"runs": []}
    assert all(pause <= patience.LONGEST_PAUSE_SECONDS for pause in slept)


def test_a_time_to_wait_is_waited(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("urllib3.util.retry.time", SimpleNamespace(sleep=slept.append, time=lambda: 0.0))
    away = answer(b"", "429 No", "Retry-After: 7")
    with hostile(lambda n, _: GOOD if n else away) as server, connected(server.url) as http:
        assert http.json("GET", "x") == {"runs": []}
    assert slept == [7]


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # urllib3 leaves its socket to the collector
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_lengths_that_contradict_each_other_are_a_bad_answer() -> None:
    odd = b"HTTP/1.1 200 OK\r\nContent-Length: 3, 4\r\n\r\nabc"
    with hostile(odd) as server, connected(server.url) as http:
        assert failure(lambda: http.json("GET", "x")).trouble == "bad-answer"
    gc.collect()


def test_a_deep_refusal_is_no_missing_thing() -> None:
    with hostile(answer(b'{"a":' * 100_000, "404 Not Found")) as server, connected(server.url) as http:
        assert failure(lambda: http.json("GET", "x")).trouble == "not-mlflow"


def test_the_pace_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that goes on only while somebody waits."""
    clock = SimpleNamespace(now=100.0, naps=0)

    def sleep(seconds: float) -> None:
        clock.now, clock.naps = clock.now + seconds, clock.naps + 1

    monkeypatch.setattr(connection, "time", SimpleNamespace(monotonic=lambda: clock.now, sleep=sleep))
    with hostile(GOOD) as server, connected(server.url, requests_per_second=4) as http:
        for _ in range(9):
            http.json("GET", "x")
    assert clock.naps == 8
    assert clock.now == pytest.approx(102)
    assert server.connections == 1


# Secrets


@pytest.mark.parametrize("auth", ["token", "basic"])
def test_what_we_sign_in_with_is_shown_nowhere(auth: str, caplog: pytest.LogCaptureFixture) -> None:
    """Not even where the server quotes it."""
    caplog.set_level(logging.DEBUG)
    pair = base64.b64encode(f"ada:{SECRET}".encode()).decode()
    forms = [SECRET, pair, SECRET.replace("/", "%2F").replace("+", "%2B")]
    if auth == "basic":
        assert pair.startswith("YWRhO")
    bodies = [
        *(answer(f"Wrong: {form}.".encode(), status) for form in forms for status in ("500 No", "400 No")),
        answer(b"x" * 290 + SECRET.encode(), "500 No"),
        *(answer(SECRET.encode(), status) for status in ("401 No", "302 Found", "404 No", "200 OK")),
        answer(SECRET.encode(), length=5000),
        b"",
    ]
    shown = ""
    for body in bodies:
        with hostile(body) as server:
            http = connected(server.url, auth=auth, username="ada", secret=SECRET)
            with http:
                error = failure(lambda http=http: http.json("GET", "x"))  # type: ignore[misc]
            sent = server.requests[0]
        assert f"Authorization: {'Bearer ' + SECRET if auth == 'token' else 'Basic ' + pair}".encode() in sent
        shown += f"{error}{error!r}{http!r}{http.settings!r}{''.join(traceback.format_exception(error))}"
    shown += caplog.text
    for form in (*forms, SECRET[:10]):
        assert form not in shown


def test_a_redirect_takes_no_credentials_anywhere() -> None:
    with hostile(GOOD) as other:
        moved = answer(b"", "307 Moved", f"Location: {other.url}/x")
        with hostile(moved) as server, connected(server.url, auth="token", secret=SECRET) as http:
            assert failure(lambda: http.json("POST", "x", body={})).trouble == "bad-answer"
    assert other.connections == 0


# Addresses

FORMS = ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "localhost", "127.0.0.1."]


@pytest.mark.parametrize("host", [*FORMS, "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"])
def test_loopback_is_refused_in_each_of_its_forms(host: str) -> None:
    with hostile(GOOD) as server:
        url = f"http://{host}:{server.port}"
        with connected(url, private_networks=("10.0.0.0/8",), auth="token", secret=SECRET) as http:
            assert failure(lambda: http.json("GET", "x")).trouble in {"refused-address", "unreachable"}
        assert server.connections == 0


@pytest.mark.parametrize(
    "host",
    ["169.254.169.254", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "[::ffff:169.254.169.254]",
     "[64:ff9b::a9fe:a9fe]", "[64:ff9b:1::a9fe:a9fe]", "[2002:a9fe:a9fe::1]", "[::ffff:0:a9fe:a9fe]",
     "0.0.0.0",
     "[::]", "[fd00:ec2::254]", "[fd20:ce::254]", "[fe80::a9fe:a9fe]", "[fec0::1]", "100.100.100.200"],
)  # fmt: skip
def test_where_clouds_give_credentials_is_refused_whatever_is_allowed(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached: list[object] = []
    monkeypatch.setattr(sockets, "create_connection", lambda *told: reached.append(told))
    with connected(f"http://{host}/", private_networks=("0.0.0.0/0", "::/0")) as http:
        assert failure(lambda: http.json("GET", "x")).trouble == "refused-address"
    assert not reached


def test_a_name_is_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was looked at is what is connected to."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def rebinding(host: str, port: int, *rest: Any, **more: Any) -> list[Any]:
        asked.append(host)
        return real("127.0.0.1" if asked.count(host) == 1 else "127.0.0.2", port, *rest, **more)

    with hostile(GOOD) as server:
        monkeypatch.setattr(socket, "getaddrinfo", rebinding)
        with connected(f"http://lab.example:{server.port}") as http:
            assert http.json("GET", "x") == {"runs": []}
    assert asked.count("lab.example") == 1


def test_another_address_of_the_name_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo

    def two(host: str, port: int, *rest: Any, **more: Any) -> list[Any]:
        if host != "lab.example":
            return real(host, port, *rest, **more)
        return [each for a in ("127.0.0.2", "127.0.0.1") for each in real(a, port, *rest, **more)]

    with hostile(GOOD) as server:
        monkeypatch.setattr(socket, "getaddrinfo", two)
        with connected(f"http://lab.example:{server.port}") as http:
            assert http.json("GET", "x") == {"runs": []}


# Proxies and TLS


def test_a_tunnel_shows_the_proxy_neither_request_nor_credentials(tmp_path: Path) -> None:
    context, authority = tls(tmp_path)
    with hostile(GOOD, context) as server, proxy(server.port) as between:
        # The name is only the proxy's to resolve; its certificate is ours to check.
        url = f"https://127.0.0.1:{server.port}"
        members = {"proxy": between.url, "auth": "token", "secret": SECRET}
        with connected(url, ca_pem=authority, **members) as http:
            for _ in range(3):
                assert http.json("GET", "x") == {"runs": []}
        assert len(between.asked) == 1
        assert between.asked[0].startswith(f"CONNECT 127.0.0.1:{server.port} HTTP/1.".encode())
        assert b"uthorization" not in between.asked[0]
        assert SECRET.encode() not in b"".join(between.tunnelled)
        assert SECRET.encode() in server.requests[0]
        with connected(url, **members) as http:
            assert failure(lambda: http.json("GET", "x")).trouble == "tls"
        assert len(server.requests) == 3


def test_a_proxy_forwards_to_a_name_that_only_it_knows() -> None:
    with hostile(GOOD) as server, proxy(server.port) as between:
        with connected("http://ml.internal.invalid/p", proxy=between.url) as http:
            assert http.json("GET", "x") == {"runs": []}
        assert between.asked[0].startswith(b"GET http://ml.internal.invalid/p/x HTTP/1.1\r\n")


def test_a_proxy_at_a_refused_address_is_sent_nothing() -> None:
    with hostile(GOOD) as server, proxy(server.port) as between:
        for url in ("http://ml.example", "https://ml.example"):
            with connected(url, proxy=between.url, private_networks=(), auth="token", secret=SECRET) as http:
                assert failure(lambda http=http: http.json("GET", "x")).trouble == "refused-address"  # type: ignore[misc]
        assert not between.asked


def test_a_proxy_that_refuses_is_unreachable() -> None:
    refused = answer(b"", "403 Forbidden")
    with hostile(refused) as between, connected("https://ml.example", proxy=between.url) as http:
        assert failure(lambda: http.json("GET", "x")).trouble == "unreachable"


def test_a_server_that_wants_another_certificate_is_said_to(tmp_path: Path) -> None:
    clients = issue("clients")
    context, authority = tls(tmp_path, clients_by=clients.pem)
    ours, strange = issue("collector", clients), issue("collector", issue("strangers"))
    with hostile(GOOD, context) as server:
        url = f"https://localhost:{server.port}"
        for pems in ({}, {"client_certificate_pem": strange.pem, "client_key_pem": strange.key_pem}):
            with connected(url, ca_pem=authority, **pems) as http:
                error = failure(lambda http=http: http.json("GET", "x"))  # type: ignore[misc]
            assert error.trouble in {"tls", "cut-off"}
            assert error.trouble == "cut-off" or "client certificate" in error.message
        assert not server.requests
        pems = {"client_certificate_pem": ours.pem, "client_key_pem": ours.key_pem}
        with connected(url, ca_pem=authority, **pems) as http:
            assert http.json("GET", "x") == {"runs": []}
