"""S3 from a real `moto_server` process, and what a server that only says that it is one may answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

import pytest

from lineage.artifacts.storage import Access, GoneError, MissingError, by_kind, objects
from lineage.errors import InconclusiveError
from tests.hostile_http import Answer, answer, hostile
from tests.integration.storage_contract import LOOPBACK, Contract, Stand, whole
from tests.integration.storage_contract import impatient as impatient  # noqa: PLC0414 a fixture
from tests.moto_server import REGION, Moto
from tests.relay import relay

BUCKET = "models"


def access(url: str, **members: str) -> Access:
    return Access("s3", f"s3://{BUCKET}/some/prefix", url, REGION, private_networks=LOOPBACK, **members)  # type: ignore[arg-type]


@dataclass
class Server:
    """moto with a bucket and a user who may read."""

    moto: Moto
    s3: Any
    key: str
    secret: str


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    moto = Moto(tmp_path_factory.mktemp("moto"))
    moto.start()
    try:
        s3 = moto.client("s3")
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        yield Server(moto, s3, *moto.user())
    finally:
        moto.stop()


@pytest.fixture
def elsewhere() -> Callable[[str], Access]:
    return lambda url: access(url, username="k", secret="s")


class TestS3(Contract):
    @pytest.fixture
    def stand(self, server: Server) -> Iterator[Stand]:
        def put(path: str, content: bytes) -> None:
            server.moto.want_signatures(False)
            server.s3.put_object(Bucket=BUCKET, Key=f"some/prefix/{path}", Body=content)
            server.moto.want_signatures(True)

        with relay(server.moto.url) as between:
            good = access(f"http://{between.authority}", username=server.key, secret=server.secret)
            server.moto.want_signatures(True)
            yield Stand(
                access=good,
                relay=between,
                put=put,
                at=lambda path: f"s3://{BUCKET}/some/prefix/{quote(path)}",
                wrong=(replace(good, secret="another"), replace(good, username="nobody")),
            )
            server.moto.want_signatures(False)

    def test_a_listing_has_pages(self, stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(objects, "PAGE", 7)
        for number in range(24):
            stand.put(f"many/{number} +", b"x" * (number % 7))
        with stand.opened() as storage:
            found = storage.items(stand.at("many"))
        assert [item.path for item in found] == sorted(f"{number} +".encode() for number in range(24))
        assert [item.size for item in found] == [int(item.path[:-2]) % 7 for item in found]

    def test_without_a_key_nothing_is_signed(self, stand: Stand, server: Server) -> None:
        server.moto.want_signatures(False)
        server.s3.put_object(Bucket=BUCKET, Key="some/prefix/open.bin", Body=b"x", ACL="public-read")
        with stand.open(replace(stand.access, username="", secret="")) as storage:
            assert whole(storage.open(storage.item(stand.at("open.bin")))) == b"x"

    def test_folders_as_consoles_make_them_are_no_files(self, stand: Stand) -> None:
        stand.put("made/", b"")
        stand.put("made/inner/", b"")
        stand.put("made/x", b"x")
        with stand.opened() as storage:
            assert [item.path for item in storage.items(stand.at("made"))] == [b"x"]

    def test_an_object_that_is_stored_compressed_is_read_as_it_is_stored(
        self, stand: Stand, server: Server
    ) -> None:
        server.moto.want_signatures(False)
        server.s3.put_object(
            Bucket=BUCKET, Key="some/prefix/z.gz", Body=b"\x1f\x8b stored", ContentEncoding="gzip"
        )
        with stand.opened() as storage:
            assert whole(storage.open(storage.item(stand.at("z.gz")))) == b"\x1f\x8b stored"

    def test_a_bucket_that_there_is_not_is_gone(self, stand: Stand) -> None:
        with stand.open(replace(stand.access, uri="s3://nobodys/x")) as storage:
            for call in (
                storage.probe,
                lambda: storage.item("s3://nobodys/x/y"),
                lambda: storage.items("s3://nobodys/x/y"),
            ):
                with pytest.raises(GoneError, match="NoSuchBucket"):
                    call()


# What servers say

HEAD = '<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
FILE = "<Contents><Key>some/prefix/f/{}</Key><Size>{}</Size></Contents>"


def listed(reply: Callable[[int, bytes], Answer] | Answer) -> list[bytes]:
    with hostile(reply) as server, by_kind("s3").open(access(server.url)) as storage:
        return [item.path for item in storage.items(f"s3://{BUCKET}/some/prefix/f")]


def page(inner: str, more: str = "<IsTruncated>false</IsTruncated>") -> bytes:
    return answer(f"{HEAD}{more}{inner}</ListBucketResult>".encode())


def test_a_listing_is_read() -> None:
    assert listed(page(FILE.format("a%2Bb+c", 3))) == [b"a+b c"]


@pytest.mark.parametrize(
    "said",
    [
        answer(b"no XML"),
        answer(b"\xff\xfe<\x00a\x00/\x00>\x00"),
        answer(b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>'),
        answer(f"{HEAD}</ListBucketResult>".encode().replace(b"?>", b"?><!DOCTYPE x>")),
        page(FILE.format("a", -1)),
        page(FILE.format("a", "9" * 30)),
        page(FILE.format("../a", 1)),
        page(FILE.format("b//a", 1)),
        page(FILE.format("a%0Ab", 1)),
        page(FILE.format("a%00b", 1)),
        page(FILE.format("a", 1) * 2),
        page("<Contents><Key>elsewhere/a</Key><Size>1</Size></Contents>"),
        page(FILE.format("a", 1), "<IsTruncated>true</IsTruncated>"),
        page(
            FILE.format("a", 1),
            "<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>",
        ),
        answer(b"", "301 Moved", "Location: http://127.0.0.1:1/"),
        answer(b"<Error><Code>Busy</Code></Error>", "500 Broken"),
    ],
    ids=list("abcdefghijklmnop"),
)
def test_a_listing_that_is_none_is_inconclusive(said: bytes) -> None:
    with pytest.raises(InconclusiveError) as caught:
        listed(said)
    assert not isinstance(caught.value, MissingError)


def test_another_region_is_told() -> None:
    with pytest.raises(GoneError, match="us-west-2"):
        listed(answer(b"", "301 Moved", "x-amz-bucket-region: us-west-2"))


@pytest.mark.parametrize(
    ("uri", "region", "url"),
    [
        ("s3://models/x", "", "https://models.s3.us-east-1.amazonaws.com"),
        ("s3://models.v1/x", "eu-west-1", "https://s3.eu-west-1.amazonaws.com/models.v1"),
        ("s3://models/x", "cn-north-1", "https://models.s3.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_amazons_own_addresses(uri: str, region: str, url: str) -> None:
    from lineage.artifacts.storage.s3 import S3Bucket

    with S3Bucket(Access("s3", uri, region=region)) as storage:
        assert storage._url == url


@pytest.mark.parametrize(
    "endpoint", ["ftp://x", "https://u@x", "https://x/?y", "https://", "https://x y", "x#y"]
)
def test_an_endpoint_that_is_none_is_refused(endpoint: str) -> None:
    with pytest.raises(GoneError):
        by_kind("s3").open(Access("s3", "s3://models", endpoint))
