"""What a file or folder is checked against: a manifest of any known form.

Owns: which forms there are, and recognising one. Does not own: any of them. A new form is a class and its
line in FORMS.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lineage.artifacts import manifests, signed_folder, signed_manifest
from lineage.artifacts.formats import gguf_manifest
from lineage.artifacts.hashing import Progress
from lineage.artifacts.looking import Looked
from lineage.artifacts.reading import LocalBytes
from lineage.errors import InconclusiveError, TooLargeError

MAX_BYTES = 256 << 20
"""Of a manifest's file."""


class Expectation(Protocol):
    """A manifest that was read. `note` is what people are to be told besides the outcome, may be empty."""

    @property
    def note(self) -> str: ...

    def differences(
        self, path: Path, look: Callable[[], Looked], ignore: Sequence[str], progress: Progress | None
    ) -> Sequence[str]:
        """How what is at `path` differs, a sentence each; none where it is the same. `look` hashes it and is
        only called where that is needed; `ignore` are paths in it to leave out, where the form knows that.

        Raises: LineageError where it could not be checked.
        """
        ...


@dataclass(frozen=True, slots=True)
class ListOfFiles:
    """sha256sum's lines, or `lineage hash --json`."""

    manifest: manifests.Manifest
    note: str = ""

    def differences(
        self, path: Path, look: Callable[[], Looked], ignore: Sequence[str], progress: Progress | None
    ) -> Sequence[str]:
        return manifests.compare(self.manifest, look())


@dataclass(frozen=True, slots=True)
class OfLlamaCpp:
    """llama.cpp's `gguf-hash`."""

    lines: Sequence[gguf_manifest.Line]
    note: str = "this manifest covers the tensors alone: no names, shapes, metadata or chat template"

    def differences(
        self, path: Path, look: Callable[[], Looked], ignore: Sequence[str], progress: Progress | None
    ) -> Sequence[str]:
        source = LocalBytes(os.fsencode(path))
        try:
            return gguf_manifest.check(source, self.lines, progress)
        finally:
            source.close()


@dataclass(frozen=True, slots=True)
class OfModelSigning:
    """A `model.sig`, or the statement in one; `place` is its own path, which is left out of the model."""

    manifest: signed_manifest.SignedManifest
    place: Path
    note: str = "the signature was not looked at, only what it signs"

    def differences(
        self, path: Path, look: Callable[[], Looked], ignore: Sequence[str], progress: Progress | None
    ) -> Sequence[str]:
        own = within(path, self.place)
        left_out = [*ignore, *([own] if own else [])]
        return signed_folder.compare(self.manifest, os.fsencode(path), left_out, progress)


def within(folder: Path, file: Path) -> str:
    """The path of `file` relative to `folder` if it lies in it, else empty."""
    real, inner = folder.resolve(), file.resolve()
    return inner.relative_to(real).as_posix() if inner != real and inner.is_relative_to(real) else ""


def read(path: Path) -> Expectation:
    """The manifest in a file, whatever its form.

    Raises:
        InconclusiveError: the file can't be read.
        MalformedError, TooLargeError: it is of no known form, or over a limit.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise TooLargeError(f"A manifest is at most {MAX_BYTES:,} bytes long.", limit=MAX_BYTES)
        content = path.read_bytes()
    except OSError as error:
        raise InconclusiveError(f"The manifest {path} can't be read: {error.strerror}.") from error
    return next(made for form in FORMS if (made := form(content, path)) is not None)


def _of_llama_cpp(content: bytes, path: Path) -> Expectation | None:
    return OfLlamaCpp(gguf_manifest.read(content)) if gguf_manifest.looks_like_one(content) else None


def _of_model_signing(content: bytes, path: Path) -> Expectation | None:
    if not content.lstrip().startswith(b"{"):
        return None
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return None
    if not signed_manifest.looks_like_one(document):
        return None
    return OfModelSigning(signed_manifest.read(content), path)


def _list_of_files(content: bytes, path: Path) -> Expectation | None:
    return ListOfFiles(manifests.parse(content))


FORMS: tuple[Callable[[bytes, Path], Expectation | None], ...] = (
    _of_llama_cpp,
    _of_model_signing,
    _list_of_files,  # takes what is left, and says what is wrong with it
)
