"""Files of runs and logged models: listed and read through the server, never from an address in its data.

Owns: walks and their limits, and which address gives which bytes. Does not own: hashing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from urllib.parse import quote, unquote, urlparse, urlsplit, urlunparse

import msgspec

from lineage.mlflow import paging
from lineage.mlflow.connection import Connection
from lineage.mlflow.errors import SourceError
from lineage.mlflow.paging import Found

MAX_FILES = 100_000
MAX_DEPTH = 64
_API = "api/2.0/mlflow"
_CONTROL = re.compile("[\\x00-\\x1f\\x7f]")
_STORE = "api/2.0/mlflow-artifacts/artifacts"

Opened = AbstractContextManager[Iterator[bytes]]


class FileListed(msgspec.Struct, frozen=True):
    """A file and its size in bytes; None where the server gives none, as it does for some empty ones."""

    path: str
    size: int | None


class Artifacts:
    """The part of a server that has files. Every call raises SourceError."""

    def __init__(self, connection: Connection) -> None:
        self._http = connection

    def run_files(self, run_id: str) -> list[FileListed]:
        """All files of a run, by path."""
        return _walk(partial(self._run_folder, run_id))

    def model_files(self, model_id: str) -> list[FileListed]:
        """All files of a logged model, by path."""
        return _walk(partial(self._model_folder, model_id))

    def run_file(self, run_id: str, path: str) -> FileListed | None:
        """One file of a run; None where its folder has no such file."""
        return _one(partial(self._run_folder, run_id), path)

    def model_file(self, model_id: str, path: str) -> FileListed | None:
        """One file of a logged model; None where its folder has no such file."""
        return _one(partial(self._model_folder, model_id), path)

    def read_run_file(self, run_id: str, artifact_uri: str, path: str) -> Opened:
        """Its bytes. `artifact_uri` is where the server says that the run's files are."""
        address, query = run_file_address(run_id, artifact_uri, path)
        return self._http.stream(address, query=query)

    def read_model_file(self, model_id: str, artifact_uri: str, path: str) -> Opened:
        """Its bytes, as `read_run_file`."""
        address, query = model_file_address(model_id, artifact_uri, path)
        return self._http.stream(address, query=query)

    def _run_folder(self, run_id: str, path: str, token: str) -> Found | None:
        query = {"run_id": run_id} | _given(path=path, page_token=token)
        return self._http.json("GET", f"{_API}/artifacts/list", query=query)

    def _model_folder(self, model_id: str, path: str, token: str) -> Found | None:
        query = _given(artifact_directory_path=path, page_token=token)
        address = f"{_API}/logged-models/{quote(model_id, safe='')}/artifacts/directories"
        return self._http.json("GET", address, query=query or None)


def run_file_address(run_id: str, artifact_uri: str, path: str) -> tuple[str, dict[str, str] | None]:
    """Path and query that give the bytes of a run's file. Raises: SourceError."""
    folder = _proxied(artifact_uri)
    if folder is not None:
        # Straight from the store: the other address makes the server keep a copy first.
        return f"{_STORE}/{quote(_unambiguous(f'{folder}/{path}'))}", None
    return "get-artifact", {"run_uuid": run_id, "path": _unambiguous(path)}


def model_file_address(model_id: str, artifact_uri: str, path: str) -> tuple[str, dict[str, str] | None]:
    """As `run_file_address`."""
    folder = _proxied(artifact_uri)
    if folder is not None:
        return f"{_STORE}/{quote(_unambiguous(f'{folder}/{path}'))}", None
    address = f"ajax-api/2.0/mlflow/logged-models/{quote(model_id, safe='')}/artifacts/files"
    return address, {"artifact_file_path": _unambiguous(path)}


def _proxied(artifact_uri: str) -> str | None:
    """The folder in the server's own store, None where the files lie elsewhere or under another server."""
    parts = urlsplit(artifact_uri)
    folder = parts.path.strip("/")
    own = parts.scheme == "mlflow-artifacts" and not parts.netloc and not parts.query and not parts.fragment
    return folder if own and folder and ".." not in folder.split("/") else None


def _unambiguous(path: str) -> str:
    """`path`, once it is shown that MLflow takes it for itself.

    It decodes a path again and again and parses it as a URL each time, so that for `a%20b`, `a;` or a name
    with a line break it would give the bytes of another file, and for `a#b` none.
    Source: mlflow.utils.uri.validate_path_is_safe. Raises: SourceError.
    """
    try:
        path.encode()
        taken = urlunparse(urlparse(unquote(path, errors="strict")))
    except ValueError:
        taken = ""
    if taken != path or "#" in path or _CONTROL.search(path):
        raise SourceError("bad-answer", f"MLflow gives nobody {path!r}: it can't be named to it.")
    return path


def _given(**members: str) -> dict[str, str]:
    return {name: value for name, value in members.items() if value}


def _walk(folder: Callable[[str, str], Found | None]) -> list[FileListed]:
    """Every file below the root; `folder` answers for a path and a page token."""
    found: dict[str, FileListed] = {}
    pending = [("", 0)]
    listed = 0
    while pending:
        path, depth = pending.pop()
        for page in paging.by_token(partial(folder, path), "files"):
            listed += len(page)
            if listed > MAX_FILES:
                raise SourceError("too-large", f"There are more than {MAX_FILES:,} files and folders.")
            for each in page:
                name = _inside(each.get("path"), path)
                if each.get("is_dir"):
                    if depth >= MAX_DEPTH:
                        raise SourceError("too-large", f"Folders are nested more than {MAX_DEPTH} deep.")
                    # Of another folder's name MLflow lists nothing, and says that this is all.
                    pending.append((_unambiguous(name), depth + 1))
                else:
                    found[name] = FileListed(name, _size(each.get("file_size")))
    return [found[name] for name in sorted(found)]


def _one(folder: Callable[[str, str], Found | None], path: str) -> FileListed | None:
    """The file at `path`; `folder` as in `_walk`."""
    parent = path.rpartition("/")[0]
    for page in paging.by_token(partial(folder, _unambiguous(parent) if parent else ""), "files"):
        for each in page:
            if each.get("path") == path and not each.get("is_dir"):
                return FileListed(path, _size(each.get("file_size")))
    return None


def _inside(value: object, folder: str) -> str:
    """A listed path, once it is shown to be directly in the folder that was listed."""
    if isinstance(value, str) and value:
        parent, _, name = value.rpartition("/")
        if parent == folder and name not in {"", ".", ".."}:
            return value
    raise SourceError("bad-answer", "A listing names a file that is not in the folder.")


def _size(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        return int(value)
    raise SourceError("bad-answer", "A listing gives a size that is none.")
