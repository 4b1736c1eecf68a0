"""What a file consists of, in one form for every format, and what a format must say of itself.

Owns: Part, Description, Format, and the error for what can't be opened. Does not own: any format (one file
each beside this one), or hashing the file as a whole (`artifacts.content`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from lineage.artifacts.hashing import Progress
from lineage.artifacts.reading import ByteSource
from lineage.errors import InconclusiveError

HEAD_BYTES = 4096
"""How much of a file's start is shown to `Format.recognises`."""

MAX_PARTS = 1_000_000
"""Parts of one file. A model has some thousands; more are made to use up memory."""

LABEL_CHARACTERS = 120
"""How much of a name out of a file is shown in a sentence."""


class UnopenedError(InconclusiveError):
    """The file could be read; what is in it, or in a part of it, can't be told here, now or later."""


@dataclass(frozen=True, slots=True)
class Part:
    """One piece of a file that can be named when it differs.

    `kind` is tensor, metadata, shard, row-group, schema, layer, file, …; with `name` it is unique in a file.
    `digest` is the lowercase hex SHA-256 of the piece. `detail` is `field value, field value`
    (`dtype F32, shape 32`), so that what differs can be told field by field.
    """

    kind: str
    name: str
    digest: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Description:
    """What one file consists of.

    `digests` are named (`metadata`, `gguf-hash:sha256`), their values lowercase hex or a UUID. `facts` are
    for people and never compared. `unsafe` says in a sentence each why loading the file is unsafe; empty
    where nothing was found, which is no promise.
    """

    format: str
    digests: Mapping[str, str]
    parts: tuple[Part, ...]
    facts: Mapping[str, str]
    unsafe: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Format:
    """A format of files. `suffixes` are lowercase and with their dot.

    `recognises(head, name)` looks at the first HEAD_BYTES bytes and the file's name, and never raises.
    `describe(source, name, progress)` takes a source of which nothing was read in order yet, and gives what
    is in it; `name` is for sentences and suffixes alone.

    Raises (describe):
        MalformedError: the file is not what it says it is. That is neither a mismatch nor unsafe.
        TooLargeError: over a limit that the format's module names.
        UnopenedError: it is of a version, encrypted or packed in a way that can't be opened here.
        InconclusiveError: it could not be read, or needs what is not installed here.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    recognises: Callable[[bytes, str], bool]
    describe: Callable[[ByteSource, str, Progress | None], Description]


def has_suffix(name: str, suffixes: tuple[str, ...]) -> bool:
    """Whether a file's name ends in one of the suffixes, in upper or lower case."""
    return name.lower().endswith(suffixes)


def shape_text(shape: Iterable[int]) -> str:
    """A tensor's shape for people: its dimensions with a multiplication sign, or `scalar`."""
    return "\u00d7".join(map(str, shape)) or "scalar"


def label(text: str) -> str:
    """A name out of a file, fit for a sentence: short, and nothing in it that a terminal would obey."""
    shown = "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text[:LABEL_CHARACTERS])
    return shown if len(text) <= LABEL_CHARACTERS else f"{shown}…"
