"""A real OCI registry, Debian's `docker-registry`, and a small client that pushes to it over HTTP."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3

from lineage.errors import UnavailableError
from lineage.localservices.service import (
    CALL_SECONDS,
    LOOPBACK,
    Launch,
    LocalService,
    write_private,
)

USER, PASSWORD = "reader", "open sesame"
_HTPASSWD = f"{USER}:$2b$05$abcdefghijklmnopqrstuupx2xBUC4954936wVIjyyPHmUBFu0wCW\n"
"""bcrypt, which is all that the registry takes."""
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


class Registry(LocalService):
    """`auth`: lines of its configuration; `htpasswd` for one user with a password."""

    name = "docker-registry"

    def __init__(self, directory: Path, auth: str = "") -> None:
        super().__init__(directory)
        self._auth = auth

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def _password_file(self) -> Path:
        return self.directory / "htpasswd"

    def _prepare(self) -> None:
        program()
        write_private(self._password_file, _HTPASSWD)
        self._password_file.chmod(0o644)

    @contextmanager
    def _launch(self) -> Iterator[Launch]:
        auth = self._auth
        if auth == "htpasswd":
            auth = f"auth:\n  htpasswd:\n    realm: here\n    path: {self._password_file}\n"
        write_private(
            self.directory / "config.yml",
            "version: 0.1\nlog:\n  level: warn\n  accesslog:\n    disabled: true\n"
            f"storage:\n  filesystem:\n    rootdirectory: {self.directory / 'blobs'}\n"
            f"http:\n  addr: {LOOPBACK}:{self.port}\n  secret: x\n{auth}",
        )
        environment = {"OTEL_TRACES_EXPORTER": "none"}
        yield Launch([program(), "serve", str(self.directory / "config.yml")], environment=environment)

    def _answers(self) -> bool:
        try:
            with urllib3.PoolManager(retries=False, timeout=CALL_SECONDS) as http:
                return http.request("GET", f"{self.url}/v2/").status in {200, 401}
        except urllib3.exceptions.HTTPError:
            return False


def program() -> str:
    """The path of docker-registry. Raises UnavailableError where it is not installed."""
    found = shutil.which("docker-registry")
    if not found:
        raise UnavailableError(
            "docker-registry is not installed.", hint="Debian: apt-get install docker-registry"
        )
    return found


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@dataclass
class Pushing:
    """Pushes to one repository, as any client does."""

    url: str
    repository: str
    headers: dict[str, str] = field(default_factory=dict)
    http: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(retries=False, timeout=60))

    def blob(self, content: bytes) -> dict[str, Any]:
        """Its descriptor."""
        begun = self.http.request(
            "POST", f"{self.url}/v2/{self.repository}/blobs/uploads/", headers=self.headers
        )
        assert begun.status == 202, begun.data
        address = begun.headers["Location"]
        joined = f"{address}{'&' if '?' in address else '?'}{urlencode({'digest': digest(content)})}"
        done = self.http.request(
            "PUT", joined, body=content, headers={**self.headers, "Content-Type": "application/octet-stream"}
        )
        assert done.status == 201, done.data
        return {"mediaType": "application/octet-stream", "digest": digest(content), "size": len(content)}

    def manifest(self, document: dict[str, Any], tag: str = "") -> dict[str, Any]:
        """Its descriptor."""
        content = json.dumps(document).encode()
        address = f"{self.url}/v2/{self.repository}/manifests/{tag or digest(content)}"
        kind = document["mediaType"]
        done = self.http.request("PUT", address, body=content, headers={**self.headers, "Content-Type": kind})
        assert done.status == 201, done.data
        return {"mediaType": kind, "digest": digest(content), "size": len(content)}

    def image(self, layers: list[bytes], tag: str = "") -> dict[str, Any]:
        """An image's manifest; its layers have no titles."""
        return self.manifest(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": {
                    **self.blob(b'{"architecture": "amd64"}'),
                    "mediaType": "application/vnd.oci.image.config.v1+json",
                },
                "layers": [
                    {**self.blob(each), "mediaType": "application/vnd.oci.image.layer.v1.tar"}
                    for each in layers
                ],
            },
            tag,
        )

    def files(self, files: dict[str, bytes], tag: str = "", unpack: str = "") -> dict[str, Any]:
        """What `oras push` makes: a layer for each file, with its name as title."""

        def layer(title: str, content: bytes) -> dict[str, Any]:
            told = {"org.opencontainers.image.title": title}
            if title == unpack:
                told["io.deis.oras.content.unpack"] = "true"
            return {**self.blob(content), "annotations": told}

        return self.manifest(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "artifactType": "application/vnd.example.model",
                "config": {**self.blob(b"{}"), "mediaType": "application/vnd.oci.empty.v1+json"},
                "layers": [layer(title, content) for title, content in files.items()],
            },
            tag,
        )
