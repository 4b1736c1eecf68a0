"""Hugging Face, from a server that answers as its API documents: the service can't be run here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar
from urllib.parse import quote, unquote, urlsplit

import pytest

from lineage.artifacts.storage import Access, GoneError, MissingError, by_kind
from lineage.artifacts.storage.huggingface import HuggingFace, is_cdn
from lineage.errors import InconclusiveError
from tests.hostile_http import Answer, Hostile, answer, hostile
from tests.integration.storage_contract import LOOPBACK, Contract, Stand, whole
from tests.integration.storage_contract import impatient as impatient  # noqa: PLC0414 a fixture
from tests.ranges import part
from tests.relay import Relay, relay

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LARGE_FROM = 1000
PAGE = 4


def access(url: str, **members: str) -> Access:
    return Access("huggingface", "hf://Lab/model", url, private_networks=LOOPBACK, **members)  # type: ignore[arg-type]


@dataclass
class Hub:
    """One repository at one commit. Large files lie elsewhere; `token`: who may read."""

    token: str = ""
    files: dict[str, bytes] = field(default_factory=dict)

    def reply(self, _number: int, request: bytes) -> Answer:
        target = request.split(b" ")[1].decode()
        path = unquote(urlsplit(target).path)
        if self.token and f"Authorization: Bearer {self.token}\r\n".encode() not in request:
            return answer(b"", "401 Unauthorized", "X-Error-Code: RepoNotFound")
        for start, give in (
            (f"/Lab/model/resolve/{COMMIT}/", self._resolve),
            (f"/api/resolve-cache/models/Lab/model/{COMMIT}/", self._cached),
            (f"/api/models/Lab/model/tree/{COMMIT}", self._tree),
        ):
            if path.startswith(start):
                return give(path.removeprefix(start), request, target)
        return answer(b"{}") if path == "/api/models/Lab/model" else answer(b"", "404 None")

    def _resolve(self, path: str, request: bytes, _target: str) -> Answer:
        content = self.files.get(path)
        if content is None:
            return answer(b"", "404 None", "X-Error-Code: EntryNotFound")
        told = [f"X-Repo-Commit: {COMMIT}"]
        if len(content) < LARGE_FROM:
            return part(content, request, *told)
        moved = f"Location: /api/resolve-cache/models/Lab/model/{COMMIT}/{quote(path)}?etag=x"
        return answer(b"", "302 Found", moved, f"X-Linked-Size: {len(content)}", *told)

    def _cached(self, path: str, request: bytes, _target: str) -> Answer:
        return part(self.files[path], request)

    def _tree(self, path: str, request: bytes, target: str) -> Answer:
        folder = path.strip("/")
        names = sorted(name for name in self.files if not folder or name.startswith(f"{folder}/"))
        if not names:
            return answer(b"", "404 None", "X-Error-Code: EntryNotFound")
        page = int((urlsplit(target).query + "&cursor=0").partition("cursor=")[2].partition("&")[0])
        told = [self._entry(name) for name in names[page * PAGE : (page + 1) * PAGE]]
        headers = []
        if len(names) > (page + 1) * PAGE:
            host = request.partition(b"Host: ")[2].partition(b"\r\n")[0].decode()
            base = f"http://{host}{target.partition('?')[0]}"
            headers = [f'Link: <{base}?recursive=true&cursor={page + 1}>; rel="next"']
        folders = [{"type": "directory", "path": "x", "size": 0, "oid": "0" * 40}]
        return answer(json.dumps(told + folders).encode(), "200 OK", *headers)

    def _entry(self, name: str) -> dict[str, Any]:
        content = self.files[name]
        told = {"type": "file", "path": name, "size": len(content), "oid": "0" * 40}
        if len(content) < LARGE_FROM:
            return told
        large = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}
        return told | {"lfs": large}


@pytest.fixture
def elsewhere() -> Callable[[str], Access]:
    return access


@dataclass
class Served:
    hub: Hub
    server: Hostile
    relay: Relay


@pytest.fixture
def served() -> Iterator[Served]:
    hub = Hub("right")
    with hostile(hub.reply) as server, relay(server.url) as between:
        yield Served(hub, server, between)


class TestHuggingFace(Contract):
    rewritable: ClassVar[bool] = False

    @pytest.fixture
    def stand(self, served: Served) -> Stand:
        good = access(f"http://{served.relay.authority}", token="right")
        return Stand(
            access=good,
            relay=served.relay,
            put=lambda path, content: served.hub.files.update({path: content}),
            at=lambda path: f"hf://Lab/model@{COMMIT}/{quote(path)}",
            wrong=(replace(good, token="wrong"), replace(good, token="")),
        )

    def test_a_commit_states_digests_of_large_files(self, stand: Stand) -> None:
        stand.put("f/large.bin", b"x" * LARGE_FROM)
        stand.put("f/small.txt", b"x")
        with stand.opened() as storage:
            assert isinstance(storage, HuggingFace)
            digest = hashlib.sha256(b"x" * LARGE_FROM).hexdigest()
            assert storage.expected(stand.at("f")) == {b"large.bin": digest}
            assert len(storage.items(f"hf://Lab/model@{COMMIT}")) == 2


@pytest.mark.parametrize(
    "location",
    [
        *("hf://Lab/model/x", "hf://Lab/model@main/x", f"hf://Lab/model@{COMMIT[1:]}/x"),
        *(f"hf://Lab/other@{COMMIT}/x", f"hf://datasets/Lab/model@{COMMIT}/x", f"hf://lab/model@{COMMIT}/x"),
        *(f"hf://Lab@{COMMIT}/model/x", "hf://Lab", f"hf://Lab/mo%2Fdel@{COMMIT}/x"),
    ],
)
def test_what_is_not_pinned_or_not_here_is_inconclusive(location: str) -> None:
    with by_kind("huggingface").open(access("http://127.0.0.1:1")) as storage:
        for call in (storage.item, storage.items):
            with pytest.raises(InconclusiveError) as caught:
                call(location)
            assert not isinstance(caught.value, GoneError | MissingError)


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("https://cdn-lfs-us-1.hf.co/repos/x?y", True),
        ("https://cas-bridge.xethub.hf.co/xet-bridge-us/x", True),
        ("https://cdn-lfs.huggingface.co/x", True),
        ("http://cdn-lfs.hf.co/x", False),
        ("https://hf.co.example.org/x", False),
        ("https://evilhf.co/x", False),
        ("https://cdn.hf.co:8443/x", False),
        ("https://u@cdn.hf.co/x", False),
        ("https://169.254.169.254/x", False),
    ],
)
def test_where_large_files_may_lie(url: str, good: bool) -> None:
    assert is_cdn(url) is good


@pytest.mark.parametrize(
    "target",
    ["https://cdn.example.org/x", "/elsewhere", "/api/resolve-cache/../x", "//localhost/api/resolve-cache/x"],
)
def test_other_redirects_are_refused(target: str) -> None:
    with hostile(answer(b"", "302 Found", f"Location: {target}", "X-Linked-Size: 5")) as server:
        with by_kind("huggingface").open(access(server.url, token="t")) as storage:
            source = storage.open(storage.item(f"hf://Lab/model@{COMMIT}/x"))
            with pytest.raises(InconclusiveError, match="not followed"):
                whole(source)
        assert len(server.requests) == 2


def test_an_answer_for_another_commit_is_inconclusive() -> None:
    with (
        hostile(answer(b"", "200 OK", f"X-Repo-Commit: {'f' * 40}")) as server,
        by_kind("huggingface").open(access(server.url)) as storage,
        pytest.raises(InconclusiveError, match="another commit"),
    ):
        storage.item(f"hf://Lab/model@{COMMIT}/x")


@pytest.mark.parametrize(
    "said",
    [
        answer(b"no JSON"),
        answer(b'[{"type": "file", "path": "../x", "size": 1}]'),
        answer(b'[{"type": "file", "path": "f/../x", "size": 1}]'),
        answer(
            b'[{"type": "file", "path": "f/x", "size": 1}]',
            "200 OK",
            'Link: <http://127.0.0.1:1/>; rel="next"',
        ),
        answer(b'[{"type": "file", "path": "f/x", "size": 1}, {"type": "file", "path": "f/x", "size": 1}]'),
        answer(b"", "302 Away", "Location: http://127.0.0.1:1/"),
    ],
    ids=list("abcdef"),
)
def test_a_listing_that_is_none_is_inconclusive(said: bytes) -> None:
    with hostile(said) as server, by_kind("huggingface").open(access(server.url)) as storage:
        with pytest.raises(InconclusiveError) as caught:
            storage.items(f"hf://Lab/model@{COMMIT}/f")
        assert not isinstance(caught.value, MissingError)


def test_datasets_have_addresses_of_their_own() -> None:
    with hostile(answer(b"x", "200 OK")) as server:
        given = replace(access(server.url), uri="hf://datasets/Lab/data")
        with by_kind("huggingface").open(given) as storage:
            storage.probe()
            assert b"GET /api/datasets/Lab/data HTTP" in server.requests[0]


def test_the_client_of_hugging_face_reads_the_same(served: Served) -> None:
    """So that what this server says is what the service's own client understands."""
    from huggingface_hub.hf_api import HfApi, RepoFile

    served.hub.token = ""
    served.hub.files |= {"a.txt": b"small", "f/b.bin": b"x" * LARGE_FROM}
    api = HfApi(endpoint=served.server.url)
    listed = list(api.list_repo_tree("Lab/model", revision=COMMIT, recursive=True))
    found = {each.path: each.size for each in listed if isinstance(each, RepoFile)}
    assert found == {"a.txt": 5, "f/b.bin": LARGE_FROM}
