"""A real server that speaks Google Cloud Storage's JSON API: `gcp-storage-emulator`, as a process."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import urllib3

from lineage.localservices.service import CALL_SECONDS, LOOPBACK, Launch, LocalService


class GcsEmulator(LocalService):
    name = "gcp-storage-emulator"

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def _password_file(self) -> Path:
        return self.directory / "password"

    def _prepare(self) -> None:
        """Its objects are in its memory."""

    @contextmanager
    def _launch(self) -> Iterator[Launch]:
        begin = "from gcp_storage_emulator.__main__ import main; main()"
        options = ("--host", LOOPBACK, "--port", str(self.port), "--in-memory", "--default-bucket", "models")
        yield Launch([sys.executable, "-c", begin, "start", *options])

    def _answers(self) -> bool:
        try:
            with urllib3.PoolManager(retries=False, timeout=CALL_SECONDS) as http:
                return bool(http.request("GET", f"{self.url}/storage/v1/b/models/o").status == 200)
        except urllib3.exceptions.HTTPError:
            return False

    def put(self, key: str, content: bytes) -> None:
        with urllib3.PoolManager(retries=False, timeout=60) as http:
            answer = http.request(
                "POST",
                f"{self.url}/upload/storage/v1/b/models/o?uploadType=media&name={quote(key, safe='')}",
                body=content,
                headers={"Content-Type": "application/octet-stream"},
            )
            assert answer.status == 200, answer.data
