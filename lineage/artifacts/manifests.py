"""Lists of files with their digests: reading one, and comparing it with what was found.

Two forms are read: the lines of `sha256sum` (`<hex>  <path>`), and the JSON of `lineage hash --json`. Does
not own: hashing, the manifests of other tools (`expectations`). Nothing that a manifest names is ever opened.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lineage.artifacts.formats import Description, differences, from_values, to_values
from lineage.artifacts.hashing import FileDigest
from lineage.artifacts.looking import Looked
from lineage.errors import InconclusiveError, MalformedError

_LINE = re.compile(rb"(\\?)([0-9a-fA-F]{64}) [ *](.+)")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_ESCAPED = re.compile(rb"\\x([0-9a-f]{2})")
_SUM_ESCAPES = {rb"\\": b"\\", rb"\n": b"\n", rb"\r": b"\r"}


@dataclass(frozen=True, slots=True)
class Listed:
    """A file of a manifest. `sha256` is lowercase hex; `description` is there if our own JSON had one."""

    sha256: str
    description: Description | None = None


Manifest = Mapping[bytes, Listed]
"""By raw path, relative."""


def parse(content: bytes) -> Manifest:
    """The manifest in these bytes.

    Raises: MalformedError: neither form, no file in it, or a path twice.
    """
    pairs = _from_json(content) if content.lstrip().startswith(b"{") else _from_lines(content)
    manifest: dict[bytes, Listed] = {}
    for name, listed in pairs:
        if name in manifest:
            raise MalformedError(f"The manifest names {shown(name)} twice.")
        manifest[name] = listed
    if not manifest:
        raise MalformedError("The manifest names no file.")
    return manifest


def compare(expected: Manifest, found: Looked) -> list[str]:
    """The differences between a manifest and what was found, a sentence each; empty where there is none.

    A manifest of one file fits a single file whatever its name.

    Raises: InconclusiveError where a manifest of several files doesn't name the single file.
    """
    if found.folder is None:
        (file,) = found.files
        if file.path in expected:
            return _differences(expected[file.path], file, found)
        if len(expected) == 1:
            return _differences(next(iter(expected.values())), file, found)
        raise InconclusiveError(f"The manifest doesn't name {shown(file.path)}.")
    there = {file.path: file for file in found.files}
    said = []
    for path in sorted(expected.keys() | there.keys()):
        if path not in there:
            said.append(f"{shown(path)}: missing")
        elif path not in expected:
            said.append(f"{shown(path)}: not in the manifest")
        else:
            said += _differences(expected[path], there[path], found)
    return said


def _differences(expected: Listed, file: FileDigest, found: Looked) -> list[str]:
    """That a file differs, and where what is in it was recorded and is known, what in it."""
    if expected.sha256 == file.sha256:
        return []
    name = shown(file.path)
    said = [f"{name}: expected {expected.sha256}, found {file.sha256}"]
    now = found.descriptions.get(file.path)
    if expected.description is not None and now is not None:
        said += [f"{name}: {sentence}" for sentence in differences(expected.description, now)]
    elif expected.description is not None and file.path in found.problems:
        said.append(f"{name}: it is {found.problems[file.path]}")
    return said


def to_json(path: Path, found: Looked) -> dict[str, Any]:
    """What was found, as JSON values that `parse` reads again."""
    name = shown(os.fsencode(path.name))
    if found.folder is None:
        (file,) = found.files
        whole = _file(file, found)
        digests = {"sha256": file.sha256} | ({"blake3": found.blake3} if found.blake3 else {})
        return {**whole, "path": name, "digests": digests}
    files = [_file(file, found) for file in found.files]
    return {
        "path": name,
        "digests": {"dirHash": found.folder.dirhash},
        "size": found.folder.size,
        "files": files,
    }


def _file(file: FileDigest, found: Looked) -> dict[str, Any]:
    values: dict[str, Any] = {
        "path": shown(file.path),
        "digests": {"sha256": file.sha256},
        "size": file.size,
    }
    if (description := found.descriptions.get(file.path)) is not None:
        values["description"] = to_values(description)
    if (problem := found.problems.get(file.path)) is not None:
        values["problem"] = problem
    return values


def shown(path: bytes) -> str:
    """A path as text: bytes that are no UTF-8, and the backslash itself, as `\\xNN`. `_raw` undoes it."""
    return path.replace(b"\\", rb"\x5c").decode("utf-8", "backslashreplace")


def _raw(text: str) -> bytes:
    return _ESCAPED.sub(lambda found: bytes.fromhex(found[1].decode()), text.encode())


def _from_lines(content: bytes) -> Iterator[tuple[bytes, Listed]]:
    for number, line in enumerate(content.split(b"\n"), 1):
        if not line:
            continue
        found = _LINE.fullmatch(line)
        if found is None:
            raise MalformedError("This is not a line of sha256sum.", where=f"line {number}")
        path = found[3]
        if found[1]:  # sha256sum marks a line with escapes by a backslash in front
            path = re.sub(rb"\\[\\nr]", lambda escape: _SUM_ESCAPES[escape[0]], path)
        yield path.removeprefix(b"./"), Listed(found[2].decode().lower())


def _from_json(content: bytes) -> Iterator[tuple[bytes, Listed]]:
    try:
        document = json.loads(content)
        for file in document.get("files", [document]):
            path, digest = file["path"], file["digests"]["sha256"]
            if not isinstance(path, str) or not _SHA256.fullmatch(digest):
                raise MalformedError("A file of the manifest has no path, or a sha256 that is none.")
            described = from_values(file["description"]) if "description" in file else None
            yield _raw(path), Listed(digest.lower(), described)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise MalformedError("This JSON is not what `lineage hash --json` writes.") from error
