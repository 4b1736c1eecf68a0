"""A file or folder of this machine, hashed and looked into: what `lineage hash` shows.

Owns: the digests of one path, and the descriptions of the files in it. Does not own: formats, manifests.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lineage.artifacts.formats import Description, Format, recognised
from lineage.artifacts.hashing import FileDigest, FolderDigest, Progress, hash_folder
from lineage.artifacts.reading import CHUNK_BYTES, LocalBytes
from lineage.artifacts.tree import list_files
from lineage.errors import InconclusiveError, LineageError, MalformedError, TooLargeError


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found at a path. `folder` is None for a single file, whose one entry is in `files`.

    `blake3` is of a single file, empty where the package is missing. `descriptions` and `problems` are by the
    raw path of a file; a problem says in words why a file of a known format could not be described.
    """

    files: tuple[FileDigest, ...]
    folder: FolderDigest | None = None
    blake3: str = ""
    descriptions: Mapping[bytes, Description] = field(default_factory=dict)
    problems: Mapping[bytes, str] = field(default_factory=dict)


def look(path: Path, form: Format | None, inside: bool, progress: Progress | None = None) -> Looked:
    """Hash what is at `path`, and look into its files unless `inside` is False.

    `form` is the format that a single file must have, None for that which it is recognised as.

    Raises:
        InconclusiveError: see `hashing.hash_folder`.
        MalformedError, TooLargeError: a single file is not of the format `form`.
    """
    if path.is_dir():
        folder = hash_folder(path, progress)
        entries = list_files(os.fsencode(path)) if inside else []
        seen = {entry.path: described(entry.opened, entry.path) for entry in entries}
        return Looked(folder.files, folder, "", *_sorted(seen))
    raw, name = os.fsencode(path), os.fsencode(path.name)
    sha256, blake3, size = _digests(raw, progress)
    if form is not None:
        seen = {name: _describe(raw, name, form)}
    else:
        seen = {name: described(raw, name)} if inside else {}
    return Looked((FileDigest(name, sha256, size),), None, blake3, *_sorted(seen))


def described(opened: bytes, path: bytes) -> Description | str | None:
    """What a file consists of; in words why that can't be told; None where it has no format known here."""
    source = LocalBytes(opened)
    try:
        found = recognised(source, _name(path))
        return None if found is None else found.form.describe(source, _name(path), None)
    except (MalformedError, TooLargeError, InconclusiveError) as error:
        return problem(error)
    finally:
        source.close()


def problem(error: LineageError) -> str:
    """Why a file could not be described, as a sentence that says which of the three it is."""
    kind = {MalformedError: "malformed", TooLargeError: "over a limit"}.get(type(error), "could not be read")
    hint = f" {error.hint}" if error.hint else ""
    return f"{kind}: {error.message}{hint}"


def _describe(opened: bytes, path: bytes, form: Format) -> Description:
    source = LocalBytes(opened)
    try:
        return form.describe(source, _name(path), None)
    finally:
        source.close()


def _sorted(
    seen: Mapping[bytes, Description | str | None],
) -> tuple[dict[bytes, Description], dict[bytes, str]]:
    descriptions = {path: one for path, one in seen.items() if isinstance(one, Description)}
    return descriptions, {path: one for path, one in seen.items() if isinstance(one, str)}


def _name(path: bytes) -> str:
    return path.rpartition(b"/")[2].decode("utf-8", "backslashreplace")


def _digests(path: bytes, progress: Progress | None) -> tuple[str, str, int]:
    """SHA-256 and BLAKE3 of a file in one pass, and its size in bytes."""
    hashers: list[Any] = [hashlib.sha256()]
    try:
        from blake3 import blake3

        hashers.append(blake3())
    except ImportError:  # what a pipeline installs does without
        pass
    source, buffer = LocalBytes(path), memoryview(bytearray(CHUNK_BYTES))
    try:
        size = 0
        while count := source.readinto(buffer):
            for hasher in hashers:
                hasher.update(buffer[:count])
            size += count
            if progress is not None:
                progress(count)
        source.finish()
    finally:
        source.close()
    return hashers[0].hexdigest(), hashers[1].hexdigest() if len(hashers) > 1 else "", size
