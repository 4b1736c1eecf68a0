"""What every predicate type declares about itself, so that intake, pages and the API need no special case.

Owns: the form of the declaration. Does not own: which types there are (the tuple in `lineage.predicates`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lineage.graph.model import GraphDelta
from lineage.trust.statement import Statement

SMALL_BYTES = 8192
"""Of a statement: what relates each of its things to each other has 61,000 edges then (`delta.MAX_EDGES`)."""
FEW_BYTES, FEW_BRACKETS = 1 << 16, 200
"""A statement of at most so many bytes and opening brackets names fewer things still: each is an object. What
has none of its own, a file of a folder or a parameter, is related to one thing alone."""

Rows = tuple[tuple[str, str], ...]
"""(label, value) rows for a page: plain words, no markup, no U+0000."""


@dataclass(frozen=True, slots=True)
class BadNews:
    """What a statement found wrong, in words that repeat nothing of it but numbers.

    `erasable`: whether the words may stand for it once its bytes are redacted; else they are never redacted.
    """

    words: str
    erasable: bool = False


def _no_news(statement: Statement) -> None:
    return None


@dataclass(frozen=True, slots=True)
class PredicateType:
    """One kind of statement.

    Attributes:
        uris: the `predicateType` values that mean it, case-sensitive, the current one first.
        slug: its name in addresses and file names, `docs/predicates/<slug>.md`.
        title: what people call it.
        summary: one sentence for people.
        project: statement and signer's key id (bare hex) → what it adds to the graph.
            Raises MalformedError where the predicate is not what its type says, TooLargeError over a
            limit.
        describe: the statement as rows that a reader without JSON understands; raises as `project` does.
        schema: file in `schemas/` (JSON Schema 2020-12 of the whole statement); None where others own
            the type.
        example: file in `examples/` (a whole statement).
        materials: path of the predicate member that lists what was used, for tools that hash inputs
            themselves; empty where there is none.
        bad_news: what the statement found wrong, which a redaction must not hide; None: nothing. Raises as
            `project` does.
        speaks_for: predicate (raw JSON) → the builders of what `project` says of it, read without the rest;
            more where that refuses it. Only where so little as `SMALL_BYTES`, or `FEW_BYTES` with
            `FEW_BRACKETS`, is never over a limit. None where the whole of it has to be read. Raises
            MalformedError.
    """

    uris: tuple[str, ...]
    slug: str
    title: str
    summary: str
    project: Callable[[Statement, str], GraphDelta]
    describe: Callable[[Statement], Rows]
    schema: str | None = None
    example: str | None = None
    materials: tuple[str, ...] = ()
    bad_news: Callable[[Statement], BadNews | None] = _no_news
    speaks_for: Callable[[bytes], frozenset[str]] | None = None
