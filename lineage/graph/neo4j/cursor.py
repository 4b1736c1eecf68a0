"""Cursors of lists in Neo4j, as text: `neo4j.<seq>` in the log's order, `neo4j.<count>.<sums>` in the walk's.

Owns: their form, and the checksum of what was shown before one. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from lineage.errors import ConflictError, MalformedError
from lineage.graph.neo4j.queries import SHOWN_MODULUS

_SEQ = re.compile(r"neo4j\.([0-9]{1,19})")
_SHOWN = re.compile(r"neo4j\.([0-9]{1,18})\.([0-9]{1,19})\.([0-9]{1,19})")
_OTHER = re.compile(r"[A-Za-z0-9_]{1,20}:[0-9a-f]{1,128}")


@dataclass(frozen=True, slots=True)
class Shown:
    """How many nodes were shown, with sums of their `seq` and of its squares: the set, whatever its order.

    One node in another's place changes the first sum; the squares tell two swapped pairs apart.
    """

    count: int = 0
    sum: int = 0
    squares: int = 0

    @classmethod
    def parse(cls, text: str) -> Shown:
        """Raises: ConflictError for a cursor of another order or backend, MalformedError for none at all."""
        found = _SHOWN.fullmatch(text)
        if found is None:
            raise _refused(text)
        return cls(*(int(part) for part in found.groups()))

    def with_more(self, seqs: Iterable[int]) -> Shown:
        parts = [seq % SHOWN_MODULUS for seq in seqs]
        squares = sum(part * part % SHOWN_MODULUS for part in parts)
        return Shown(self.count + len(parts), self.sum + sum(parts), self.squares + squares)

    def cursor(self) -> str:
        return f"neo4j.{self.count}.{self.sum}.{self.squares}"


def seq_cursor(seq: int) -> str:
    return f"neo4j.{seq}"


def after_seq(text: str) -> int:
    """Raises: as `Shown.parse`."""
    found = _SEQ.fullmatch(text)
    if found is None:
        raise _refused(text)
    return int(found[1])


def changed_list() -> ConflictError:
    return ConflictError(
        "The list has changed since this cursor was given.",
        hint="Begin again without `after`, as of a fixed moment (`as_of`).",
        where="after",
    )


def _refused(text: str) -> ConflictError | MalformedError:
    known = (_SEQ, _SHOWN, _OTHER)
    if any(pattern.fullmatch(text) for pattern in known):
        return changed_list()
    return MalformedError("This cursor belongs to no page of this list.", where="after")
