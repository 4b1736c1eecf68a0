"""Files of a web server, under one address. It has no listings, so a folder there can't be checked.

Owns: whom our credentials go to, redirects. Does not own: reading by ranges (`ranged`).
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urljoin

from urllib3.response import BaseHTTPResponse

from lineage.artifacts.reading import ByteSource
from lineage.artifacts.storage import places, web
from lineage.artifacts.storage.base import Access, GoneError, Item, Scheme, Storage
from lineage.artifacts.storage.places import Place
from lineage.artifacts.storage.ranged import RangedBytes, Version, version_of
from lineage.artifacts.storage.web import Web
from lineage.errors import InconclusiveError
from lineage.net.sockets import leave

MAX_REDIRECTS = 3
_NO_HEAD = (400, 403, 405, 501)
"""How servers say that they answer no HEAD, while they may answer GET."""


class Website(Storage):
    """Files under `access.uri`. A redirect is followed only to what lies under it too."""

    def __init__(self, access: Access) -> None:
        self._base = places.place(access.uri)
        self._web = Web.of(access)
        self._headers: dict[str, str] = {}
        if token := access.token or ("" if access.username else access.secret):
            self._headers["Authorization"] = web.bearer(token)
        elif access.username:
            self._headers["Authorization"] = web.basic(access.username, access.secret)

    def probe(self) -> None:
        """The server answers and takes our credentials; whether it shows the folder does not matter."""
        url = self._url(Place(self._base.scheme, self._base.authority, (), folder=True))
        with self._web.answer("HEAD", url, self._headers) as answer:
            if answer.status == 401:
                web.refuse(answer, url)
            if answer.status >= 500 and answer.status not in _NO_HEAD:
                raise GoneError(f"The server fails (HTTP {answer.status}).")

    def item(self, location: str) -> Item:
        url = self._url(self._file(location))
        return Item(b"", _File(self, url).head().size, url)

    def items(self, location: str) -> list[Item]:
        places.under(self._base, location)
        raise _no_listing(location)

    def open(self, item: Item) -> ByteSource:
        self._inside(item.opened)
        return RangedBytes(_File(self, item.opened), item.size)

    def close(self) -> None:
        self._web.close()

    def ask(self, method: str, url: str, headers: Mapping[str, str]) -> BaseHTTPResponse:
        """The answer, after redirects that stay inside; the caller has to leave it."""
        for _ in range(MAX_REDIRECTS + 1):
            answer = self._web.ask(method, url, {**self._headers, **headers})
            target = answer.headers.get("Location", "")
            if answer.status not in {301, 302, 303, 307, 308} or not target:
                return answer
            leave(answer)
            url = self._inside(urljoin(url, target))
        raise InconclusiveError(f"{url} redirects again and again.")

    def _file(self, location: str) -> Place:
        found = places.under(self._base, location)
        if found.folder:
            raise _no_listing(location)
        return found

    def _inside(self, url: str) -> str:
        try:
            return self._url(self._file(url))
        except InconclusiveError as error:
            raise InconclusiveError(f"The server redirects to {url[:200]}, out of the storage.") from error

    def _url(self, found: Place) -> str:
        path = places.quoted(b"/".join((*self._base.segments, *found.segments)))
        slash = "/" if found.folder and path else ""
        return f"{self._base.scheme}://{self._base.authority}/{path}{slash}"


class _File:
    """One file at its address."""

    fixed = False
    atomic = False

    def __init__(self, site: Website, url: str) -> None:
        self._site = site
        self._url = url
        self.name = url

    def version(self, answer: BaseHTTPResponse) -> Version:
        return version_of(answer)

    def head(self) -> Version:
        answer = self._site.ask("HEAD", self._url, {})
        if answer.status in _NO_HEAD or (answer.status == 200 and version_of(answer).size is None):
            leave(answer)
            answer = self._site.ask("GET", self._url, {"Range": "bytes=0-0"})
        try:
            if answer.status not in {200, 206, 416}:
                web.refuse(answer, self.name)
            return version_of(answer)
        finally:
            leave(answer)

    def get(self, headers: Mapping[str, str]) -> BaseHTTPResponse:
        answer = self._site.ask("GET", self._url, headers)
        if answer.status in {200, 206, 412, 416}:
            return answer
        try:
            web.refuse(answer, self.name)
        finally:
            leave(answer)


def _no_listing(location: str) -> InconclusiveError:
    return InconclusiveError(f"{location} is a folder, and a web server has no listing to check it by.")


HTTP = Scheme(
    "http", "Web server", ("https", "http"), Website, ("uri", "username", "secret", "token", "ca_pem")
)
