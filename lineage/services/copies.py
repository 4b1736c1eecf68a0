"""Copies: where the bytes of artifacts lie, and how to open them without leaving the storage roots.

Owns: which copies there are now, which of them are due, the one way from a location to a path. Does not own:
which locations are copies (`graph.status_copies`), or hashing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from lineage.db.models import Claim
from lineage.errors import InconclusiveError
from lineage.graph import sql_claims
from lineage.graph.model import ClaimKind
from lineage.graph.sql_moment import REVOKED, Moment
from lineage.graph.status_copies import MAX_CHECK_AGE_US, is_copy
from lineage.graph.status_facts import COPY_SCHEME
from lineage.services import as_of, belief, lineage_closure
from lineage.services.lineage_nodes import storage_roots


@dataclass(frozen=True, slots=True, order=True)
class Copy:
    """`key` is the artifact's node key, `location` a `file://` URI under a storage root."""

    key: str
    location: str


def of_node(key: str) -> list[Copy]:
    """The node's copies, by location. Raises: NotFoundError where the graph has no such node."""
    now = as_of.resolve("")
    number, _ = lineage_closure.find(key, now)
    return sorted(Copy(key, location) for location in _locations(number, belief.moment(now)))


def every(*, due: bool = False) -> list[Copy]:
    """All copies, by artifact and location; with `due` those without a match that still counts."""
    return sorted(_every(due))


def _every(due: bool) -> Iterator[Copy]:
    now = as_of.resolve("")
    moment = belief.moment(now)
    stated = Claim.objects.filter(
        kind=ClaimKind.LOCATION, value__startswith=COPY_SCHEME, index__lt=moment.size
    )
    for number, key in stated.values_list("node_id", "node__key").distinct():
        fresh = _fresh(number, moment) if due else frozenset()
        for location in _locations(number, moment) - fresh:
            yield Copy(key, location)


def _locations(number: int, moment: Moment) -> set[str]:
    claims = sql_claims.claims(number, ClaimKind.LOCATION, moment)
    roots = storage_roots()
    return {claim.value for claim in claims if claim.trust != REVOKED and is_copy(claim.value, roots)}


def _fresh(number: int, moment: Moment) -> frozenset[str]:
    """Locations whose newest believed check is a match that has not aged out."""
    newest: dict[str, bool] = {}
    for check in sql_claims.checks(number, moment):  # newest first
        if check.believed:
            matched = check.outcome == "match" and check.at_us + MAX_CHECK_AGE_US > moment.at_us
            newest.setdefault(check.location, matched)
    return frozenset(location for location, matched in newest.items() if matched)


def path_of(copy: Copy) -> str:
    """The path to open, all links resolved. Source: RFC 8089, section 2.

    Raises: InconclusiveError where nothing is there, or a link leads out of the storage roots.
    """
    _, _, path = copy.location[len(COPY_SCHEME) :].encode("utf-8", "surrogatepass").partition(b"/")
    try:
        real = os.path.realpath(b"/" + unquote_to_bytes(path), strict=True)
    except OSError as error:
        raise InconclusiveError(f"nothing can be opened there: {error.strerror}") from error
    roots = [os.path.realpath(os.fsencode(root)).rstrip(b"/") for root in storage_roots()]
    if not any(real == root or real.startswith(root + b"/") for root in roots):
        raise InconclusiveError("a link there leads out of the storage roots")
    return os.fsdecode(real)
