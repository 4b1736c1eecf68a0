"""The manifests of llama.cpp's `gguf-hash`: lines `sha256    <hex>  file[:tensor]`; also sha1, uuid, xxh64.

Owns: reading, writing, and checking a GGUF file against one. Does not own: the layout (`gguf_layout`).

xxh64 is no cryptographic hash: whoever alters a file can keep it. Its lines are read and never checked; a
manifest that has no other is inconclusive.

Source: llama.cpp, examples/gguf-hash/README.md and gguf-hash.cpp.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lineage.artifacts.formats.base import label
from lineage.artifacts.formats.comparing import short
from lineage.artifacts.formats.gguf_file import UUID_NAMESPACE, uuid_of
from lineage.artifacts.formats.gguf_layout import read_layout
from lineage.artifacts.formats.regions import Region, feed
from lineage.artifacts.hashing import Progress
from lineage.artifacts.reading import ByteSource
from lineage.errors import InconclusiveError, MalformedError, TooLargeError

MAX_LINES = 1_000_000

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_LINE = re.compile(
    r"(?:(sha256) +([0-9a-f]{64})|(sha1) +([0-9a-f]{40})|(xxh64) +([0-9a-f]{16})"
    rf"|(uuid) +({_UUID})) +(\S.*)"
)


@dataclass(frozen=True, slots=True)
class Line:
    """One line. `tensor` None means all tensors together; `digest` is as written, lowercase."""

    algorithm: str
    digest: str
    tensor: str | None


def looks_like_one(content: bytes) -> bool:
    """Whether the first line that isn't empty is one of these manifests'."""
    first = content.lstrip()[:4096].partition(b"\n")[0]
    return _LINE.fullmatch(first.decode("utf-8", "replace").rstrip()) is not None


def read(content: bytes) -> tuple[Line, ...]:
    """The lines of a manifest, in order.

    Raises:
        MalformedError: a line is something else, names more than one file, or stands there twice.
        TooLargeError: more than MAX_LINES lines.
    """
    try:
        rows = content.decode().splitlines()
    except UnicodeDecodeError as error:
        raise MalformedError("The manifest is no UTF-8.") from error
    if len(rows) > MAX_LINES:
        raise TooLargeError(f"A manifest has at most {MAX_LINES:,} lines.", limit=MAX_LINES)
    pairs = [(number, *_line(row, number)) for number, row in enumerate(rows, 1) if row.strip()]
    if not pairs:
        raise MalformedError("The manifest has no line.")
    file = _file([name for _, _, _, name in pairs])
    lines = tuple(
        Line(algorithm, digest, None if name == file else name[len(file) + 1 :])
        for _, algorithm, digest, name in pairs
    )
    if len({(line.algorithm, line.tensor) for line in lines}) != len(lines):
        raise MalformedError("The manifest has a line twice.")
    return lines


def _file(names: list[str]) -> str:
    """The file that all the names are of, `file` or `file:tensor`."""
    shortest = min(names, key=len)
    end = shortest.lower().find(".gguf:")
    for file in (shortest[: end + 5] if end >= 0 else shortest, shortest.rpartition(":")[0]):
        if file and all(name == file or name.startswith(f"{file}:") for name in names):
            return file
    raise MalformedError("The manifest names more than one file.")


def _line(row: str, number: int) -> tuple[str, str, str]:
    found = _LINE.fullmatch(row.rstrip())
    if found is None:
        raise MalformedError("This is not a line of gguf-hash.", where=f"line {number}")
    algorithm, digest = [text for text in found.groups()[:8] if text is not None]
    return algorithm, digest, found[9]


def write(source: ByteSource, name: str, algorithms: Iterable[str] = ("sha256",)) -> bytes:
    """The manifest of a GGUF file, as `gguf-hash` prints it. Raises: see `gguf_layout.read_layout`."""
    found = hashes(source, tuple(algorithms))
    rows = []
    for (algorithm, tensor), digest in found.items():
        rows.append(f"{algorithm:<8}  {digest}  {name}{'' if tensor is None else f':{tensor}'}\n")
    return "".join(rows).encode()


def check(source: ByteSource, lines: Iterable[Line], progress: Progress | None = None) -> tuple[str, ...]:
    """How a GGUF file differs from a manifest, a sentence each; none where it is the same.

    Raises:
        InconclusiveError: the manifest has only xxh64, or none of the whole file and not of every tensor.
        MalformedError, TooLargeError: see `gguf_layout.read_layout`.
    """
    expected = {(line.algorithm, line.tensor): line.digest for line in lines if line.algorithm != "xxh64"}
    if not expected:
        raise InconclusiveError(
            "The manifest has xxh64 alone, which proves nothing.", hint="Make it with gguf-hash --sha256."
        )
    found = hashes(source, tuple(sorted({algorithm for algorithm, _ in expected})), progress)
    tensors = {tensor for _, tensor in found}
    checked = {tensor for _, tensor in expected}
    if None not in checked and tensors - checked - {None}:
        raise InconclusiveError("The manifest covers neither the whole file nor every tensor.")
    return tuple(_differences(expected, found))


def _differences(
    expected: Mapping[tuple[str, str | None], str], found: Mapping[tuple[str, str | None], str]
) -> Iterable[str]:
    for (algorithm, tensor), digest in expected.items():
        what = "all tensors together" if tensor is None else f"the tensor {label(tensor)}"
        other = found.get((algorithm, tensor))
        if other is None:
            yield f"{what} is missing"
        elif other != digest:
            verb = "differ" if tensor is None else "differs"
            yield f"{what} {verb}: expected {algorithm} {short(digest)}, found {short(other)}"
    if any(tensor is not None for _, tensor in expected):
        named = {tensor for _, tensor in expected} | {None}
        extra = dict.fromkeys(tensor for _, tensor in found if tensor not in named)
        yield from (f"the tensor {label(tensor or '')} is not in the manifest" for tensor in extra)


_HASHERS: Mapping[str, Callable[[], Any]] = {
    "sha256": hashlib.sha256,
    "sha1": lambda: hashlib.sha1(usedforsecurity=False),
    "uuid": lambda: hashlib.sha1(UUID_NAMESPACE.bytes, usedforsecurity=False),
}


def hashes(
    source: ByteSource, algorithms: tuple[str, ...], progress: Progress | None = None
) -> dict[tuple[str, str | None], str]:
    """(algorithm, tensor) → digest, tensors in file order, then (algorithm, None) for all together.

    A uuid is of all together alone. Raises: see `gguf_layout.read_layout`.
    """
    layout = read_layout(source)
    each = [name for name in algorithms if name != "uuid"]
    whole = {name: _HASHERS[name]() for name in algorithms}
    of_tensor = {(n, tensor.name): _HASHERS[n]() for tensor in layout.tensors for n in each}
    regions = [
        Region(tensor.start, tensor.end, [*(of_tensor[n, tensor.name] for n in each), *whole.values()])
        for tensor in layout.tensors
    ]
    feed(source, regions, progress)
    found: dict[tuple[str, str | None], str] = {key: hasher.hexdigest() for key, hasher in of_tensor.items()}
    for name, hasher in whole.items():
        found[name, None] = str(uuid_of(hasher.digest())) if name == "uuid" else hasher.hexdigest()
    return found
