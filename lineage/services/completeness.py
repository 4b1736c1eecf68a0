"""How complete the statements about a thing's lineage are: how many inputs are attested, and every gap.

Owns: the counts and the list. Does not own: what a gap is and what closes it (`gaps`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import msgspec

from lineage.graph.model import NodeKind
from lineage.services import moment_cursor
from lineage.services.as_of import AsOf
from lineage.services.gaps import All
from lineage.services.lineage_closure import find
from lineage.services.lineage_nodes import Reader
from lineage.services.lineage_records import Gap

PAGE = 50
_CHUNK = 500


class Completeness(msgspec.Struct, frozen=True):
    """One page of the gaps of a node and of all that it was made from, with the counts of all.

    Attributes:
        inputs: artifacts that it was made from, directly or not; `attested` of them are what a signed,
            believed statement is about.
        runs: runs behind it, of which `attested_runs` are described by such a statement.
        gaps_by_slug: how many gaps there are for each reason; `gaps_total` in all.
        next: what continues the list, None at its end.
    """

    key: str
    tree_size: int
    projected: int
    inputs: int
    attested: int
    runs: int
    attested_runs: int
    gaps_total: int
    gaps_by_slug: dict[str, int]
    gaps: tuple[Gap, ...]
    next: str | None


def completeness(key: str, as_of: AsOf, *, after: str | None = None, limit: int = PAGE) -> Completeness:
    """Of the node as it was believed at the moment.

    Raises: NotFoundError where it was not known then; MalformedError for a cursor that is none.
    """
    start = moment_cursor.counted(after)
    found = _all(key, as_of)
    root = found.ids[0]
    above = [stands for node, stands in found.stands.items() if node != root]
    inputs = [each for each in above if each.kind is NodeKind.ARTIFACT]
    runs = [each for each in above if each.kind is NodeKind.RUN]
    slugs = found.slugs
    return Completeness(
        key=key,
        tree_size=as_of.size,
        projected=as_of.projected,
        inputs=len(inputs),
        attested=sum(each.attested for each in inputs),
        runs=len(runs),
        attested_runs=sum(each.attested for each in runs),
        gaps_total=len(slugs),
        gaps_by_slug=dict(sorted(Counter(slugs).items())),
        gaps=tuple(found.page(start, limit)),
        next=str(start + limit) if start + limit < len(slugs) else None,
    )


def every_gap(key: str, as_of: AsOf) -> Iterator[Gap]:
    """All of them, for a file. Raises: NotFoundError at once, not while it is read."""
    return _each(_all(key, as_of))


def _each(found: All) -> Iterator[Gap]:
    for start in range(0, len(found.slugs), _CHUNK):
        yield from found.page(start, _CHUNK)


def _all(key: str, as_of: AsOf) -> All:
    root, kind = find(key, as_of)
    return All(root, kind, Reader(as_of))
