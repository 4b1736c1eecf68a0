"""What a look learned of bytes that match becomes an inventory, and two inventories of the same bytes one.

Owns: their making, when one says more than another, and the union of both. Does not own: looking
(`check_looks`), the statement (`inventories`), the form (`predicates.inventory`).

What is found in bytes may depend on what the file with them is called. An artifact is its bytes, so what was
found under any name is found of it: a later inventory adds to an earlier one, and clears nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from lineage.artifacts import content, formats
from lineage.artifacts.content import Content
from lineage.artifacts.formats import Description
from lineage.predicates.inventory import ANY_NAME, MAX_FINDINGS, Finding, Inventory, InventoryFile
from lineage.services import inventories

MAX_UNSEEN = 3
"""Files that a note names as not looked into; the inventory has all."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What is in a file: by its format, why that can't be told, or None. `by_bytes`: whatever its name."""

    described: Description | str | None
    by_bytes: bool = False


def single(algorithm: str, found: Content, seen: Seen, ending: str) -> Inventory:
    """Of a file whose digest is of `algorithm`; `ending`: of its name, as of `formats.ending`."""
    file, unsafe = _described_file("", found, seen)
    if algorithm != "sha256":
        file = msgspec.structs.replace(file, sha256="")
    return _inventory([file], unsafe, ANY_NAME if seen.by_bytes else ending)


def folder(found: Iterable[tuple[str, Content, Seen | None]]) -> Inventory:
    """Of a folder, whose files are given by their paths. What they are called is in the digest."""
    files, unsafe = [], []
    for path, each, seen in found:
        file, findings = _described_file(path, each, seen or Seen(None))
        files.append(file)
        unsafe += findings
    return _inventory(files, unsafe, ANY_NAME)


def unseen(learned: Inventory | None) -> str:
    """Which files of a known format could not be looked into, and why; of a folder's the first few."""
    problems = [file for file in learned.files if file.problem] if learned else []
    told = [f"{file.path}: {file.problem}" if file.path else file.problem for file in problems[:MAX_UNSEEN]]
    more = len(problems) - MAX_UNSEEN
    return " ".join(told + ([f"And {more:,} more files were not looked into."] if more > 0 else []))


def adds(recorded: Inventory, found: Inventory) -> bool:
    """Whether what was found is to be said beside what was recorded of the same bytes."""
    if found.unsafe and not recorded.unsafe:
        return True
    return ANY_NAME not in recorded.looked_as and not set(found.looked_as) <= set(recorded.looked_as)


def merged(recorded: Inventory | None, found: Inventory) -> Inventory:
    """Both as one: all that is unsafe, and all names under which was looked; what was recorded first."""
    if recorded is None:
        return found
    known = {file.path: file for file in recorded.files}
    unsafe = dict.fromkeys((*recorded.unsafe, *found.unsafe))
    if recorded.unsafe and ANY_NAME in recorded.looked_as and ANY_NAME in found.looked_as:
        unsafe = dict.fromkeys(recorded.unsafe)  # the same, but for what the file is called in it
    return msgspec.structs.replace(
        found,
        files=tuple(_merged_file(known.get(file.path), file) for file in found.files),
        unsafe=tuple(unsafe)[:MAX_FINDINGS],
        looked_as=tuple(sorted({*recorded.looked_as, *found.looked_as})),
    )


def _merged_file(recorded: InventoryFile | None, found: InventoryFile) -> InventoryFile:
    if recorded is None or recorded.description is None:
        return found
    return msgspec.structs.replace(found, description=recorded.description, problem="")


def _described_file(path: str, found: Content, seen: Seen) -> tuple[InventoryFile, list[Finding]]:
    description = seen.described if isinstance(seen.described, Description) else None
    file = InventoryFile(
        path=path,
        size=found.size,
        sha256=found.digest,
        blake3=found.blake3,
        shards=found.shards,
        description=formats.to_values(description) if description else None,
        problem=seen.described if isinstance(seen.described, str) else "",
    )
    return file, [Finding(path, words) for words in (description.unsafe if description else ())]


def _inventory(files: Sequence[InventoryFile], unsafe: Sequence[Finding], looked_as: str) -> Inventory:
    return Inventory(
        size=sum(file.size for file in files),
        files=tuple(files),
        unsafe=tuple(unsafe[:MAX_FINDINGS]),
        shard_bytes=content.SHARD_BYTES,
        tools=dict(inventories.tools()),
        looked_as=(looked_as,),
    )
