"""Azure Blob Storage, by its REST API.

Owns: addresses, listings, signatures by an account's key. Does not own: signing in with Entra ID, whose
tokens somebody else gets; a token that is configured is used as it is.
Locations: `az://container/path`, of the account that is the storage's user name.
Source: Azure Storage REST API: Authorize with Shared Key, List Blobs, Get Blob.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping
from email.utils import formatdate
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from urllib3.response import BaseHTTPResponse

from lineage.artifacts.storage import places, web
from lineage.artifacts.storage.base import Access, GoneError, Scheme
from lineage.artifacts.storage.objects import Bucket, BucketObject, Listed
from lineage.errors import InconclusiveError
from lineage.net.sockets import leave

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

VERSION = "2023-11-03"
_ACCOUNT = re.compile(r"[a-z0-9]{3,24}", re.ASCII)
_SIGNED = (
    *("content-encoding", "content-language", "content-length", "content-md5", "content-type", "date"),
    *("if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range"),
)


class Azure(Bucket):
    """`username`: the account; `secret`: its key; or `token`: a shared access signature or a bearer token."""

    def __init__(self, access: Access) -> None:
        super().__init__(access)
        self._account = access.username
        if not _ACCOUNT.fullmatch(self._account):
            raise GoneError("The storage's user name is no name of an Azure storage account.")
        endpoint = (
            web.endpoint(access) if access.endpoint else f"https://{self._account}.blob.core.windows.net"
        )
        self._url = f"{endpoint}/{quote(self.bucket, safe='$')}"
        self._secret = _secret(access.secret)
        signed = "sig=" in access.token
        self._query = parse_qsl(access.token.lstrip("?")) if signed else []
        self._bearer = "" if signed or not access.token else web.bearer(access.token)

    def remote(self, key: str, mark: str) -> _Blob:
        return _Blob(self, f"az://{self.bucket}/{key}", key)

    def pages(self, prefix: str, most: int) -> Iterator[list[Listed]]:
        marker = ""
        while True:
            query = {"comp": "list", "maxresults": str(most), "prefix": prefix, "restype": "container"}
            found = self._listing(query | ({"marker": marker} if marker else {}))
            yield [listed for each in found.findall("Blobs/Blob") if (listed := _listed(each))]
            before, marker = marker, found.findtext("NextMarker") or ""
            if not marker:
                return
            if marker == before:
                raise InconclusiveError("A listing goes on in a circle.")

    def ask(self, method: str, key: str, headers: Mapping[str, str]) -> BaseHTTPResponse:
        answer = self._answer(method, f"{self._url}/{places.quoted(key.encode())}", {}, headers)
        return self.accept(answer, f"az://{self.bucket}/{key}")

    def _listing(self, query: Mapping[str, str]) -> Element:
        answer = self._answer("GET", self._url, query, {})
        try:
            if answer.status in {401, 403, 404}:
                raise GoneError(
                    f"The container {self.bucket} does not let us list it (HTTP {answer.status}).",
                    hint="It has to be there, and the credentials need to read and to list.",
                )
            if answer.status != 200:
                web.refuse(answer, f"The listing of {self.bucket}")
            return web.xml(web.whole(answer))
        finally:
            leave(answer)

    def _answer(
        self, method: str, url: str, query: Mapping[str, str], headers: Mapping[str, str]
    ) -> BaseHTTPResponse:
        asked = urlencode([*query.items(), *self._query], quote_via=quote)
        target = f"{url}?{asked}" if asked else url
        sent = {**headers, "x-ms-date": formatdate(usegmt=True), "x-ms-version": VERSION}
        if self._secret:
            sent["Authorization"] = f"SharedKey {self._account}:{self._signature(method, target, sent)}"
        elif self._bearer:
            sent["Authorization"] = self._bearer
        return self.web.ask(method, target, sent)

    def _signature(self, method: str, url: str, headers: Mapping[str, str]) -> str:
        parts = urlsplit(url)
        low = {name.lower(): value for name, value in headers.items()}
        own = [f"{name}:{low[name]}" for name in sorted(low) if name.startswith("x-ms-")]
        query = [
            f"{name.lower()}:{value}"
            for name, value in sorted(parse_qsl(parts.query, keep_blank_values=True))
        ]
        lines = [
            method,
            *(low.get(name, "") for name in _SIGNED),
            *own,
            f"/{self._account}{parts.path}",
            *query,
        ]
        made = hmac.new(self._secret, "\n".join(lines).encode(), hashlib.sha256)
        return base64.b64encode(made.digest()).decode()


class _Blob(BucketObject):
    def get(self, headers: Mapping[str, str]) -> BaseHTTPResponse:
        # As the service's own clients ask, whose signature has no other range.
        return super().get(
            {"x-ms-range" if name == "Range" else name: value for name, value in headers.items()}
        )


def _secret(text: str) -> bytes:
    """Raises: GoneError for what is no key."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise GoneError("The storage's secret is no key of an Azure storage account.") from error


def _listed(blob: Element) -> Listed | None:
    """None for a folder of a hierarchical namespace."""
    if blob.findtext("Properties/ResourceType") == "directory":
        return None
    name, size = blob.find("Name"), blob.findtext("Properties/Content-Length") or ""
    if name is None or not name.text or not re.fullmatch(r"[0-9]{1,19}", size, re.ASCII):
        raise InconclusiveError("A listing gives no name, or a size that is none.")
    # What XML can't have is percent-encoded, and said to be.
    encoded = name.get("Encoded") == "true"
    return Listed(unquote(name.text, errors="surrogateescape") if encoded else name.text, int(size))


AZURE = Scheme(
    kind="azure",
    title="Azure Blob Storage",
    schemes=("az",),
    open=Azure,
    needs=("uri", "endpoint", "username", "secret", "token", "ca_pem"),
)
