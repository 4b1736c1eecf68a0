"""An MLflow server as a storage: files of its runs and logged models.

Owns: from `mlflow://<source>/runs/<run id>/<path>` and `mlflow://<source>/models/<model id>/<path>` to bytes
read by ranges. Does not own: MLflow's addresses (`artifacts`), reading (`lineage.artifacts.storage.ranged`).

A server whose store is not a folder of its own makes a copy of a file for each request, whose ETag and time
are the copy's. Only a time that is well past is therefore taken for the file's own; else nothing but the
size is known of its version.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import NoReturn

from urllib3.response import BaseHTTPResponse

from lineage.artifacts.reading import ByteSource
from lineage.artifacts.storage import places, web
from lineage.artifacts.storage.base import GoneError, Item, MissingError, Storage
from lineage.artifacts.storage.ranged import RangedBytes, Version, version_of
from lineage.errors import InconclusiveError
from lineage.mlflow.api import Mlflow
from lineage.mlflow.artifacts import FileListed, model_file_address, run_file_address
from lineage.mlflow.connection import Connection
from lineage.mlflow.errors import SourceError
from lineage.net.sockets import leave

KIND = "mlflow"
SETTLED = timedelta(minutes=1)
"""A copy that the server made for this very request is younger."""
KEPT = 10_000
"""Runs and models whose store is remembered."""
_GONE = frozenset(
    {"unreachable", "timeout", "tls", "refused-address", "not-mlflow", "unauthorized", "cut-off"}
)


class MlflowStorage(Storage):
    """Files of one source. The connection stays the caller's."""

    def __init__(self, connection: Connection, source: str) -> None:
        self._base = places.place(f"{KIND}://{source}")
        self._http = connection
        self._server = Mlflow(connection)
        self._stores: dict[tuple[str, str], str] = {}

    def probe(self) -> None:
        with _errors():
            self._server.version()

    def item(self, location: str) -> Item:
        kind, owner, path = self._parts(location)
        if not path or location.endswith("/"):
            return self._only(location)
        size = self.listed(kind, owner, path).size
        return Item(b"", size, f"{kind}/{owner}/{path}")

    def items(self, location: str) -> list[Item]:
        kind, owner, path = self._parts(location)
        prefix = f"{path}/" if path else ""
        with _errors():
            self._store(kind, owner)
            listing = self._server.run_files if kind == "runs" else self._server.model_files
            found = [each for each in listing(owner) if each.path.startswith(prefix)]
        if not found:
            raise MissingError(f"Nothing is in {location}.")
        return places.in_order([self._item(kind, owner, each, prefix) for each in found])

    def open(self, item: Item) -> ByteSource:
        kind, owner, path = self._parts(
            f"{KIND}://{self._base.authority}/{places.quoted(item.opened.encode())}"
        )
        with _errors():
            store = self._store(kind, owner)
            address = (run_file_address if kind == "runs" else model_file_address)(owner, store, path)
        size = item.size
        if size is None:
            size = self.listed(kind, owner, path).size or 0  # MLflow tells none of some empty files
        return RangedBytes(_File(self, (kind, owner, path), address), size)

    def close(self) -> None:
        """The connection is the caller's."""

    def listed(self, kind: str, owner: str, path: str) -> FileListed:
        """What the server says of one file. Raises: MissingError, and as all."""
        with _errors():
            self._store(kind, owner)
            find = self._server.run_file if kind == "runs" else self._server.model_file
            found = find(owner, path)
        if found is None:
            raise MissingError(f"{path} is not among the files of {owner}.")
        return found

    def ask(self, address: _Address, headers: Mapping[str, str]) -> BaseHTTPResponse:
        with _errors():
            return self._http.open(address[0], query=address[1], headers=headers)

    def _item(self, kind: str, owner: str, each: FileListed, prefix: str) -> Item:
        path = places.listed(each.path.removeprefix(prefix).encode("utf-8", "surrogatepass"))
        return Item(path, each.size, f"{kind}/{owner}/{each.path}")

    def _only(self, location: str) -> Item:
        """The file of a folder that has one: a model of a single file is named by that file's digest."""
        found = self.items(location)
        if len(found) != 1:
            raise InconclusiveError(f"{location} is a folder of {len(found):,} files, and not a single file.")
        return found[0]

    def _parts(self, location: str) -> tuple[str, str, str]:
        """`runs` or `models`, the id, and the path of a file or folder of it."""
        segments = [places.text(each) for each in places.under(self._base, location).segments]
        if len(segments) < 2 or segments[0] not in {"runs", "models"}:
            raise InconclusiveError(f"{location} names no run and no model of an MLflow server.")
        return segments[0], segments[1], "/".join(segments[2:])

    def _store(self, kind: str, owner: str) -> str:
        """Where the server says that files of a run or model are."""
        if (kind, owner) not in self._stores:
            found = self._server.run(owner) if kind == "runs" else self._server.logged_model(owner)
            if found is None:
                raise MissingError(f"The server has no {owner} among its {kind}.")
            info = found.get("info")
            uri = info.get("artifact_uri") if isinstance(info, dict) else None
            if len(self._stores) >= KEPT:
                self._stores.clear()
            self._stores[kind, owner] = uri if isinstance(uri, str) else ""
        return self._stores[kind, owner]


_Address = tuple[str, dict[str, str] | None]


class _File:
    """One file."""

    fixed = False
    atomic = False

    def __init__(self, storage: MlflowStorage, parts: tuple[str, str, str], address: _Address) -> None:
        self._storage = storage
        self._parts = parts
        self._address = address
        self._told = False
        self.name = "/".join(parts)

    def version(self, answer: BaseHTTPResponse) -> Version:
        found = version_of(answer)
        self._told = _settled(answer)
        return found if self._told else Version(found.size)

    def head(self) -> Version:
        if not self._told:  # asking for it would make the server copy the file once more
            return Version(self._storage.listed(*self._parts).size)
        # For HEAD another part of MLflow answers, with another ETag.
        answer = self._storage.ask(self._address, {"Range": "bytes=0-0"})
        try:
            if answer.status == 416:
                return Version(0)
            if answer.status not in {200, 206}:
                self._refuse(answer)
            return self.version(answer)
        finally:
            leave(answer)

    def get(self, headers: Mapping[str, str]) -> BaseHTTPResponse:
        answer = self._storage.ask(self._address, headers)
        if answer.status in {200, 206, 412, 416}:
            return answer
        try:
            self._refuse(answer)
        finally:
            leave(answer)

    def _refuse(self, answer: BaseHTTPResponse) -> NoReturn:
        if answer.status == 500:  # also for a file that is not there
            self._storage.listed(*self._parts)
        web.refuse(answer, self.name)


def _settled(answer: BaseHTTPResponse) -> bool:
    """Whether what an answer says of its version is of the file, and not of a copy for this request."""
    try:
        changed = parsedate_to_datetime(answer.headers.get("Last-Modified", ""))
        return parsedate_to_datetime(answer.headers.get("Date", "")) - changed > SETTLED
    except (ValueError, TypeError, OverflowError):
        return False


@contextmanager
def _errors() -> Iterator[None]:
    """MLflow's troubles as those of a storage."""
    try:
        yield
    except SourceError as error:
        kind = GoneError if error.trouble in _GONE else InconclusiveError
        raise kind(error.message, hint=error.hint) from error
