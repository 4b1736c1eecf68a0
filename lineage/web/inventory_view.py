"""What an artifact's bytes consist of, as its page shows it: formats, digests in words, what is unsafe.

Owns: titles, order, and what is cut. Does not own: inventories (`services.inventories`), or formats.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lineage.artifacts.formats import FORMATS, from_values
from lineage.errors import MalformedError, TooLargeError
from lineage.predicates.inventory import Finding, Inventory, InventoryFile
from lineage.services import inventories
from lineage.services.as_of import AsOf

MAX_FILES = 20
MAX_FACTS = 12
UNSAFE_FORMAT = "unsafe-format"

DIGESTS: Mapping[str, tuple[str, str]] = {
    "metadata": ("Metadata", "SHA-256 over all keys and values, the chat template among them."),
    "tensors": ("Tensor table", "SHA-256 over names, types, shapes, places and digests of all tensors."),
    "header": ("Header", "SHA-256 of what stands before the tensors."),
    "gguf-hash:sha256": (
        "GGUF hash, SHA-256",
        "As llama.cpp computes it: over the bytes of tensors alone. A changed chat template leaves it equal.",
    ),
    "gguf-hash:sha1": ("GGUF hash, SHA-1", "As llama.cpp computes it, over the bytes of tensors alone."),
    "gguf-hash:uuid": ("GGUF hash, UUID", "As llama.cpp computes it, over the bytes of tensors alone."),
    "blake3": ("BLAKE3", "Of all bytes of the file."),
}
"""What a named digest is called, and what it covers."""


@dataclass(frozen=True, slots=True)
class NamedDigest:
    title: str
    value: str
    covers: str


@dataclass(frozen=True, slots=True)
class FileView:
    """One file: `parts` counts tensors, keys and so on by kind, `problem` says why it was not looked into."""

    path: str
    size: int
    format: str
    digests: tuple[NamedDigest, ...]
    facts: tuple[tuple[str, str], ...]
    parts: tuple[tuple[str, int], ...]
    problem: str


@dataclass(frozen=True, slots=True)
class InventoryView:
    """`files` are cut at MAX_FILES of `file_count`. `waived`: what is unsafe counts for nothing now."""

    size: int
    files: tuple[FileView, ...]
    file_count: int
    unsafe: Sequence[Finding]
    waived: bool
    omitted: Sequence[str]
    tools: str


def read(key: str, as_of: AsOf, reasons: Sequence[str]) -> InventoryView | None:
    """The inventory that was known at the moment; None without one. `reasons` are those of the status."""
    found = inventories.of_node(key, as_of)
    return None if found is None else _view(found, UNSAFE_FORMAT not in reasons)


def _view(found: Inventory, counts_for_nothing: bool) -> InventoryView:
    looked_into = [file for file in found.files if file.description or file.problem]
    files = looked_into if len(found.files) > 1 else found.files
    return InventoryView(
        size=found.size,
        files=tuple(_file(file) for file in files[:MAX_FILES]),
        file_count=len(found.files),
        unsafe=found.unsafe,
        waived=bool(found.unsafe) and counts_for_nothing,
        omitted=found.omitted,
        tools=", ".join(f"{name} {version}" for name, version in sorted(found.tools.items())),
    )


def _file(file: InventoryFile) -> FileView:
    digests: list[tuple[str, str]] = [("blake3", file.blake3)] if file.blake3 else []
    facts: list[tuple[str, str]] = []
    parts: dict[str, int] = {}
    form, problem = "file", file.problem
    if file.description is not None:
        try:
            described = from_values(file.description)
        except (MalformedError, TooLargeError) as error:
            problem = f"What was recorded of it can't be read: {error.message}"
        else:
            form = described.format
            digests = [*described.digests.items(), *digests]
            facts = list(described.facts.items())[:MAX_FACTS]
            for part in described.parts:
                parts[part.kind] = parts.get(part.kind, 0) + 1
    return FileView(
        path=file.path,
        size=file.size,
        format=next((known.title for known in FORMATS if known.name == form), form),
        digests=tuple(_digest(name, value) for name, value in digests),
        facts=tuple(facts),
        parts=tuple(parts.items()),
        problem=problem,
    )


def _digest(name: str, value: str) -> NamedDigest:
    title, covers = DIGESTS.get(name, (name, ""))
    return NamedDigest(title, value, covers)


def context(key: str, as_of: AsOf, reasons: Sequence[str]) -> dict[str, Any]:
    return {"inventory": read(key, as_of, reasons)}
