"""Repositories of Hugging Face, pinned by commit.

Owns: addresses, which redirects belong to the service, digests that a commit states. Does not own: a branch
or tag, which may say something else tomorrow: it is refused.
Locations: `hf://owner/name@<commit>/path`, `hf://datasets/owner/name@<commit>/path`, `hf://spaces/…`.
Source: Hugging Face Hub API: tree, resolve; huggingface_hub.file_download for headers and redirects.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import urljoin, urlsplit

import msgspec
from urllib3.response import BaseHTTPResponse

from lineage.artifacts.reading import ByteSource
from lineage.artifacts.storage import places, web
from lineage.artifacts.storage.base import Access, Item, MissingError, Scheme, Storage
from lineage.artifacts.storage.ranged import RangedBytes, Version, version_of
from lineage.artifacts.storage.web import Web
from lineage.errors import InconclusiveError
from lineage.net.sockets import leave

ENDPOINT = "https://huggingface.co"
MAX_REDIRECTS = 3
_KINDS = ("datasets", "spaces")
_COMMIT = re.compile(r"[0-9a-f]{40}", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}", re.ASCII)
_CDN = re.compile(r"(?:[a-z0-9-]+\.)+(?:hf\.co|huggingface\.co)", re.ASCII)
"""Hosts on which the service keeps large files; over TLS, and never with our token."""
_CACHE = "/api/resolve-cache/"
_NEXT = re.compile(r'<([^<>]*)>\s*;\s*rel="next"')
_REDIRECTS = (301, 302, 303, 307, 308)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Pinned:
    """A path in a repository at a commit. `kind`: models, datasets or spaces."""

    kind: str
    repository: str
    commit: str
    path: str

    @property
    def name(self) -> str:
        return f"{self.repository}@{self.commit[:8]}/{self.path}"


class _Lfs(msgspec.Struct, frozen=True):
    oid: str = ""


class _Entry(msgspec.Struct, frozen=True):
    type: str
    path: str
    size: int = 0
    lfs: _Lfs | None = None


_TREE = msgspec.json.Decoder(list[_Entry])


class HuggingFace(Storage):
    """One repository, `access.uri`. `token`: a read token; none: what is public."""

    def __init__(self, access: Access) -> None:
        self._base = places.place(access.uri)
        self._kind, self._repository, _ = self._taken(self._base, access.uri)
        self._url = web.endpoint(access) if access.endpoint else ENDPOINT
        self._host = urlsplit(self._url).netloc
        token = access.token or access.secret
        self._headers = {"Authorization": web.bearer(token)} if token else {}
        self._web = Web.of(access)

    def probe(self) -> None:
        with self._web.answer(
            "GET", f"{self._url}/api/{self._kind}/{self._repository}", self._headers
        ) as answer:
            if answer.status != 200:
                raise web.gone(answer, f"The repository {self._repository}")

    def item(self, location: str) -> Item:
        pinned = self._pinned(location)
        if not pinned.path or location.endswith("/"):
            raise InconclusiveError(f"{location} is a folder.")
        return Item(b"", _File(self, pinned).head().size, _opened(pinned))

    def items(self, location: str) -> list[Item]:
        pinned = self._pinned(location)
        prefix = f"{pinned.path}/" if pinned.path else ""
        found = []
        for each in self._tree(pinned):
            if not each.path.startswith(prefix):
                raise InconclusiveError("A listing names a file that is not in the folder.")
            path = places.listed(each.path.removeprefix(prefix).encode("utf-8", "surrogatepass"))
            inner = Pinned(pinned.kind, pinned.repository, pinned.commit, each.path)
            found.append(Item(path, each.size, _opened(inner)))
            places.within_limit(len(found))
        if not found:
            raise MissingError(f"Nothing is in {location}.")
        return places.in_order(found)

    def expected(self, location: str) -> dict[bytes, str]:
        """SHA-256 of the large files of a folder, as the commit states them: lowercase hex by path.

        Raises: as `items`.
        """
        pinned = self._pinned(location)
        prefix = f"{pinned.path}/" if pinned.path else ""
        told = {each.path: each.lfs.oid for each in self._tree(pinned) if each.lfs}
        return {
            path.removeprefix(prefix).encode("utf-8", "surrogatepass"): oid
            for path, oid in told.items()
            if path.startswith(prefix) and _SHA256.fullmatch(oid)
        }

    def open(self, item: Item) -> ByteSource:
        commit, _, path = item.opened.partition("/")
        pinned = Pinned(self._kind, self._repository, commit, path)
        return RangedBytes(_File(self, pinned), item.size)

    def close(self) -> None:
        self._web.close()

    def ask(self, method: str, pinned: Pinned, headers: Mapping[str, str]) -> BaseHTTPResponse:
        """What the service says of a file, or where it keeps it."""
        kind = "" if pinned.kind == "models" else f"{pinned.kind}/"
        path = places.quoted(pinned.path.encode())
        url = f"{self._url}/{kind}{pinned.repository}/resolve/{pinned.commit}/{path}"
        return self._web.ask(method, url, {**self._headers, **headers})

    def followed(self, method: str, pinned: Pinned, headers: Mapping[str, str]) -> BaseHTTPResponse:
        """The bytes, after redirects to the service's own hosts."""
        answer = self.ask(method, pinned, headers)
        url = self._url
        for _ in range(MAX_REDIRECTS):
            if answer.status not in _REDIRECTS:
                break
            url = urljoin(url, answer.headers.get("Location", ""))
            leave(answer)
            sent = self._may_follow(url)
            answer = self._web.ask(method, url, {**sent, **headers})
        if answer.status in {200, 206, 412, 416}:
            return answer
        try:
            self.refuse(answer, pinned)
        finally:
            leave(answer)

    def refuse(self, answer: BaseHTTPResponse, pinned: Pinned) -> NoReturn:
        """Source: huggingface_hub.errors."""
        code = answer.headers.get("X-Error-Code", "")
        if code in {"RepoNotFound", "GatedRepo", "DisabledRepo"} or answer.status == 401:
            raise web.gone(answer, f"The repository {pinned.repository}")
        web.refuse(answer, pinned.name)

    def _may_follow(self, url: str) -> dict[str, str]:
        """Our headers for where a redirect leads. Raises: InconclusiveError where it is not the service's."""
        parts = urlsplit(url)
        own = f"{parts.scheme}://{parts.netloc}" == self._url and parts.path.startswith(_CACHE)
        if own and ".." not in parts.path.split("/"):
            return self._headers
        if is_cdn(url):
            return {}
        raise InconclusiveError(f"The service redirects to {parts.netloc[:200]}, which is not followed.")

    def _tree(self, pinned: Pinned) -> Iterator[_Entry]:
        folder = f"/{places.quoted(pinned.path.encode())}" if pinned.path else ""
        start = f"{self._url}/api/{pinned.kind}/{pinned.repository}/tree/{pinned.commit}{folder}"
        url, seen = f"{start}?recursive=true", set[str]()
        while url:
            seen.add(url)
            with self._web.answer("GET", url, self._headers) as answer:
                if answer.status != 200:
                    self.refuse(answer, pinned)
                link = _NEXT.search(answer.headers.get("Link", ""))
                content = web.whole(answer)
            try:
                yield from (each for each in _TREE.decode(content) if each.type == "file")
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise InconclusiveError("The listing is not one of Hugging Face.") from error
            url = link[1] if link else ""
            if url and (url in seen or not url.startswith(f"{start}?")):
                raise InconclusiveError("A listing goes on in a circle, or elsewhere.")

    def _pinned(self, location: str) -> Pinned:
        kind, repository, rest = self._taken(places.place(location), location)
        name, _, commit = repository.partition("@")
        if (kind, name) != (self._kind, self._repository):
            raise InconclusiveError(f"{location} is not in this storage.")
        if not _COMMIT.fullmatch(commit):
            raise InconclusiveError(f"{location} is not pinned to a commit of 40 hex digits.")
        return Pinned(kind, name, commit, rest)

    def _taken(self, found: places.Place, location: str) -> tuple[str, str, str]:
        """Kind, `owner/name` with its commit, path."""
        parts = [found.authority, *map(places.text, found.segments)]
        kind = parts.pop(0) if parts[0] in _KINDS else "models"
        if (
            found.scheme != "hf"
            or len(parts) < 2
            or not all(_NAME.fullmatch(part.partition("@")[0]) for part in parts[:2])
        ):
            raise InconclusiveError(f"{location} names no repository of Hugging Face.")
        return kind, "/".join(parts[:2]), "/".join(parts[2:])


class _File:
    """One file at a commit."""

    fixed = True
    atomic = True

    def __init__(self, service: HuggingFace, pinned: Pinned) -> None:
        self._service = service
        self._pinned = pinned
        self.name = pinned.name

    def version(self, answer: BaseHTTPResponse) -> Version:
        return Version(version_of(answer).size)

    def head(self) -> Version:
        answer = self._service.ask("HEAD", self._pinned, {})
        try:
            if answer.status not in {200, *_REDIRECTS}:
                self._service.refuse(answer, self._pinned)
            if answer.headers.get("X-Repo-Commit", self._pinned.commit) != self._pinned.commit:
                raise InconclusiveError(f"The service answers for another commit than {self._pinned.commit}.")
            told = answer.headers.get("X-Linked-Size", "")
            if re.fullmatch(r"[0-9]{1,19}", told, re.ASCII):
                return Version(int(told))
        finally:
            leave(answer)
        if answer.status == 200:
            return self.version(answer)
        answer = self._service.followed("HEAD", self._pinned, {})
        leave(answer)
        return self.version(answer)

    def get(self, headers: Mapping[str, str]) -> BaseHTTPResponse:
        return self._service.followed("GET", self._pinned, headers)


def is_cdn(url: str) -> bool:
    """Whether a file of the service may lie there."""
    parts = urlsplit(url)
    return parts.scheme == "https" and bool(_CDN.fullmatch(parts.netloc))


def _opened(pinned: Pinned) -> str:
    return f"{pinned.commit}/{pinned.path}"


HUGGING_FACE = Scheme(
    kind="huggingface",
    title="Hugging Face",
    schemes=("hf",),
    open=HuggingFace,
    needs=("uri", "endpoint", "token", "ca_pem"),
)
