"""The bytes of datasets that runs name, read where a source says that they may be.

Owns: which file a dataset's source means, and that nothing outside the configured folders is opened. A source
named inside MLflow data is user input: an address is never fetched.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from lineage.artifacts.hashing import hash_file
from lineage.config import current
from lineage.db.models import Source
from lineage.errors import InconclusiveError, TooLargeError
from lineage.mlflow import stated
from lineage.mlflow.records import Record
from lineage.services.run_ends import latest_end_ms


def hashed_datasets(source: Source, run: Record) -> dict[str, str]:
    """Dataset's name → SHA-256 of its file, of those that lie in the source's folders and are older than the
    end of the run: what was written since is not what the run read. A client's end counts only as far as we
    had not seen it ended before."""
    found: dict[str, str] = {}
    for name, path in _readable(source, run):
        try:
            digest = hash_file(str(path))
        except (InconclusiveError, TooLargeError, OSError):
            continue  # it stays a gap, which is what is known of it
        if found.setdefault(name, digest) != digest:
            found[name] = ""  # two files of one name: neither is told apart by it
    return {name: digest for name, digest in found.items() if digest}


def readable_datasets(source: Source, run: Record) -> frozenset[str]:
    """Names of the datasets that `hashed_datasets` would read."""
    return frozenset(name for name, _ in _readable(source, run))


def _readable(source: Source, run: Record) -> Iterator[tuple[str, Path]]:
    roots = _roots(source)
    datasets = stated.datasets(run) if roots else []
    ended = latest_end_ms(source.name, run) if datasets else None
    if ended is None:
        return
    for dataset in datasets:
        path = _path(stated.source_uri(dataset), roots)
        name = stated.text(dataset.get("name"))
        try:
            if name and path is not None and os.stat(path).st_mtime_ns // 1_000_000 <= ended:
                yield name, path
        except OSError:
            continue  # gone a moment ago


def _roots(source: Source) -> tuple[Path, ...]:
    """The source's folders that are still under a storage root."""
    allowed = current().storage_roots
    roots = (Path(os.path.realpath(line)) for line in source.data_roots.splitlines() if line.strip())
    return tuple(
        root for root in roots if any(root.is_relative_to(os.path.realpath(each)) for each in allowed)
    )


def _path(uri: str, roots: tuple[Path, ...]) -> Path | None:
    """The local file that a dataset's source means, None where it is no file in one of the folders."""
    parts = urlsplit(uri)
    if (
        parts.scheme not in {"", "file"}
        or parts.netloc not in {"", "localhost"}
        or not parts.path.startswith("/")
    ):
        return None
    path = Path(os.path.realpath(unquote(parts.path) if parts.scheme else uri))
    inside = any(path.is_relative_to(root) for root in roots)
    return path if inside and path.is_file() else None
