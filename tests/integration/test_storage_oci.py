"""Images and ORAS artifacts in a real `docker-registry`, and registries that do what none should."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar
from urllib.parse import urlsplit

import pytest

from lineage.artifacts.storage import Access, GoneError, MissingError, by_kind
from lineage.errors import InconclusiveError
from tests.hostile_http import Answer, answer, hostile
from tests.integration.storage_contract import LARGE, LOOPBACK, Contract, Stand, whole
from tests.integration.storage_contract import impatient as impatient  # noqa: PLC0414 a fixture
from tests.registry import INDEX, PASSWORD, USER, Pushing, Registry, digest
from tests.relay import relay
from tests.services import running

NOBODYS = f"sha256:{'0' * 64}"
BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


def access(url: str, repository: str = "models/one", **members: Any) -> Access:
    uri = f"oci://{urlsplit(url).netloc}/{repository}"
    return Access("oci", uri, private_networks=LOOPBACK, insecure_http=True, **members)


@pytest.fixture
def elsewhere() -> Callable[[str], Access]:
    return access


@pytest.fixture(scope="module")
def open_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    for service in running(lambda folder: begun(Registry(folder)), tmp_path_factory.mktemp("open")):
        assert isinstance(service, Registry)
        yield service


@pytest.fixture(scope="module")
def locked_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    folder = tmp_path_factory.mktemp("locked")
    for service in running(lambda folder: begun(Registry(folder, "htpasswd")), folder):
        assert isinstance(service, Registry)
        yield service


def begun(registry: Registry) -> Registry:
    registry.start()
    return registry


@dataclass
class Pushed:
    """Files by path, as the contract puts them: each a blob, and folders as ORAS pushes them."""

    pushing: Pushing
    uri: str
    files: dict[str, bytes] = field(default_factory=dict)

    def put(self, path: str, content: bytes) -> None:
        self.files[path] = content
        self.pushing.blob(content)

    def at(self, path: str) -> str:
        if not path:
            return f"{self.uri}/"
        if path in self.files:
            return f"{self.uri}@{digest(self.files[path])}"
        folder = f"{path.rstrip('/')}/"
        inside = {
            name.removeprefix(folder): each for name, each in self.files.items() if name.startswith(folder)
        }
        return f"{self.uri}@{self.pushing.files(inside)['digest'] if inside else NOBODYS}"


def standing(registry: Registry, headers: dict[str, str], **members: str) -> Iterator[Stand]:
    repository = f"models/{secrets.token_hex(4)}"
    with relay(registry.url) as between:
        good = access(f"http://{between.authority}", repository, **members)
        pushed = Pushed(Pushing(registry.url, repository, headers), good.uri)
        wrong = (replace(good, secret="another"), replace(good, username="")) if members else ()
        yield Stand(good, between, pushed.put, pushed.at, wrong)


class Digests(Contract):
    rewritable: ClassVar[bool] = False


@pytest.mark.service
class TestOpen(Digests):
    @pytest.fixture
    def stand(self, open_registry: Registry) -> Iterator[Stand]:
        yield from standing(open_registry, {})


@pytest.mark.service
class TestByPassword(Digests):
    @pytest.fixture
    def stand(self, locked_registry: Registry) -> Iterator[Stand]:
        yield from standing(locked_registry, {"Authorization": BASIC}, username=USER, secret=PASSWORD)


# What stands in a registry


@pytest.fixture
def pushing(open_registry: Registry) -> Pushing:
    return Pushing(open_registry.url, f"models/{secrets.token_hex(4)}")


def read(pushing: Pushing, reference: str) -> dict[bytes, bytes]:
    given = access(pushing.url, pushing.repository)
    with by_kind("oci").open(given) as storage:
        return {item.path: whole(storage.open(item)) for item in storage.items(given.uri + reference)}


@pytest.mark.service
def test_an_image_is_a_folder_as_its_layout_has_it(pushing: Pushing) -> None:
    manifest = pushing.image([b"layer one", LARGE], "v1")
    for reference in (":v1", f"@{manifest['digest']}"):
        found = read(pushing, reference)
        assert len(found) == 4
        assert all(
            path == b"blobs/" + digest(content).replace(":", "/").encode() for path, content in found.items()
        )
        assert {b"layer one", LARGE} < set(found.values())


@pytest.mark.service
def test_an_index_has_all_its_images(pushing: Pushing) -> None:
    images = [pushing.image([b"shared", each]) for each in (b"amd64", b"arm64")]
    pushing.manifest({"schemaVersion": 2, "mediaType": INDEX, "manifests": images}, "both")
    found = read(pushing, ":both")
    assert len(found) == 7  # the index, two manifests, three layers, one config
    assert {b"shared", b"amd64", b"arm64"} < set(found.values())


@pytest.mark.service
def test_what_oras_pushes_is_its_files(pushing: Pushing) -> None:
    files = {"model.gguf": b"weights", "sub/readme.md": b"text"}
    pushing.files(files, "v1")
    assert read(pushing, ":v1") == {name.encode(): content for name, content in files.items()}


@pytest.mark.service
def test_a_folder_that_oras_packed_is_no_file_of_that_name(pushing: Pushing) -> None:
    pushing.files({"packed": b"tar", "b": b"b"}, "v1", unpack="packed")
    assert all(path.startswith(b"blobs/sha256/") for path in read(pushing, ":v1"))


@pytest.mark.service
def test_a_single_file_is_a_blob_or_a_manifest(pushing: Pushing) -> None:
    manifest = pushing.image([b"layer"], "v1")
    given = access(pushing.url, pushing.repository)
    with by_kind("oci").open(given) as storage:
        for reference in (":v1", f"@{manifest['digest']}"):
            content = whole(storage.open(storage.item(given.uri + reference)))
            assert digest(content) == manifest["digest"]
        item = storage.item(given.uri + ":v1")
        pushing.image([b"another"], "v1")
        assert (
            digest(whole(storage.open(item))) == manifest["digest"]
        )  # the tag moved, what was found did not
        with pytest.raises(MissingError):
            storage.item(given.uri + ":v2")
        with pytest.raises(InconclusiveError):
            storage.items(f"{given.uri}@{digest(b'layer')}")


@pytest.mark.service
@pytest.mark.parametrize("titles", [["../x"], ["/x"], ["a//b"], ["a", "a"], ["a\nb"]], ids=list("abcde"))
def test_titles_that_are_no_paths_are_inconclusive(pushing: Pushing, titles: list[str]) -> None:
    layers = [
        {**pushing.blob(str(number).encode()), "annotations": {"org.opencontainers.image.title": title}}
        for number, title in enumerate(titles)
    ]
    config = pushing.blob(b"{}")
    kind = "application/vnd.oci.image.manifest.v1+json"
    pushing.manifest({"schemaVersion": 2, "mediaType": kind, "config": config, "layers": layers}, "v1")
    with pytest.raises(InconclusiveError):
        read(pushing, ":v1")


@pytest.mark.parametrize(
    "tail",
    ["", ":", "@", "@sha256:0", "@md5:0", ":a b", ":v1/x", "/Upper:v1", "x:v1", "@sha256:" + "0" * 63 + "G"],
)
def test_what_names_no_digest_and_no_tag_is_inconclusive(tail: str) -> None:
    given = access("http://127.0.0.1:1")
    with by_kind("oci").open(given) as storage:
        for call in (storage.item, storage.items):
            with pytest.raises(InconclusiveError) as caught:
                call(given.uri + tail)
            assert not isinstance(caught.value, GoneError)


# Signing in by tokens


def test_a_manifest_that_is_not_what_its_digest_says_stands_for_no_folder() -> None:
    with hostile(answer(b"{}")) as server:
        given = access(server.url)
        with by_kind("oci").open(given) as storage, pytest.raises(InconclusiveError, match="other bytes"):
            storage.items(f"{given.uri}@{NOBODYS}")


def test_an_index_of_itself_ends() -> None:
    """Each manifest names another one, for ever: their digests can't be right."""

    def reply(number: int, _request: bytes) -> Answer:
        inner = {"mediaType": INDEX, "digest": f"sha256:{number:064x}", "size": 1}
        return answer(json.dumps({"manifests": [inner]}).encode())

    with hostile(reply) as server:
        given = access(server.url)
        with by_kind("oci").open(given) as storage, pytest.raises(InconclusiveError):
            storage.items(f"{given.uri}:v1")


@pytest.mark.parametrize(
    "said",
    [
        *(b"no JSON", b"[]", b'{"layers": 1}', b'{"layers": [{"digest": "x", "size": 1}]}', b"[" * 100_000),
        b'{"layers": [{"digest": "sha256:' + b"0" * 64 + b'", "size": -1}]}',
        b" " * (5 << 20),
    ],
    ids=list("abcdefg"),
)
def test_manifests_that_are_none_are_inconclusive(said: bytes) -> None:
    with hostile(answer(said)) as server:
        given = access(server.url)
        with by_kind("oci").open(given) as storage, pytest.raises(InconclusiveError):
            storage.items(f"{given.uri}:v1")


@pytest.mark.parametrize("target", ["https://127.0.0.1:1/x", "https://10.0.0.1/x", "http://localhost/x", ""])
def test_a_blob_that_lies_at_a_private_address_is_not_followed(target: str) -> None:
    with hostile(answer(b"", "307 Away", f"Location: {target}")) as server:
        given = access(server.url)
        with by_kind("oci").open(given) as storage, pytest.raises(InconclusiveError) as caught:
            storage.item(f"{given.uri}@{NOBODYS}")
        assert not isinstance(caught.value, GoneError)
        assert len(server.requests) == 1
