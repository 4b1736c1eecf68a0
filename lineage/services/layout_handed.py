"""Files that are handed in with a question about a layout: links that can't be logged, and sublayouts.

They enter the log with the verdict, so they are judged as what enters it then: what a statement said that was
withdrawn before does not count because somebody brings it along.

Owns: reading them, their limits, and what statements are in them. Does not own: whose signatures on them
count (`trust.layouts_belief`), or the verdict (`layout_verdicts`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lineage.errors import MalformedError, TooLargeError
from lineage.trust import layouts
from lineage.trust.digest import sha256_hex
from lineage.trust.layouts import Evidence
from lineage.trust.opened import open_signed

MAX_HANDED = 100
MAX_HANDED_BYTES = 2 << 20
"""Of all files that are handed in with one question: they become part of the entry."""


@dataclass(frozen=True, slots=True)
class Handed:
    """A file with classic metadata. `name` is the file's, as in-toto names it: `<step>.<key id>.link`."""

    name: str
    data: bytes


def read(files: Sequence[Handed]) -> list[Evidence]:
    """What is in the files, one for one. Raises: MalformedError that names the file; TooLargeError."""
    total = sum(len(each.data) for each in files)
    if len(files) > MAX_HANDED:
        raise TooLargeError(f"At most {MAX_HANDED} files are handed in.", limit=MAX_HANDED, where="links")
    if total > MAX_HANDED_BYTES:
        raise TooLargeError(
            f"The files have {total:,} bytes together; the limit is {MAX_HANDED_BYTES:,}.",
            limit=MAX_HANDED_BYTES,
            where="links",
        )
    found = []
    for number, each in enumerate(files):
        name = each.name.strip()
        if not name or len(name) > 300 or not name.isprintable():
            raise MalformedError("A file's name is one printable line.", where=f"links[{number}].name")
        try:
            found.append(layouts.read_evidence(each.data, name, step=step_of(name)))
        except MalformedError as error:
            raise MalformedError(f"{name}: {error.message}", where=f"links[{number}]") from None
    return found


def step_of(name: str) -> str:
    """The step that a file's name gives, `<step>.<8 hex digits>.link`; "" for another name."""
    step, _, rest = name.removesuffix(".link").rpartition(".")
    is_link = name.endswith(".link") and len(rest) == 8 and set(rest) <= set("0123456789abcdef")
    return step if is_link else ""


def statements(files: Sequence[Handed], found: Sequence[Evidence]) -> list[str]:
    """Bare hex of the digest of each file's statement; `found` was read from `files`.

    "" of a classic link: it is one of its own, whatever else says the same.
    """
    return [
        sha256_hex(open_signed(each.data).envelope.payload) if evidence.metadata.form == "dsse" else ""
        for each, evidence in zip(files, found, strict=True)
    ]
