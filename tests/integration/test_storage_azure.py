"""Azure Blob Storage, from a server that answers as its REST API documents: the service can't be run here.

Its signatures are made once more by the service's own client library, which also reads from the same server.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import ClassVar
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape

import pytest

from lineage.artifacts.storage import Access, GoneError, MissingError, by_kind, objects
from lineage.errors import InconclusiveError
from tests.hostile_http import Answer, Hostile, answer, hostile
from tests.integration.storage_contract import LOOPBACK, Contract, Stand
from tests.integration.storage_contract import impatient as impatient  # noqa: PLC0414 a fixture
from tests.ranges import part
from tests.relay import Relay, relay

ACCOUNT, CONTAINER = "lab", "models"
KEY = base64.b64encode(b"key of the account").decode()
SAS = "sv=2023-11-03&sp=rl&sig=abc%2Bdef%3D"


def access(url: str, *, username: str = ACCOUNT, secret: str = KEY, token: str = "") -> Access:
    return Access(
        *("azure", f"az://{CONTAINER}/some/prefix", f"{url}/{ACCOUNT}", "", username, secret, token),
        private_networks=LOOPBACK,
    )


@dataclass
class Blobs:
    """One container, that of an account without a host of its own. It wants one of two signatures."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    url: str = ""

    def reply(self, _number: int, request: bytes) -> Answer:
        method, target = request.split(b" ")[:2]
        parts = urlsplit(target.decode())
        query = parse_qs(parts.query)
        if query.get("sig") != ["abc+def="] and not self.is_signed(request):
            return answer(
                b"<Error><Code>AuthenticationFailed</Code></Error>"[: 48 * (method == b"GET")], "403 No"
            )
        root = f"/{ACCOUNT}/{CONTAINER}"
        if query.get("comp") == ["list"] and parts.path == root:
            return self.listing(query)
        name = unquote(parts.path.removeprefix(f"{root}/"))
        content = self.blobs.get(name)
        if content is None or not parts.path.startswith(root):
            return answer(b"", "404 The specified blob does not exist.", "x-ms-error-code: BlobNotFound")
        etag = f'"0x{hashlib.sha256(content).hexdigest()[:15].upper()}"'
        if b"\r\nIf-Match: " in request and f"\r\nIf-Match: {etag}\r\n".encode() not in request:
            return answer(b"", "412 The condition is not met.")
        told = (f"ETag: {etag}", "Last-Modified: Mon, 07 Sep 2026 10:00:00 GMT", "x-ms-blob-type: BlockBlob")
        return part(content, request, *told)

    def is_signed(self, request: bytes) -> bool:
        """By the client library's own rule."""
        from azure.core.pipeline import PipelineContext, PipelineRequest
        from azure.core.pipeline.transport import HttpRequest
        from azure.storage.blob._shared.authentication import SharedKeyCredentialPolicy

        first, *lines = request.partition(b"\r\n\r\n")[0].decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        given = headers.pop("authorization", "")
        method, target, _ = first.split(" ")
        made = HttpRequest(method, f"http://x{target}", headers)
        policy = SharedKeyCredentialPolicy(ACCOUNT, KEY)  # type: ignore[no-untyped-call]
        policy.on_request(PipelineRequest(made, PipelineContext(None)))  # type: ignore[no-untyped-call]
        return bool(made.headers["Authorization"] == given)

    def listing(self, query: dict[str, list[str]]) -> Answer:
        prefix, most = query.get("prefix", [""])[0], int(query.get("maxresults", ["5000"])[0])
        names = sorted(name for name in self.blobs if name.startswith(prefix))
        start = int(query.get("marker", ["0"])[0])
        shown = "".join(
            f"<Blob><Name>{escape(name)}</Name><Properties><Etag>0x1</Etag>"
            f"<Content-Length>{len(self.blobs[name])}</Content-Length><BlobType>BlockBlob</BlobType>"
            "</Properties></Blob>"
            for name in names[start : start + most]
        )
        more = str(start + most) if len(names) > start + most else ""
        return page(shown, more)


def page(inner: str, more: str = "") -> bytes:
    document = (
        f'\ufeff<?xml version="1.0" encoding="utf-8"?><EnumerationResults ContainerName="{CONTAINER}">'
        f"<Blobs>{inner}</Blobs><NextMarker>{more}</NextMarker></EnumerationResults>"
    )
    return answer(document.encode(), "200 OK", "Content-Type: application/xml")


@dataclass
class Served:
    blobs: Blobs
    server: Hostile
    relay: Relay


@pytest.fixture
def served() -> Iterator[Served]:
    blobs = Blobs()
    with hostile(blobs.reply) as server, relay(server.url) as between:
        yield Served(blobs, server, between)


@pytest.fixture
def elsewhere() -> Callable[[str], Access]:
    return access


def standing(served: Served, good: Access, *wrong: Access) -> Stand:
    return Stand(
        access=good,
        relay=served.relay,
        put=lambda path, content: served.blobs.blobs.update({f"some/prefix/{path}": content}),
        at=lambda path: f"az://{CONTAINER}/some/prefix/{quote(path)}",
        wrong=wrong,
    )


class TestByKey(Contract):
    @pytest.fixture
    def stand(self, served: Served) -> Stand:
        good = access(f"http://{served.relay.authority}")
        return standing(served, good, replace(good, secret="AAAA"), replace(good, secret=""))

    def test_a_listing_has_pages(self, stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(objects, "PAGE", 7)
        for number in range(24):
            stand.put(f"many/{number} +", b"x" * (number % 7))
        with stand.opened() as storage:
            found = storage.items(stand.at("many"))
        assert [item.path for item in found] == sorted(f"{number} +".encode() for number in range(24))

    def test_a_container_that_there_is_not_is_gone(self, stand: Stand) -> None:
        with stand.open(replace(stand.access, uri="az://nobodys")) as storage, pytest.raises(GoneError):
            storage.item("az://nobodys/x")


class TestBySharedAccessSignature(Contract):
    odd: ClassVar[list[str]] = ["a#b", "a b"]

    @pytest.fixture
    def stand(self, served: Served) -> Stand:
        good = access(f"http://{served.relay.authority}", secret="", token=f"?{SAS}")
        return standing(served, good, replace(good, token="sv=1&sig=x"))

    def test_the_signature_is_told_to_nobody(self, stand: Stand) -> None:
        with stand.opened() as storage, pytest.raises(MissingError) as caught:
            storage.item(stand.at("none.bin"))
        assert "sig" not in str(caught.value)
        assert "abc" not in repr(stand.access)


def test_the_client_of_azure_reads_the_same(served: Served) -> None:
    """So that what this server says is what the service's own client understands."""
    from azure.storage.blob import BlobServiceClient

    served.blobs.blobs |= {"f/a b#c": b"content", "f/\u00e4": b"x"}
    with BlobServiceClient(f"{served.server.url}/{ACCOUNT}", credential=KEY) as client:
        container = client.get_container_client(CONTAINER)
        assert [each.name for each in container.list_blobs("f/")] == ["f/a b#c", "f/\u00e4"]
        assert container.download_blob("f/a b#c").readall() == b"content"


def test_a_bearer_token_is_sent() -> None:
    with hostile(page("")) as server:
        given = access(server.url, secret="", token="abc")
        with by_kind("azure").open(given) as storage:
            storage.probe()
        assert b"Authorization: Bearer abc\r\n" in server.requests[0]


BLOB = (
    "<Blob><Name{}>some/prefix/f/{}</Name>"
    "<Properties><Content-Length>{}</Content-Length>{}</Properties></Blob>"
)


def listed(said: bytes) -> list[bytes]:
    with hostile(said) as server, by_kind("azure").open(access(server.url)) as storage:
        return [item.path for item in storage.items(f"az://{CONTAINER}/some/prefix/f")]


def test_folders_of_a_hierarchical_namespace_are_no_files() -> None:
    folder = BLOB.format("", "d", 0, "<ResourceType>directory</ResourceType>")
    file = BLOB.format("", "d/x", 1, "<ResourceType>file</ResourceType>")
    assert listed(page(folder + file)) == [b"d/x"]


def test_names_that_xml_can_not_have_are_decoded() -> None:
    assert listed(page(BLOB.format(' Encoded="true"', "a%01b", 1, ""))) == [b"a\x01b"]
    assert listed(page(BLOB.format("", "a%01b", 1, ""))) == [b"a%01b"]


@pytest.mark.parametrize(
    "said",
    [
        answer(b"no XML"),
        answer(b"<!DOCTYPE x><x/>"),
        page(BLOB.format("", "../a", 1, "")),
        page(BLOB.format("", "a", "x", "")),
        page(BLOB.format("", "a", 1, "") * 2),
        page(BLOB.format("", "a", 1, ""), "again"),
        page("<Blob/>"),
        answer(b"", "307 Away", "Location: http://127.0.0.1:1/"),
    ],
    ids=list("abcdefgh"),
)
def test_a_listing_that_is_none_is_inconclusive(said: bytes) -> None:
    with pytest.raises(InconclusiveError) as caught:
        listed(said)
    assert not isinstance(caught.value, MissingError)


@pytest.mark.parametrize(
    "members", [{"username": "x/y"}, {"username": ""}, {"secret": "no base64"}], ids=list("abc")
)
def test_settings_that_can_not_be_used_are_told(members: dict[str, str]) -> None:
    with pytest.raises(GoneError):
        by_kind("azure").open(access("http://127.0.0.1:1", **members))
