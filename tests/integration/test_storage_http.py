"""Files of web servers: a real one with ranges, a real one without, and ones that do what none should."""

from __future__ import annotations

import base64
import gzip
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from lineage.artifacts.storage import Access, GoneError, MissingError, by_kind, ranged, web
from lineage.errors import InconclusiveError
from tests.certificates import issue
from tests.hostile_http import LAST, Answer, answer, hostile
from tests.integration.storage_contract import LARGE, LOOPBACK, Contract, Stand, whole
from tests.integration.storage_contract import impatient as impatient  # noqa: PLC0414 a fixture
from tests.relay import relay
from tests.web_servers import PlainWebFolder, WebFolder

BODY = bytes(range(256)) * 64


def head_or(request: bytes, said: Answer, *headers: str) -> Answer:
    """`said` for a GET; for a HEAD that there is `BODY`."""
    if request.startswith(b"HEAD"):
        return answer(b"", "200 OK", *headers, length=len(BODY))
    return said


def access(url: str, **members: str) -> Access:
    return Access("http", f"{url}/data", private_networks=LOOPBACK, **members)  # type: ignore[arg-type]


@pytest.fixture
def elsewhere() -> Callable[[str], Access]:
    return access


def standing(server: WebFolder) -> Iterator[Stand]:
    with relay(server.url) as between:
        base = f"http://{between.authority}"
        yield Stand(
            access=access(base),
            relay=between,
            put=server.put,
            at=lambda path: f"{base}/data/{quote(path)}",
        )


@pytest.fixture(scope="module")
def ranging(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebFolder]:
    server = WebFolder(tmp_path_factory.mktemp("web"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebFolder]:
    server = PlainWebFolder(tmp_path_factory.mktemp("plain"))
    server.start()
    yield server
    server.stop()


class TestWithRanges(Contract):
    folders = False

    @pytest.fixture
    def stand(self, ranging: WebFolder) -> Iterator[Stand]:
        yield from standing(ranging)


class TestWithoutRanges(Contract):
    folders = False

    @pytest.fixture
    def stand(self, plain: WebFolder) -> Iterator[Stand]:
        yield from standing(plain)

    def test_a_file_that_changes_while_it_is_read_is_inconclusive(self, stand: Stand) -> None:  # type: ignore[override]
        """Its Last-Modified counts seconds, so that only a change of size is always seen."""
        stand.put("changing.bin", LARGE)
        with stand.opened() as storage:
            source = storage.open(storage.item(stand.at("changing.bin")))
            assert source.readinto(memoryview(bytearray(1000))) == 1000
            stand.put("changing.bin", LARGE[1:])
            with pytest.raises(InconclusiveError):
                whole(source)
            source.close()


# What servers say


def read(reply: Callable[[int, bytes], Answer] | Answer, **members: str) -> bytes:
    with hostile(reply) as server, by_kind("http").open(access(server.url, **members)) as storage:
        return whole(storage.open(storage.item(f"{server.url}/data/x")))


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ("401 No", GoneError),
        ("403 No", InconclusiveError),
        ("404 None", MissingError),
        ("410 None", MissingError),
        ("418 Teapot", InconclusiveError),
        ("429 Often", InconclusiveError),
        ("500 Broken", InconclusiveError),
        ("503 Away", GoneError),
        ("204 Empty", InconclusiveError),
        ("301 Moved", InconclusiveError),
    ],
)
def test_what_a_status_means(status: str, error: type[InconclusiveError]) -> None:
    with pytest.raises(InconclusiveError) as caught:
        read(answer(b"", status))
    assert type(caught.value) is error


def test_an_answer_that_was_away_for_a_moment_is_asked_for_again() -> None:
    def reply(number: int, request: bytes) -> Answer:
        away = answer(b"", "503 Away", "Retry-After: 0")
        return away if number in {0, 2} else head_or(request, answer(BODY))

    with hostile(reply) as server, by_kind("http").open(access(server.url)) as storage:
        source = storage.open(storage.item(f"{server.url}/data/x"))
        assert whole(source) == BODY
        assert len(server.requests) == 5  # the last one looks whether it is still the same


@pytest.mark.parametrize("encoding", ["gzip", "br", "x-unknown"])
def test_a_compressed_answer_is_inconclusive(encoding: str) -> None:
    with pytest.raises(InconclusiveError, match="compressed"):
        read(answer(gzip.compress(BODY), "200 OK", f"Content-Encoding: {encoding}"))


def chunked(request: bytes) -> Answer:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head if request.startswith(b"HEAD") else [head + b"4\r\nbody\r\n0\r\n\r\n"]


def test_a_file_whose_size_nobody_tells_is_inconclusive() -> None:
    with pytest.raises(InconclusiveError, match="how many bytes"):
        read(lambda _number, request: chunked(request))


def test_a_size_that_only_an_answer_of_a_part_tells_is_enough() -> None:
    def reply(_number: int, request: bytes) -> Answer:
        if b"bytes=0-0" in request:
            return answer(b"b", "206 Part", "Content-Range: bytes 0-0/4", 'ETag: "1"')
        return chunked(request)

    assert read(reply) == b"body"


def test_an_empty_file_of_a_server_without_heads_is_empty() -> None:
    def reply(_number: int, request: bytes) -> Answer:
        if request.startswith(b"HEAD"):
            return answer(b"", "405 No")
        if b"Range:" in request:
            return answer(b"said", "416 Range", "Content-Range: bytes */0")
        return answer(b"")

    assert read(reply) == b""


@pytest.mark.parametrize(
    "told", ["bytes 7-9/16384", "bytes 0-9/16384", "", "bytes 100-", "items 100-200/16384"]
)
def test_another_part_than_was_asked_for_is_inconclusive(told: str) -> None:
    def reply(_number: int, request: bytes) -> Answer:
        if b"Range:" in request:
            return answer(BODY[100:], "206 Part", f"Content-Range: {told}", 'ETag: "1"')
        return answer(BODY, "200 OK", 'ETag: "1"')

    with hostile(reply) as server, by_kind("http").open(access(server.url)) as storage:
        source = storage.open(storage.item(f"{server.url}/data/x"))
        with pytest.raises(InconclusiveError):
            source.read_at(100, 50)


@pytest.mark.parametrize(
    "second",
    [
        answer(BODY, "200 OK", 'ETag: "2"'),
        answer(BODY + b"x", "200 OK", 'ETag: "1"'),
        answer(b"", "412 Changed"),
        answer(b"", "404 None"),
    ],
    ids=["etag", "size", "condition", "missing"],
)
def test_what_comes_after_a_cut_is_of_the_same_version_or_inconclusive(second: bytes) -> None:
    def reply(_number: int, request: bytes) -> Answer:
        cut = [answer(BODY[:100], "200 OK", 'ETag: "1"', length=len(BODY))]
        return head_or(request, second if b"Range: bytes=100-" in request else cut, 'ETag: "1"')

    with pytest.raises(InconclusiveError):
        read(reply)


def half(body: bytes, *headers: str) -> Callable[[int, bytes], Answer]:
    """The first answer with bytes ends after 100; no ranges; `body` is what later ones give."""
    told: list[bytes] = []

    def reply(_number: int, request: bytes) -> Answer:
        if request.startswith(b"GET"):
            told.append(request)
        cut = [answer(BODY[:100], "200 OK", *headers, length=len(BODY))]
        return head_or(request, answer(body, "200 OK", *headers) if len(told) > 1 else cut, *headers)

    return reply


@pytest.mark.parametrize("headers", [(), ('ETag: W/"1"',), ('ETag: "1"',)], ids=["none", "weak", "strong"])
def test_a_server_without_ranges_is_read_again_from_the_start(headers: tuple[str, ...]) -> None:
    assert read(half(BODY, *headers)) == BODY


def test_a_beginning_that_is_another_one_now_is_inconclusive() -> None:
    with pytest.raises(InconclusiveError, match="changed"):
        read(half(b"x" + BODY[1:]))


def test_parts_of_what_has_no_version_are_not_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranged, "AHEAD_BYTES", 1000)
    with hostile(answer(BODY)) as server, by_kind("http").open(access(server.url)) as storage:
        source = storage.open(storage.item(f"{server.url}/data/x"))
        assert source.read_at(0, 100) == BODY[:100]
        assert source.read_at(50, 100) == BODY[50:150]
        with pytest.raises(InconclusiveError, match="ETag"):
            source.read_at(5000, 10)
        assert whole(source) == BODY  # that is one answer again


def test_more_than_was_announced_is_inconclusive() -> None:
    def reply(_number: int, request: bytes) -> Answer:
        if b"bytes=0-0" in request:
            return answer(b"b", "206 Part", "Content-Range: bytes 0-0/3", 'ETag: "1"')
        return chunked(request)

    with pytest.raises(InconclusiveError, match="changed"):
        read(reply)


def test_a_body_that_comes_drop_by_drop_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "SLOW_SECONDS", 0.1)

    def drops(_number: int, request: bytes) -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"
        while not request.startswith(b"HEAD") and not server.released.wait(0.01):
            yield b" "

    with hostile(drops) as server, by_kind("http").open(access(server.url)) as storage:
        source = storage.open(storage.item(f"{server.url}/data/x"))
        with pytest.raises(InconclusiveError, match="slowly"):
            whole(source)
        source.close()


# Redirects and credentials


def test_a_redirect_that_stays_inside_is_followed() -> None:
    def reply(_number: int, request: bytes) -> Answer:
        if b"/data/x " in request:
            return answer(b"", "302 Found", "Location: y")
        return head_or(request, answer(BODY))

    assert read(reply) == BODY


@pytest.mark.parametrize(
    "target",
    [
        *("/elsewhere/x", "../x", "/data/../x", "/data/%2e%2e/x", "y?z", "/data/f/"),
        *("https://127.0.0.1/data/x", "//localhost/data/x"),
    ],
)
def test_a_redirect_that_leads_out_is_refused(target: str) -> None:
    with hostile(answer(b"", "302 Found", f"Location: {target}")) as server:
        with by_kind("http").open(access(server.url, token="t")) as storage, pytest.raises(InconclusiveError):
            storage.item(f"{server.url}/data/x")
        assert len(server.requests) == 1


def test_redirects_in_a_circle_end() -> None:
    with pytest.raises(InconclusiveError, match="again"):
        read(answer(b"", "302 Found", "Location: x"))


@pytest.mark.parametrize(
    ("members", "sent"),
    [
        ({"token": "abc"}, b"Bearer abc"),
        ({"secret": "abc"}, b"Bearer abc"),
        ({"username": "u", "secret": "p:w"}, b"Basic " + base64.b64encode(b"u:p:w")),
    ],
    ids=["token", "secret", "basic"],
)
def test_credentials_are_sent(members: dict[str, str], sent: bytes) -> None:
    with hostile(answer(b"")) as server, by_kind("http").open(access(server.url, **members)) as storage:
        storage.probe()
        assert b"Authorization: " + sent + b"\r\n" in server.requests[0]
        assert b"identity" in server.requests[0]
        assert "abc" not in repr(access(server.url, **members))


def test_a_token_that_can_not_stand_in_a_header_is_not_quoted() -> None:
    with pytest.raises(GoneError) as caught:
        by_kind("http").open(access("http://127.0.0.1:1", token="se\ncret"))
    assert "se\ncret" not in str(caught.value)


@pytest.mark.parametrize("status", ["500 Broken", "502 Bad", "401 No"])
def test_a_server_that_fails_is_gone(status: str) -> None:
    with (
        hostile(answer(b"", status)) as server,
        by_kind("http").open(access(server.url)) as storage,
        pytest.raises(GoneError),
    ):
        storage.probe()


def test_a_name_that_does_not_resolve_is_gone() -> None:
    with (
        by_kind("http").open(access("http://nobody.invalid")) as storage,
        pytest.raises(GoneError, match="resolve"),
    ):
        storage.probe()


def test_our_own_authority_is_trusted_and_no_other(tmp_path: Path) -> None:
    authority = issue("authority")
    served = issue("localhost", authority)
    (tmp_path / "server.pem").write_text(served.pem + served.key_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    with hostile(answer(b"", length=0), tls=context) as server:
        url = server.url.replace("http:", "https:")
        with by_kind("http").open(access(url, ca_pem=authority.pem)) as storage:
            storage.probe()
        with by_kind("http").open(access(url)) as storage, pytest.raises(GoneError, match="TLS"):
            storage.probe()
    with pytest.raises(GoneError):
        by_kind("http").open(access(url, ca_pem="rubbish"))


def test_an_answer_that_is_left_in_the_middle_keeps_no_connection() -> None:
    def reply(_number: int, request: bytes) -> Answer:
        return head_or(request, [b"HTTP/1.1 200 OK\r\nContent-Length: 16384\r\n" + LAST + b"\r\n", BODY])

    with hostile(reply) as server, by_kind("http").open(access(server.url)) as storage:
        for _ in range(4):
            source = storage.open(storage.item(f"{server.url}/data/x"))
            assert source.readinto(memoryview(bytearray(10))) == 10
            source.close()
