"""Lists of files with their digests: reading one, and comparing it with what was found.

Two forms are read: the lines of `sha256sum` (`<hex>  <path>`), and the JSON of `lineage hash --json`. Does
not own: hashing. Nothing that a manifest names is ever opened.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lineage.artifacts.hashing import FolderDigest
from lineage.errors import InconclusiveError, MalformedError

_LINE = re.compile(rb"(\\?)([0-9a-fA-F]{64}) [ *](.+)")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_ESCAPED = re.compile(rb"\\x([0-9a-f]{2})")
_SUM_ESCAPES = {rb"\\": b"\\", rb"\n": b"\n", rb"\r": b"\r"}

Manifest = Mapping[bytes, str]
"""Raw path, relative, → lowercase hex SHA-256."""


def read(path: Path) -> Manifest:
    """The manifest in a file.

    Raises:
        InconclusiveError: the file can't be read.
        MalformedError: neither form, no file in it, or a path twice.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InconclusiveError(f"The manifest {path} can't be read: {error.strerror}.") from error
    pairs = _from_json(content) if content.lstrip().startswith(b"{") else _from_lines(content)
    manifest: dict[bytes, str] = {}
    for name, digest in pairs:
        if name in manifest:
            raise MalformedError(f"The manifest names {_shown(name)} twice.")
        manifest[name] = digest
    if not manifest:
        raise MalformedError(f"The manifest {path} names no file.")
    return manifest


def compare(expected: Manifest, found: FolderDigest | str, name: bytes) -> list[str]:
    """The differences between a manifest and what was found, a sentence each; empty where there is none.

    `name` is the last part of a single file's path; a manifest of one file fits whatever its name.

    Raises: InconclusiveError where a manifest of several files doesn't name the single file.
    """
    if isinstance(found, str):
        if len(expected) == 1:
            (digest,) = expected.values()
        elif name in expected:
            digest = expected[name]
        else:
            raise InconclusiveError(f"The manifest doesn't name {_shown(name)}.")
        return [] if digest == found else [f"{_shown(name)}: expected {digest}, found {found}"]
    there = {file.path: file.sha256 for file in found.files}
    differences = []
    for path in sorted(expected.keys() | there.keys()):
        if path not in there:
            differences.append(f"{_shown(path)}: missing")
        elif path not in expected:
            differences.append(f"{_shown(path)}: not in the manifest")
        elif there[path] != expected[path]:
            differences.append(f"{_shown(path)}: expected {expected[path]}, found {there[path]}")
    return differences


def to_json(path: Path, found: FolderDigest | str) -> dict[str, Any]:
    """What was found, as JSON values that `read` reads again."""
    name = _shown(os.fsencode(path.name))
    if isinstance(found, str):
        return {"path": name, "digests": {"sha256": found}, "size": path.stat().st_size}
    files = [{"path": _shown(f.path), "digests": {"sha256": f.sha256}, "size": f.size} for f in found.files]
    return {"path": name, "digests": {"dirHash": found.dirhash}, "size": found.size, "files": files}


def _shown(path: bytes) -> str:
    """A path as text: bytes that are no UTF-8, and the backslash itself, as `\\xNN`. `_raw` undoes it."""
    return path.replace(b"\\", rb"\x5c").decode("utf-8", "backslashreplace")


def _raw(text: str) -> bytes:
    return _ESCAPED.sub(lambda found: bytes.fromhex(found[1].decode()), text.encode())


def _from_lines(content: bytes) -> Iterator[tuple[bytes, str]]:
    for number, line in enumerate(content.split(b"\n"), 1):
        if not line:
            continue
        found = _LINE.fullmatch(line)
        if found is None:
            raise MalformedError("This is not a line of sha256sum.", where=f"line {number}")
        path = found[3]
        if found[1]:  # sha256sum marks a line with escapes by a backslash in front
            path = re.sub(rb"\\[\\nr]", lambda escape: _SUM_ESCAPES[escape[0]], path)
        yield path.removeprefix(b"./"), found[2].decode().lower()


def _from_json(content: bytes) -> Iterator[tuple[bytes, str]]:
    try:
        document = json.loads(content)
        for file in document.get("files", [document]):
            path, digest = file["path"], file["digests"]["sha256"]
            if not isinstance(path, str) or not _SHA256.fullmatch(digest):
                raise MalformedError("A file of the manifest has no path, or a sha256 that is none.")
            yield _raw(path), digest.lower()
    except (ValueError, KeyError, TypeError) as error:
        raise MalformedError("This JSON is not what `lineage hash --json` writes.") from error
