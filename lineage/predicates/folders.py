"""The files of a folder that is a subject: read from `annotations.files`, checked against its `dirHash`.

Does not own: hashing files on disk (`lineage.artifacts`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from lineage.errors import MalformedError, TooLargeError
from lineage.trust.digest import parse_digest_set

MAX_FILES = 20_000
"""Above it the statement names a manifest's sha256 instead."""


def listed_files(raw: object, *, where: str) -> dict[str, str]:
    """Path → SHA-256 (lowercase hex), from a map of just that or a list of `{name or path, digest}`.

    Raises:
        MalformedError: another form, a path twice or with a line break, a file without a sha256.
        TooLargeError: more than `MAX_FILES`.
    """
    if not isinstance(raw, list | dict):
        raise MalformedError(
            "Files are listed as a map of path to sha256, or as a list of descriptors.", where=where
        )
    if len(raw) > MAX_FILES:
        raise TooLargeError(
            f"{len(raw):,} files, and at most {MAX_FILES:,} are allowed.",
            limit=MAX_FILES,
            where=where,
            hint="Leave the files out; `annotations.manifest` may name the sha256 of a list of them.",
        )
    pairs = raw.items() if isinstance(raw, dict) else (_entry(e, f"{where}[{i}]") for i, e in enumerate(raw))
    files: dict[str, str] = {}
    for path, value in pairs:
        if not isinstance(value, str):
            raise MalformedError("A file's sha256 is a string.", where=f"{where}.{path}")
        if not path or "\n" in path or path in files:
            raise MalformedError(
                "A path is listed once, is not empty and has no line break.", where=f"{where}.{path}"
            )
        files[path] = parse_digest_set({"sha256": value}, where=f"{where}.{path}")["sha256"]
    return files


def _entry(raw: object, where: str) -> tuple[str, object]:
    if not isinstance(raw, dict):
        raise MalformedError("A listed file is an object with name and digest.", where=where)
    path, digest = raw.get("path", raw.get("name")), raw.get("digest")
    if not isinstance(path, str) or not isinstance(digest, Mapping):
        raise MalformedError("A listed file needs a name (or path) and a digest.", where=where)
    return path, digest.get("sha256")


def dir_hash(files: Mapping[str, str]) -> str:
    """SHA-256 in hex over `<sha256 hex>  <path>\\n` for each file, in byte order of the paths.

    Source: in-toto attestation, spec/v1/digest_set.md, dirHash; Go's golang.org/x/mod/sumdb/dirhash, Hash1.
    """
    lines = sorted((path.encode(), digest) for path, digest in files.items())
    return hashlib.sha256(
        b"".join(digest.encode() + b"  " + path + b"\n" for path, digest in lines)
    ).hexdigest()
