"""Google Cloud Storage, by its JSON API.

Owns: addresses, listings, generations. Tokens of service accounts are google-auth's, over our connections.
Source: Cloud Storage JSON API v1, Objects: get, list; "Transcoding of gzip-compressed files".
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import msgspec
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from lineage.artifacts.storage import web
from lineage.artifacts.storage.base import Access, GoneError, MissingError, Scheme
from lineage.artifacts.storage.objects import Bucket, Listed
from lineage.artifacts.storage.ranged import Version, version_of
from lineage.errors import InconclusiveError
from lineage.net.errors import RefusedAddressError
from lineage.net.sockets import leave

ENDPOINT = "https://storage.googleapis.com"
SCOPE = "https://www.googleapis.com/auth/devstorage.read_only"
MAX_RESOURCE_BYTES = 1 << 20


class _Resource(msgspec.Struct, frozen=True):
    name: str
    size: str
    generation: str


class _Page(msgspec.Struct, frozen=True):
    items: list[_Resource] = []
    nextPageToken: str = ""  # noqa: N815 Google's name


_T = TypeVar("_T", _Resource, _Page)


class Gcs(Bucket):
    """`secret`: a service account's JSON key; or `token`: an access token; none: anonymous."""

    def __init__(self, access: Access) -> None:
        super().__init__(access)
        endpoint = web.endpoint(access) if access.endpoint else ENDPOINT
        self._url = f"{endpoint}/storage/v1/b/{quote(self.bucket, safe='')}/o"
        self._token = access.token
        self._account: Any = _account(access.secret, endpoint) if access.secret else None
        self._lock = threading.Lock()

    def remote(self, key: str, mark: str) -> _Object:
        return _Object(self, key, mark)

    def pages(self, prefix: str, most: int) -> Iterator[list[Listed]]:
        token = ""
        while True:
            query = {"prefix": prefix, "maxResults": str(most)} | ({"pageToken": token} if token else {})
            with self.web.answer("GET", f"{self._url}?{urlencode(query)}", self._headers()) as answer:
                if answer.status in {401, 403, 404}:
                    raise GoneError(
                        f"The bucket {self.bucket} does not let us list it (HTTP {answer.status}).",
                        hint="It has to be there, and the credentials need storage.objects.list and .get.",
                    )
                if answer.status != 200:
                    web.refuse(answer, f"The listing of {self.bucket}")
                page = _decoded(web.whole(answer), _Page)
            yield [Listed(each.name, _size(each), _generation(each)) for each in page.items]
            before, token = token, page.nextPageToken
            if not token:
                return
            if token == before:
                raise InconclusiveError("A listing goes on in a circle.")

    def ask(self, key: str, query: Mapping[str, str], headers: Mapping[str, str]) -> BaseHTTPResponse:
        url = f"{self._url}/{quote(key, safe='')}?{urlencode(query)}"
        # Without this word what is stored compressed would be unfolded on the way.
        sent = {**headers, "Accept-Encoding": "gzip", **self._headers()}
        return self.accept(self.web.ask("GET", url, sent), f"gs://{self.bucket}/{key}")

    def _headers(self) -> dict[str, str]:
        if self._account is not None:
            return {"Authorization": web.bearer(self._signed_in())}
        return {"Authorization": web.bearer(self._token)} if self._token else {}

    def _signed_in(self) -> str:
        """A token that is still good. Raises: GoneError."""
        from google.auth.exceptions import GoogleAuthError
        from google.auth.transport.urllib3 import Request

        with self._lock:
            if not self._account.valid:
                try:
                    self._account.refresh(Request(self.web.pool))  # type: ignore[no-untyped-call]
                except (GoogleAuthError, HTTPError, RefusedAddressError, ValueError) as error:
                    raise GoneError("Google does not sign the service account in.") from error
            return str(self._account.token)


class _Object:
    """One generation of one object. `mark`: which, once it is known."""

    fixed = False
    atomic = True

    def __init__(self, store: Gcs, key: str, mark: str) -> None:
        self._store = store
        self._key = key
        self.mark = mark
        self.name = f"gs://{store.bucket}/{key}"

    def version(self, answer: BaseHTTPResponse) -> Version:
        return Version(version_of(answer).size, f'"{answer.headers.get("x-goog-generation") or self.mark}"')

    def head(self) -> Version:
        answer = self._store.ask(self._key, {"fields": "name,size,generation"}, {})
        try:
            found = _decoded(web.whole(answer, MAX_RESOURCE_BYTES), _Resource)
        finally:
            leave(answer)
        self.mark = self.mark or _generation(found)
        return Version(_size(found), f'"{_generation(found)}"')

    def get(self, headers: Mapping[str, str]) -> BaseHTTPResponse:
        sent = {name: value for name, value in headers.items() if name == "Range"}
        query = {"alt": "media"} | ({"generation": self.mark} if self.mark else {})
        try:
            return self._store.ask(self._key, query, sent)
        except MissingError as error:
            raise MissingError(f"{self.name} is not there any more as it was when we looked.") from error


def _account(key: str, endpoint: str) -> Any:
    """`endpoint`: without TLS there, its token service may be so too.

    Raises: GoneError for what is no service account's key.
    """
    from google.auth.exceptions import GoogleAuthError
    from google.oauth2.service_account import Credentials

    try:
        told = msgspec.json.decode(key.encode(), type=dict[str, Any])
        if urlsplit(str(told["token_uri"])).scheme not in {"https", urlsplit(endpoint).scheme}:
            raise ValueError("no address of a token service")
        return Credentials.from_service_account_info(told, scopes=[SCOPE])  # type: ignore[no-untyped-call]
    except (msgspec.DecodeError, RecursionError, GoogleAuthError, ValueError, TypeError, KeyError) as error:
        raise GoneError("The storage's secret is no JSON key of a Google service account.") from error


def _decoded(content: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InconclusiveError("The server's answer is not what Google's would be.") from error


def _size(found: _Resource) -> int:
    if not re.fullmatch(r"[0-9]{1,19}", found.size, re.ASCII):
        raise InconclusiveError("A listing gives a size that is none.")
    return int(found.size)


def _generation(found: _Resource) -> str:
    if not re.fullmatch(r"[0-9]{1,20}", found.generation, re.ASCII):
        raise InconclusiveError("A listing gives a generation that is none.")
    return found.generation


GCS = Scheme(
    kind="gcs",
    title="Google Cloud Storage",
    schemes=("gs",),
    open=Gcs,
    needs=("uri", "endpoint", "secret", "token", "ca_pem"),
)
