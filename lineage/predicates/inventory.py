"""Our `inventory:v1`: what the bytes of an artifact consist of, written down when they matched its digest.

It lets a later mismatch be told in words, and parts be checked. It says what is unsafe to load, too. It does
not vouch for the artifact: where the bytes come from it can't know. Source: docs/predicates/inventory.md.
"""

from __future__ import annotations

from typing import Any

import msgspec

from lineage.errors import MalformedError
from lineage.graph.model import ClaimKind, GraphDelta, NodeKind, artifact_keys
from lineage.predicates.base import BadNews, PredicateType, Rows
from lineage.predicates.delta import Delta
from lineage.predicates.members import rows
from lineage.predicates.wire import Wire, clean, limited, read
from lineage.trust.statement import Statement

MAX_FILES = 20_000
MAX_FINDINGS = 100
MAX_NAMES = 100
URI = "urn:lineage:predicate:inventory:v1"
ANY_NAME = "*"
"""In `looked_as`: another name of the same bytes would have nothing else found in them."""


class InventoryFile(Wire, frozen=True):
    """`path`: relative, empty for a single file; `blake3`, `shards`: lowercase hex; `description`: by format.

    `problem`: why a file of a known format could not be looked into.
    """

    path: str
    size: int
    sha256: str = ""
    blake3: str = ""
    shards: tuple[str, ...] = ()
    description: dict[str, Any] | None = None
    problem: str = ""


class Finding(Wire, frozen=True):
    """Why loading a file is unsafe, a sentence."""

    path: str
    finding: str


class Inventory(Wire, frozen=True, rename="camel"):
    """`size`: bytes of all files; `omitted`: what had to be left out of the statement, which has a limit.

    `looked_as`: the endings of the names under which was looked into the file, empty for one that tells no
    format; ANY_NAME where no name matters. None of them: nobody wrote that down.
    """

    size: int
    files: tuple[InventoryFile, ...]
    unsafe: tuple[Finding, ...] = ()
    shard_bytes: int = 0
    omitted: tuple[str, ...] = ()
    tools: dict[str, str] = msgspec.field(default_factory=dict)
    looked_as: tuple[str, ...] = ()


_JUST_A_FILE, _AS, _NO_ENDING = "file", " as ", "-"
_DECODER = msgspec.json.Decoder(Inventory)


def parse(statement: Statement) -> Inventory:
    """Raises: MalformedError, TooLargeError."""
    found = read(_DECODER, statement.predicate)
    limited(found.files, MAX_FILES, where="$.predicate.files")
    limited(found.unsafe, MAX_FINDINGS, where="$.predicate.unsafe")
    limited(found.looked_as, MAX_NAMES, where="$.predicate.lookedAs")
    if found.size < 0 or any(file.size < 0 for file in found.files):
        raise MalformedError("A size is 0 or more.", where="$.predicate")
    return found


def _project(statement: Statement, signer: str) -> GraphDelta:
    delta = Delta(signer)
    found = parse(statement)
    summary = clean(_summary(found))
    for subject in statement.subjects:
        for key in artifact_keys(subject.digests):
            node = delta.node(key, NodeKind.ARTIFACT)
            delta.claim(node, ClaimKind.INVENTORY, summary)
            for each in found.unsafe:
                where = f"{each.path}: " if each.path else ""
                delta.claim(node, ClaimKind.UNSAFE, clean(f"{where}{each.finding}"))
            if len(found.files) == 1 and not found.files[0].path:
                _fingerprints(delta, node, found.files[0])
    return delta.finished()


def _summary(found: Inventory) -> str:
    formats = sorted({str(file.description.get("format")) for file in found.files if file.description})
    names = f"{_AS}{' '.join(name or _NO_ENDING for name in found.looked_as)}" if found.looked_as else ""
    return f"{found.size} {', '.join(formats) or _JUST_A_FILE}{names}"


def unsettled(summary: str, *, is_folder: bool) -> frozenset[str] | None:
    """The names under which was looked, of the value of a claim INVENTORY; None where no other would matter.

    Those that nobody wrote down are none: once more is looked into a folder, and a file of no known format.
    """
    told, _, names = summary.partition(_AS)
    if not names:
        is_known = not is_folder and told.partition(" ")[2] != _JUST_A_FILE
        return None if is_known else frozenset()
    found = frozenset("" if name == _NO_ENDING else name for name in names.split(" "))
    return None if ANY_NAME in found else found


def _fingerprints(delta: Delta, node: str, file: InventoryFile) -> None:
    """Digests that find the artifact, and never merge it with another."""
    if file.blake3:
        delta.claim(node, ClaimKind.FINGERPRINT, f"blake3:{clean(file.blake3)}")
    digests = (file.description or {}).get("digests")
    for name, value in digests.items() if isinstance(digests, dict) else ():
        if isinstance(value, str) and name.startswith("gguf-hash"):
            delta.claim(node, ClaimKind.FINGERPRINT, clean(f"{name}:{value}"))


def _describe(statement: Statement) -> Rows:
    found = parse(statement)
    return rows(
        ("Files", len(found.files)),
        ("Bytes", f"{found.size:,}"),
        *(("Unsafe", f"{each.path}: {each.finding}" if each.path else each.finding) for each in found.unsafe),
        *(("Left out", each) for each in found.omitted),
    )


def _bad_news(statement: Statement) -> BadNews | None:
    unsafe = len(parse(statement).unsafe)
    return BadNews(f"an inventory with {unsafe} unsafe findings") if unsafe else None


PREDICATE = PredicateType(
    uris=(URI,),
    slug="inventory",
    title="Inventory",
    summary="Says what the bytes of an artifact consist of, as found when they matched its digest.",
    project=_project,
    describe=_describe,
    schema="inventory.json",
    example="inventory.json",
    bad_news=_bad_news,
)
