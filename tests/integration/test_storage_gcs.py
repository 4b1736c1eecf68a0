"""Google Cloud Storage from a real `gcp-storage-emulator` process, and what Google documents beside it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from lineage.artifacts.storage import Access, GoneError, MissingError, by_kind
from lineage.errors import InconclusiveError
from tests.gcs_emulator import GcsEmulator
from tests.hostile_http import Answer, answer, hostile
from tests.integration.storage_contract import LARGE, LOOPBACK, ODD, Contract, Stand, whole
from tests.integration.storage_contract import impatient as impatient  # noqa: PLC0414 a fixture
from tests.relay import relay

BUCKET = "models"


def access(url: str, **members: str) -> Access:
    return Access("gcs", f"gs://{BUCKET}/some/prefix", url, private_networks=LOOPBACK, **members)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GcsEmulator]:
    service = GcsEmulator(tmp_path_factory.mktemp("gcs"))
    service.start()
    yield service
    service.stop()


@pytest.fixture
def elsewhere() -> Callable[[str], Access]:
    return access


class TestGcs(Contract):
    odd: ClassVar[list[str]] = ODD

    @pytest.fixture
    def stand(self, emulator: GcsEmulator) -> Iterator[Stand]:
        with relay(emulator.url) as between:
            yield Stand(
                access=access(f"http://{between.authority}"),
                relay=between,
                put=lambda path, content: emulator.put(f"some/prefix/{path}", content),
                at=lambda path: f"gs://{BUCKET}/some/prefix/{quote(path)}",
            )

    def test_an_empty_file_is_read(self) -> None:  # type: ignore[override]
        """The emulator takes none."""
        resource = b'{"name": "some/prefix/empty", "size": "0", "generation": "7"}'
        with hostile(answer(resource)) as server, by_kind("gcs").open(access(server.url)) as storage:
            source = storage.open(storage.item(f"gs://{BUCKET}/some/prefix/empty"))
            assert (source.size, whole(source)) == (0, b"")

    def test_a_file_that_changes_while_it_is_read_is_inconclusive(self, stand: Stand) -> None:  # type: ignore[override]
        """The emulator serves one connection at a time, and knows only the newest generation."""
        stand.put("changing.bin", LARGE)
        with stand.opened() as storage:
            source = storage.open(storage.item(stand.at("changing.bin")))
            assert source.read_at(0, 10) == LARGE[:10]
            stand.put("changing.bin", LARGE[::-1])
            with pytest.raises(InconclusiveError):
                whole(source)
            source.close()

    def test_a_bucket_that_there_is_not_is_gone(self, stand: Stand) -> None:
        with stand.open(replace(stand.access, uri="gs://nobodys/x")) as storage:
            for call in (storage.probe, lambda: storage.item("gs://nobodys/x/y")):
                with pytest.raises(GoneError):
                    call()


# What Google documents, from a server that says just that


def listed(reply: Callable[[int, bytes], Answer] | Answer, **members: str) -> list[tuple[bytes, int | None]]:
    with hostile(reply) as server, by_kind("gcs").open(access(server.url, **members)) as storage:
        return [(item.path, item.size) for item in storage.items(f"gs://{BUCKET}/some/prefix/f")]


def page(*names: str, more: str = "", size: str = "1", generation: str = "7") -> bytes:
    items = [{"name": f"some/prefix/f/{name}", "size": size, "generation": generation} for name in names]
    return answer(json.dumps({"items": items} | ({"nextPageToken": more} if more else {})).encode())


def test_a_listing_has_pages() -> None:
    def reply(_number: int, request: bytes) -> Answer:
        return page("a", "c") if b"pageToken=2" in request else page("b", "d/e", more="2")

    assert listed(reply) == [(b"a", 1), (b"b", 1), (b"c", 1), (b"d/e", 1)]


@pytest.mark.parametrize(
    "said",
    [
        page("a", more="x"),
        page("../a"),
        page("a", "a"),
        page("a", size="-1"),
        page("a", generation="x"),
        page("a\nb"),
        answer(b"no JSON"),
        answer(b"[" * 100_000),
        answer(b'{"items": [{"name": "elsewhere", "size": "1", "generation": "1"}]}'),
        answer(b"", "302 Away", "Location: http://127.0.0.1:1"),
    ],
    ids=list("abcdefghij"),
)
def test_a_listing_that_is_none_is_inconclusive(said: bytes) -> None:
    with pytest.raises(InconclusiveError) as caught:
        listed(said)
    assert not isinstance(caught.value, MissingError)


@pytest.mark.parametrize("status", ["401 No", "403 No", "404 None"])
def test_a_bucket_that_is_not_ours_is_gone(status: str) -> None:
    with pytest.raises(GoneError):
        listed(answer(b"", status), token="t")


def test_a_token_is_sent() -> None:
    with hostile(page("a")) as server, by_kind("gcs").open(access(server.url, token="abc")) as storage:
        storage.probe()
        assert b"Authorization: Bearer abc\r\n" in server.requests[0]


def test_one_generation_is_asked_for_and_nothing_is_unfolded() -> None:
    def reply(_number: int, request: bytes) -> Answer:
        if b"alt=media" in request:
            told = ("Content-Encoding: gzip", "x-goog-generation: 7")
            return (
                answer(b"\x1f\x8b", "200 OK", *told) if b"generation=7" in request else answer(b"", "404 No")
            )
        return page("a", size="2") if b"prefix" in request else answer(b"", "404 No")

    with hostile(reply) as server, by_kind("gcs").open(access(server.url)) as storage:
        (item,) = storage.items(f"gs://{BUCKET}/some/prefix/f")
        assert whole(storage.open(item)) == b"\x1f\x8b"
        assert b"Accept-Encoding: gzip\r\n" in server.requests[-1]


def test_a_generation_that_went_is_inconclusive() -> None:
    def reply(_number: int, request: bytes) -> Answer:
        return answer(b"", "404 No") if b"alt=media" in request else page("a")

    with hostile(reply) as server, by_kind("gcs").open(access(server.url)) as storage:
        (item,) = storage.items(f"gs://{BUCKET}/some/prefix/f")
        with pytest.raises(MissingError, match="any more"):
            whole(storage.open(item))


# Service accounts


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def account(key: rsa.RSAPrivateKey, token_uri: str) -> str:
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    told: dict[str, Any] = {"type": "service_account", "client_email": "l@example.org", "private_key": pem}
    return json.dumps(told | {"private_key_id": "1", "token_uri": token_uri})


def test_a_service_account_signs_in(key: rsa.RSAPrivateKey) -> None:
    def reply(_number: int, request: bytes) -> Answer:
        if request.startswith(b"POST /token"):
            signed = parse_qs(request.partition(b"\r\n\r\n")[2].decode())["assertion"][0]
            said, _, signature = signed.rpartition(".")
            given = base64.urlsafe_b64decode(f"{signature}==")
            key.public_key().verify(given, said.encode(), padding.PKCS1v15(), SHA256())
            claims = json.loads(base64.urlsafe_b64decode(f"{said.partition('.')[2]}=="))
            assert claims["scope"].endswith("devstorage.read_only")
            return answer(b'{"access_token": "given", "expires_in": 3600, "token_type": "Bearer"}')
        return page("a") if b"Authorization: Bearer given\r\n" in request else answer(b"", "401 No")

    with hostile(reply) as server:
        secret = account(key, f"{server.url}/token")
        with by_kind("gcs").open(access(server.url, secret=secret)) as storage:
            storage.probe()
            storage.probe()
        assert len(server.requests) == 3
        assert urlsplit(server.url).hostname


@pytest.mark.parametrize("token_uri", ["http://169.254.169.254/token", "http://127.0.0.1:1/token"])
def test_a_token_service_that_is_not_reached_is_gone(key: rsa.RSAPrivateKey, token_uri: str) -> None:
    secret = account(key, token_uri)
    with (
        by_kind("gcs").open(access("http://127.0.0.1:1", secret=secret)) as storage,
        pytest.raises(GoneError),
    ):
        storage.probe()


def test_an_account_that_is_refused_is_gone(key: rsa.RSAPrivateKey) -> None:
    with hostile(answer(b'{"error": "invalid_grant"}', "400 No")) as server:
        secret = account(key, f"{server.url}/token")
        with by_kind("gcs").open(access(server.url, secret=secret)) as storage, pytest.raises(GoneError):
            storage.probe()


@pytest.mark.parametrize("token_uri", ["http://localhost/token", "rubbish", ""])
def test_a_token_service_without_tls_is_not_asked(key: rsa.RSAPrivateKey, token_uri: str) -> None:
    with pytest.raises(GoneError):
        by_kind("gcs").open(Access("gcs", "gs://models", secret=account(key, token_uri)))


@pytest.mark.parametrize("secret", ["rubbish", "[]", "{}", '{"client_email": "x", "private_key": "y"}'])
def test_a_key_that_is_none_is_gone(secret: str) -> None:
    with pytest.raises(GoneError):
        by_kind("gcs").open(access("http://127.0.0.1:1", secret=secret))
