"""Every storage of this installation: folders of its own, MLflow servers that it follows, places beyond.

Owns: their names, and under which URIs locations are copies. Does not own: rows of `Storage`
(`storage_records` adds and changes them), or opening one (`storage_access`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote

from lineage.config import current
from lineage.graph.locations import Root
from lineage.graph.sql_query import fetch

FILE, MLFLOW = "file", "mlflow"
STORED = (
    "SELECT 0 AS nature, name, NULL AS uri FROM source UNION ALL SELECT 1 AS nature, name, uri FROM storage"
)
"""For a query that asks for more: name and URI (NULL: that of an MLflow server) of what is no folder."""


@dataclass(frozen=True, slots=True)
class Place:
    """One storage. `title` is what people call it, `kind` of the storage schemes or `mlflow`.

    `paused`: nothing is read there now; its copies age all the same.
    """

    root: Root
    kind: str
    title: str
    paused: bool = False

    @property
    def name(self) -> str:
        return self.root.name


def listed() -> list[Place]:
    """Every storage: folders, MLflow sources, others, each by name. Whoever reads the graph asks for them."""
    return [*_folders(current().storage_roots), *_sources(), *_others()]


def find(name: str) -> Place | None:
    return next((place for place in listed() if place.name == name), None)


def roots() -> tuple[Root, ...]:
    """Under which locations are copies."""
    return tuple(place.root for place in listed())


def roots_of(rows: Iterable[tuple[str, str | None]]) -> tuple[Root, ...]:
    """The same from the rows of `STORED`."""
    folders = _folder_roots(tuple(current().storage_roots))
    return folders + tuple(_source(name) if uri is None else Root(name, uri) for name, uri in rows)


@lru_cache(maxsize=8)
def _folder_roots(paths: tuple[Path, ...]) -> tuple[Root, ...]:
    return tuple(place.root for place in _folders(paths))


def folder_uri(path: Path) -> str:
    """The `file://` URI of a folder. Source: RFC 8089, section 2."""
    return "file://" + quote(bytes(path))


def _folders(paths: Iterable[Path]) -> list[Place]:
    """A folder's name follows from its path: its history stays its own whatever else is configured."""
    found = []
    for path in paths:
        name = f"folder-{hashlib.sha256(bytes(path)).hexdigest()[:8]}"
        found.append(Place(Root(name, folder_uri(path)), FILE, str(path)))
    return found


def _sources() -> list[Place]:
    return [
        Place(_source(name), MLFLOW, f"MLflow server {name}", bool(paused))
        for name, paused in fetch("SELECT name, paused FROM source ORDER BY name")
    ]


def _source(name: str) -> Root:
    return Root(f"mlflow-{name}", f"mlflow://{name}")


def _others() -> list[Place]:
    rows = fetch("SELECT name, uri, kind, paused FROM storage ORDER BY name")
    return [Place(Root(name, uri), kind, name, bool(paused)) for name, uri, kind, paused in rows]
