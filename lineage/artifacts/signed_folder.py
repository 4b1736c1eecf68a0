"""A model on this machine against a manifest of OpenSSF's model signing.

Owns: hashing files and shards by model_signing's rules, and telling what differs. Does not own: the form of
the manifest (`signed_manifest`), signatures.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from lineage import processors
from lineage.artifacts.formats.base import label
from lineage.artifacts.formats.comparing import MAX_SENTENCES, short
from lineage.artifacts.hashing import Progress, serialised
from lineage.artifacts.reading import CHUNK_BYTES, LocalBytes, shown
from lineage.artifacts.signed_manifest import (
    GIT_PATHS,
    Resource,
    Serialization,
    SignedManifest,
    ordered,
)
from lineage.artifacts.tree import list_files
from lineage.errors import InconclusiveError


@dataclass(frozen=True, slots=True)
class _Piece:
    """Bytes still to be hashed: `opened` from `start` to `end`, or all of it where `end` is -1."""

    path: str
    opened: bytes
    start: int = 0
    end: int = -1


def build(path: bytes, how: Serialization, progress: Progress | None = None) -> SignedManifest:
    """The manifest of a folder or a single file, hashed on all cores.

    What git keeps beside a model is left out of a folder, and named as such, as model_signing does.

    Raises: InconclusiveError where a file can't be read, is a symlink that `how` doesn't allow, or has a name
    that is no UTF-8.
    """
    if os.path.isdir(path):
        how = replace(how, ignore=tuple(dict.fromkeys([*how.ignore, *GIT_PATHS])))
        files = list(_files(path, how))
    else:
        if os.path.islink(path) and not how.allow_symlinks:
            raise InconclusiveError(f"{shown(path)} is a symlink, which the manifest doesn't allow.")
        files = [_Piece(".", path)]
    pieces = [piece for file in files for piece in _pieces(file, how)]
    name = os.path.basename(os.path.realpath(path)).decode("utf-8", "backslashreplace")
    return SignedManifest(name, how, ordered(_hashed(pieces, how, progress)))


def compare(
    expected: SignedManifest, path: bytes, ignore: Sequence[str] = (), progress: Progress | None = None
) -> tuple[str, ...]:
    """How a folder or file differs from a manifest, a sentence for each file or shard.

    `ignore` are paths to leave out besides those that the manifest names. Raises: as `build`.
    """
    how = replace(expected.serialization, ignore=(*expected.serialization.ignore, *ignore))
    found = build(path, how, progress)
    before = {one.name: one for one in expected.resources}
    after = {one.name: one for one in found.resources}
    if not os.path.isdir(path) and len(before) == 1 and "." not in before and "." in after:
        # A manifest of one file fits whatever the file is called.
        before = {".": replace(next(iter(before.values())), path=".")}
    said = list(_differences(before, after))
    if len(said) > MAX_SENTENCES:
        said = [*said[:MAX_SENTENCES], f"and {len(said) - MAX_SENTENCES:,} more"]
    return tuple(said)


def _differences(before: dict[str, Resource], after: dict[str, Resource]) -> Iterator[str]:
    for one in ordered({**after, **before}.values()):
        words = label(one.words)
        if one.name not in after:
            yield f"{words.rstrip(',')}: missing"
        elif one.name not in before:
            yield f"{words.rstrip(',')}: not in the manifest"
        elif before[one.name].digest != after[one.name].digest:
            old, new = before[one.name].digest, after[one.name].digest
            yield f"{words} differs: expected {short(old)}, found {short(new)}"


def _files(folder: bytes, how: Serialization) -> Iterator[_Piece]:
    root = os.path.realpath(folder)
    for entry in list_files(folder):
        try:
            name = entry.path.decode()
        except UnicodeDecodeError as error:
            raise InconclusiveError(f"{shown(entry.path)} has a name that is no UTF-8.") from error
        if how.leaves_out(name):
            continue
        if entry.opened != os.path.join(root, entry.path) and not how.allow_symlinks:
            raise InconclusiveError(f"{shown(entry.path)} is a symlink, which the manifest doesn't allow.")
        if how.method == "shards" and ":" in name:
            raise InconclusiveError(f"{shown(entry.path)} has a colon, which names of shards can't express.")
        yield _Piece(name, entry.opened)


def _pieces(file: _Piece, how: Serialization) -> Iterator[_Piece]:
    """The shards of a file, none of an empty one; or the file as it is."""
    if how.method == "files":
        yield file
        return
    source = LocalBytes(file.opened)
    size = source.size
    source.close()
    for start in range(0, size, how.shard_bytes):
        yield replace(file, start=start, end=min(start + how.shard_bytes, size))


def _hashed(pieces: Sequence[_Piece], how: Serialization, progress: Progress | None) -> list[Resource]:
    report = serialised(progress)
    workers = min(processors.usable(), max(len(pieces), 1))
    with ThreadPoolExecutor(workers, thread_name_prefix="hash") as pool:
        return list(pool.map(lambda piece: _resource(piece, how.hash_type, report), pieces))


def _resource(piece: _Piece, kind: str, progress: Progress | None) -> Resource:
    source = LocalBytes(piece.opened)
    try:
        hasher = _hasher(kind)
        place, end = piece.start, source.size if piece.end < 0 else piece.end
        while place < end:
            chunk = source.read_at(place, min(CHUNK_BYTES, end - place))
            hasher.update(chunk)
            place += len(chunk)
            if progress is not None:
                progress(len(chunk))
        source.finish()
    finally:
        source.close()
    return Resource(piece.path, hasher.hexdigest(), piece.start, piece.end)


def _hasher(kind: str) -> Any:
    if kind == "blake3":
        try:
            from blake3 import blake3
        except ImportError as error:
            raise InconclusiveError("BLAKE3 needs a package.", hint="Install lineage[formats].") from error
        return blake3()
    return hashlib.blake2b() if kind == "blake2b" else hashlib.sha256()
