"""OCI registries: manifests, indexes, blobs; layers of images and what ORAS pushes.

Owns: addresses, from a manifest to the files that it stands for. Does not own: signing in (`oci_access`).
Locations: `oci://host[:port]/repository@sha256:…` (a blob or manifest), `…:tag` (a manifest). As a folder, a
manifest stands for its layers by their titles, where all have one, as `oras pull` writes them; else, with
everything that it names, for `blobs/<algorithm>/<hex>`, as an OCI image layout has them.
Source: OCI Distribution Specification 1.1; OCI Image Specification 1.1, manifest, index, layout.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

import msgspec
from urllib3.response import BaseHTTPResponse

from lineage.artifacts.reading import ByteSource, MemoryBytes
from lineage.artifacts.storage import places, web
from lineage.artifacts.storage.base import Access, GoneError, Item, MissingError, Scheme, Storage
from lineage.artifacts.storage.oci_access import Entrance
from lineage.artifacts.storage.ranged import RangedBytes, Version, version_of
from lineage.artifacts.storage.web import Web
from lineage.errors import InconclusiveError
from lineage.net.sockets import leave

MAX_MANIFEST_BYTES = 4 << 20
"""What registries have to take at least, and few take more."""
MAX_MANIFESTS = 1000
"""In an index and those that it names."""
MAX_REDIRECTS = 3
TITLE = "org.opencontainers.image.title"
UNPACK = "io.deis.oras.content.unpack"
ACCEPT = ", ".join(
    [
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.artifact.manifest.v1+json",
    ]
)
_REPOSITORY = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*", re.ASCII)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", re.ASCII)
_DIGEST = re.compile(r"(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Named:
    """Something in a repository: by digest, or by tag."""

    repository: str
    reference: str

    @property
    def is_digest(self) -> bool:
        return ":" in self.reference


class _Descriptor(msgspec.Struct, frozen=True):
    digest: str
    size: int
    annotations: dict[str, Any] | None = None


class _Manifest(msgspec.Struct, frozen=True):
    config: _Descriptor | None = None
    layers: list[_Descriptor] | None = None
    blobs: list[_Descriptor] | None = None
    manifests: list[_Descriptor] | None = None


_MANIFEST = msgspec.json.Decoder(_Manifest)


class Registry(Storage):
    """Repositories of one registry, those under `access.uri`."""

    def __init__(self, access: Access) -> None:
        self._base = places.place(access.uri)
        self._url = f"{'http' if access.insecure_http else 'https'}://{self._base.authority}/v2"
        self._web = Web.of(access)
        self._elsewhere = Web((), access.ca_pem)
        self._entrance = Entrance(access, self._url, self._web)

    def probe(self) -> None:
        answer = self._entrance.ask("GET", f"{self._url}/", {}, "")
        try:
            if answer.status != 200:
                raise web.gone(answer, "The registry")
        finally:
            leave(answer)

    def item(self, location: str) -> Item:
        named = self._named(location)
        if named.is_digest:
            try:
                size = _Blob(self, named).head().size
                return Item(b"", size, f"blobs {named.repository} {named.reference}")
            except MissingError:  # then it is a manifest, or nothing
                pass
        content = self._manifest(named)
        digest = named.reference if named.is_digest else f"sha256:{hashlib.sha256(content).hexdigest()}"
        return Item(b"", len(content), f"manifests {named.repository} {digest}")

    def items(self, location: str) -> list[Item]:
        named = self._named(location)
        content = self._manifest(named)
        manifest = _parsed(content, location)
        titled = manifest.layers if not manifest.manifests else None
        if titled and all(_title(layer) for layer in titled):
            found = [_blob(named.repository, layer, _title(layer)) for layer in titled]
        else:
            found = self._everything(named, content)
        places.within_limit(len(found))
        return places.in_order(found)

    def open(self, item: Item) -> ByteSource:
        kind, repository, reference = item.opened.split(" ")
        named = self._named(f"oci://{self._base.authority}/{repository}@{reference}")
        if kind == "manifests":
            return MemoryBytes(self._manifest(named))
        return RangedBytes(_Blob(self, named), item.size)

    def close(self) -> None:
        self._web.close()
        self._elsewhere.close()

    def ask(self, method: str, kind: str, named: Named, headers: Mapping[str, str]) -> BaseHTTPResponse:
        """The answer for a blob or manifest; whoever asked has to leave it."""
        url = f"{self._url}/{named.repository}/{kind}/{named.reference}"
        answer = self._entrance.ask(method, url, headers, f"repository:{named.repository}:pull")
        if answer.status in {301, 302, 303, 307, 308} and kind == "blobs":
            answer = self._followed(method, url, headers, answer)
        if answer.status in {200, 206, 412, 416}:
            return answer
        leave(answer)
        if answer.status == 401:
            self.probe()  # is it the registry that refuses us, or this repository?
            raise InconclusiveError(f"The registry does not let us read {named.repository} (HTTP 401).")
        web.refuse(answer, f"{named.repository}@{named.reference}")

    def _followed(
        self, method: str, url: str, headers: Mapping[str, str], answer: BaseHTTPResponse
    ) -> BaseHTTPResponse:
        """Registries keep blobs elsewhere: at public addresses, over TLS, and without our credentials."""
        for _ in range(MAX_REDIRECTS):
            target = answer.headers.get("Location", "")
            leave(answer)
            url = urljoin(url, target)
            if not target or urlsplit(url).scheme != "https":
                raise InconclusiveError("The registry redirects to an address that is not followed.")
            try:
                answer = self._elsewhere.ask(method, url, headers)
            except GoneError as error:  # one blob's place is not the registry
                raise InconclusiveError(f"Where the registry keeps it: {error.message}") from error
            if answer.status not in {301, 302, 303, 307, 308}:
                return answer
        leave(answer)
        raise InconclusiveError("The registry redirects again and again.")

    def _named(self, location: str) -> Named:
        found = places.place(location)
        segments = [places.text(segment) for segment in found.segments]
        last, mark, reference = segments[-1].partition("@") if segments else ("", "", "")
        if not mark:
            last, mark, reference = last.partition(":")
        repository = [*segments[:-1], last]
        good = _DIGEST if mark == "@" else _TAG
        if found.folder or not good.fullmatch(reference) or not all(map(_REPOSITORY.fullmatch, repository)):
            raise InconclusiveError(f"{location} names no digest and no tag in a registry.")
        named = Named("/".join(repository), reference)
        places.under(self._base, f"{found.scheme}://{found.authority}/{named.repository}")
        return named

    def _manifest(self, named: Named) -> bytes:
        answer = self.ask("GET", "manifests", named, {"Accept": ACCEPT})
        try:
            return web.whole(answer, MAX_MANIFEST_BYTES)
        finally:
            leave(answer)

    def _everything(self, named: Named, content: bytes) -> list[Item]:
        """A manifest and all that it names, each once, by digest."""
        first = named.reference if named.is_digest else f"sha256:{hashlib.sha256(content).hexdigest()}"
        found: dict[str, Item] = {}
        pending = {first: content}
        while pending:
            digest, content = pending.popitem()
            self._expect(digest, content)
            found[digest] = Item(_path(digest), len(content), f"manifests {named.repository} {digest}")
            manifest = _parsed(content, digest)
            config = (manifest.config,) if manifest.config else ()
            for part in (*(manifest.layers or ()), *(manifest.blobs or ()), *config):
                found.setdefault(part.digest, _blob(named.repository, part, ""))
            for inner in manifest.manifests or ():
                _blob(named.repository, inner, "")  # its digest is one
                if inner.digest not in found and inner.digest not in pending:
                    if len(pending) + len(found) > MAX_MANIFESTS:
                        raise InconclusiveError(f"An index names more than {MAX_MANIFESTS:,} manifests.")
                    pending[inner.digest] = self._manifest(Named(named.repository, inner.digest))
            places.within_limit(len(found))
        return list(found.values())

    def _expect(self, digest: str, content: bytes) -> None:
        algorithm, _, told = digest.partition(":")
        if hashlib.new(algorithm, content).hexdigest() != told:
            raise InconclusiveError(
                f"The registry gives other bytes for the manifest {digest} than that digest's, so what it "
                "consists of is not known."
            )


class _Blob:
    """One blob. Its address is its digest."""

    fixed = True
    atomic = True

    def __init__(self, registry: Registry, named: Named) -> None:
        self._registry = registry
        self._named = named
        self.name = f"{named.repository}@{named.reference}"

    def version(self, answer: BaseHTTPResponse) -> Version:
        return Version(version_of(answer).size)

    def head(self) -> Version:
        answer = self._registry.ask("HEAD", "blobs", self._named, {})
        leave(answer)
        return self.version(answer)

    def get(self, headers: Mapping[str, str]) -> BaseHTTPResponse:
        return self._registry.ask("GET", "blobs", self._named, headers)


def _parsed(content: bytes, name: str) -> _Manifest:
    try:
        return _MANIFEST.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InconclusiveError(f"{name} is no manifest, so it stands for no folder.") from None


def _title(layer: _Descriptor) -> str:
    """What ORAS calls the file; none for a folder, which it packs."""
    told = layer.annotations or {}
    title = told.get(TITLE)
    return title if isinstance(title, str) and told.get(UNPACK) != "true" else ""


def _blob(repository: str, descriptor: _Descriptor, title: str) -> Item:
    if not _DIGEST.fullmatch(descriptor.digest) or descriptor.size < 0:
        raise InconclusiveError("A manifest names something without a digest and a size.")
    path = places.listed(title.encode("utf-8", "surrogatepass")) if title else _path(descriptor.digest)
    return Item(path, descriptor.size, f"blobs {repository} {descriptor.digest}")


def _path(digest: str) -> bytes:
    """Source: OCI Image Layout Specification, blobs."""
    return b"blobs/" + digest.replace(":", "/").encode()


OCI = Scheme(
    kind="oci",
    title="OCI registry",
    schemes=("oci",),
    open=Registry,
    needs=("uri", "endpoint", "username", "secret", "token", "ca_pem", "insecure_http"),
)
