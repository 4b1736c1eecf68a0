"""From what a person writes (`model.bin`, `data=/mnt/d`, `sha256:…`, a URI) to a resource descriptor.

Owns: the forms of a reference, the name that a path gets, what a folder's descriptor lists. Does not own:
hashing (`lineage.artifacts`), or where descriptors go in a statement (`statements`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from lineage.artifacts.hashing import FolderDigest, Progress, hash_file, hash_folder
from lineage.errors import MalformedError
from lineage.graph.model import IDENTIFYING_ALGORITHMS
from lineage.trust.digest import parse_digest_set
from lineage.trust.statement import ResourceDescriptor

MAX_LISTED_FILES = 20_000
"""A folder of more files is described by its digest and its manifest's; its files are then no nodes."""

_DIGEST = re.compile(rf"({'|'.join(IDENTIFYING_ALGORITHMS)}):([0-9A-Fa-f]+)")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:\S+")


def describe(reference: str | os.PathLike[str], progress: Progress | None = None) -> ResourceDescriptor:
    """What `reference` names, hashed where it is a file or folder.

    A reference is a path; `<alg>:<hex>` for something hashed elsewhere; a URI for something that nobody
    hashed; or any of these after `NAME=`. A path that exists is always that path. Without a name, a path
    inside the working directory is its own name, and any other goes by its last part.

    Raises:
        MalformedError: no such path and nothing else either, a digest of the wrong length, an empty name.
        InconclusiveError: the path can't be hashed.
    """
    if isinstance(reference, os.PathLike) or os.path.lexists(reference):
        path = Path(reference)
        return _path(path, _text(_own_name(path)), progress)
    found = _elsewhere(reference, "")
    if found is not None:
        return found
    name, separator, target = reference.partition("=")
    if not separator:
        raise MalformedError(
            f"There is no file or folder {_shown(reference)}.",
            hint="Give a path, sha256:<hex>, a URI, or one of these after NAME=.",
        )
    if not name:
        raise MalformedError(f"The name before = is empty in {_shown(reference)}.")
    if os.path.lexists(target):
        return _path(Path(target), _text(name), progress)
    found = _elsewhere(target, _text(name))
    if found is None:
        raise MalformedError(f"There is no file or folder {_shown(target)}.")
    return found


def to_json(descriptor: ResourceDescriptor) -> dict[str, Any]:
    """A descriptor as in-toto writes it; what is empty is left out.

    Source: in-toto attestation, spec/v1/resource_descriptor.md.
    """
    members: Mapping[str, Any] = {
        "name": descriptor.name,
        "uri": descriptor.uri,
        "digest": dict(descriptor.digests),
        "mediaType": descriptor.media_type,
        "downloadLocation": descriptor.download_location,
        "annotations": dict(descriptor.annotations),
        "content": descriptor.content,
    }
    return {member: value for member, value in members.items() if value}


def _elsewhere(text: str, name: str) -> ResourceDescriptor | None:
    """Something that does not lie here: by its digest, or by its URI alone."""
    if digest := _DIGEST.fullmatch(text):
        return ResourceDescriptor(name=name, digests=parse_digest_set({digest[1]: digest[2]}, where=text))
    if _URI.fullmatch(text):
        return ResourceDescriptor(name=name, uri=_text(text))
    return None


def _path(path: Path, name: str, progress: Progress | None) -> ResourceDescriptor:
    if not path.is_dir():
        return ResourceDescriptor(name=name, digests={"sha256": hash_file(path, progress)})
    folder = hash_folder(path, progress)
    return ResourceDescriptor(name=name, digests={"dirHash": folder.dirhash}, annotations=_contents(folder))


def _contents(folder: FolderDigest) -> dict[str, Any]:
    """The folder's files by path, or its manifest's digest where they are too many or not text."""
    if len(folder.files) <= MAX_LISTED_FILES:
        try:
            return {"files": {file.path.decode(): file.sha256 for file in folder.files}}
        except UnicodeDecodeError:
            pass  # a path that JSON can't say; the manifest is bytes and can
    return {"manifest": {"sha256": folder.dirhash}}  # dirHash is by definition the manifest's SHA-256


def _own_name(path: Path) -> str:
    normal = os.path.normpath(path)
    if os.path.isabs(normal) or normal == "." or normal.split(os.sep, 1)[0] == "..":
        return Path(os.path.abspath(path)).name
    return PurePosixPath(*Path(normal).parts).as_posix()


def _text(name: str) -> str:
    """`name`, if it can stand in JSON."""
    try:
        name.encode()
    except UnicodeEncodeError:
        raise MalformedError(
            f"The name {_shown(name)} is not UTF-8.", hint="Give another: NAME=PATH."
        ) from None
    return name


def _shown(text: str) -> str:
    return repr(os.fsencode(text).decode("utf-8", "backslashreplace"))
