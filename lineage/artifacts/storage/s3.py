"""Amazon S3, and what speaks like it.

Owns: addresses, listings, and what S3's errors mean. Signatures are botocore's; connections are ours
(`web`), since botocore's own would neither look at addresses nor tell of a cut.
Source: Amazon S3 API Reference, GetObject, HeadObject, ListObjectsV2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote_plus

from urllib3.response import BaseHTTPResponse

from lineage.artifacts.storage import places, web
from lineage.artifacts.storage.base import Access, GoneError, Scheme
from lineage.artifacts.storage.objects import Bucket, BucketObject, Listed
from lineage.errors import InconclusiveError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

REGION = "us-east-1"
"""Where none is named: what services beside Amazon's own go by."""
MAX_ERROR_BYTES = 1 << 16
_HOSTED = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", re.ASCII)
"""Buckets that may stand in a host's name without breaking its certificate."""


class S3Bucket(Bucket):
    """`username`: the access key id, `secret`: the secret key, `token`: of a session; none: anonymous."""

    def __init__(self, access: Access) -> None:
        super().__init__(access)
        self._region = access.region or REGION
        self._credentials = (access.username, access.secret, access.token or None)
        self._url = self._address(access)

    def remote(self, key: str, mark: str) -> BucketObject:
        return BucketObject(self, f"s3://{self.bucket}/{key}", key)

    def pages(self, prefix: str, most: int) -> Iterator[list[Listed]]:
        token = ""
        while True:
            query = {"encoding-type": "url", "list-type": "2", "max-keys": str(most), "prefix": prefix}
            if token:
                query["continuation-token"] = token
            asked = "&".join(f"{name}={quote(value, safe='')}" for name, value in sorted(query.items()))
            found = web.xml(self._document(f"{self._url}/?{asked}"))
            yield [_listed(each) for each in found.findall("{*}Contents")]
            before, token = token, _text(found, "NextContinuationToken")
            if _text(found, "IsTruncated") != "true":
                return
            if not token or token == before:
                raise InconclusiveError("A listing says that it goes on, and not where.")

    def ask(self, method: str, key: str, headers: Mapping[str, str]) -> BaseHTTPResponse:
        url = f"{self._url}/{places.quoted(key.encode())}"
        return self.accept(
            self.web.ask(method, url, self._signed(method, url, headers)), f"s3://{self.bucket}/{key}"
        )

    def _document(self, url: str) -> bytes:
        with self.web.answer("GET", url, self._signed("GET", url, {})) as answer:
            if answer.status == 200:
                return web.whole(answer)
            region = answer.headers.get("x-amz-bucket-region", "")
            if answer.status in {301, 307, 400} and region not in {"", self._region}:
                raise GoneError(f"The bucket {self.bucket} is in the region {region[:40]}.")
            if answer.status not in {400, 401, 403, 404}:
                web.refuse(answer, f"The listing of {self.bucket}")
            raise GoneError(
                f"The bucket {self.bucket} does not let us list it (HTTP {answer.status} {_code(answer)}).",
                hint="It has to be there, and the credentials need s3:ListBucket and s3:GetObject.",
            )

    def _signed(self, method: str, url: str, headers: Mapping[str, str]) -> dict[str, str]:
        name, secret, token = self._credentials
        if not name:
            return dict(headers)
        from botocore.auth import S3SigV4Auth  # type: ignore[import-untyped]
        from botocore.awsrequest import AWSRequest  # type: ignore[import-untyped]
        from botocore.credentials import Credentials  # type: ignore[import-untyped]

        request = AWSRequest(method=method, url=url, headers=dict(headers))
        S3SigV4Auth(Credentials(name, secret, token), "s3", self._region).add_auth(request)
        return dict(request.headers.items())

    def _address(self, access: Access) -> str:
        if access.endpoint:
            return f"{web.endpoint(access)}/{quote(self.bucket, safe='')}"
        domain = f"s3.{self._region}.amazonaws.com" + (".cn" if self._region.startswith("cn-") else "")
        if _HOSTED.fullmatch(self.bucket):
            return f"https://{self.bucket}.{domain}"
        return f"https://{domain}/{quote(self.bucket, safe='')}"


def _text(element: Element, name: str) -> str:
    return element.findtext(f"{{*}}{name}") or ""


def _listed(element: Element) -> Listed:
    size = _text(element, "Size")
    if not re.fullmatch(r"[0-9]{1,19}", size, re.ASCII):
        raise InconclusiveError("A listing gives a size that is none.")
    return Listed(unquote_plus(_text(element, "Key"), errors="surrogateescape"), int(size))


def _code(answer: BaseHTTPResponse) -> str:
    """S3's own word for what is wrong, such as `NoSuchBucket`."""
    try:
        found = _text(web.xml(web.whole(answer, MAX_ERROR_BYTES)), "Code")
    except InconclusiveError:
        return ""
    return found if re.fullmatch(r"[A-Za-z.]{1,60}", found, re.ASCII) else ""


S3 = Scheme(
    "s3",
    "Amazon S3 and compatible",
    ("s3",),
    S3Bucket,
    ("uri", "endpoint", "region", "username", "secret", "token", "ca_pem"),
)
