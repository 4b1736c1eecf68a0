"""The logged links about an artifact: those that made it, those that made what went into it, and so on.

Owns: finding them in the log, and leaving out what is not believed any more. Does not own: judging them
(`trust.layouts`). Classic metadata can't be logged; it is handed in with the question (`layout_verdicts`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from django.db.models import QuerySet

from lineage.db.models import Entry, Envelope, Support
from lineage.errors import MalformedError, TooLargeError
from lineage.graph.model import EdgeType, artifact_keys
from lineage.services import as_of, belief, keyring, trust_cutoffs, withdrawals
from lineage.trust import layouts_model, statement
from lineage.trust.layouts import Evidence, read_evidence
from lineage.trust.layouts_metadata import LINK_PREDICATE
from lineage.trust.opened import open_signed
from lineage.trust.policy import KeyRing

LINK_TYPES = (statement.LINK, LINK_PREDICATE)
MAX_LINKS = 500
"""Entries that are read for one question."""
MAX_DIGESTS = 20_000
_CHUNK = 200


@dataclass(slots=True)
class Found:
    """The links by entry's index, those that are not believed any more, whether a limit left some out, and
    whether there are some that the graph has not followed."""

    links: dict[int, Evidence] = field(default_factory=dict)
    not_believed: list[int] = field(default_factory=list)
    incomplete: bool = False
    behind: bool = False


def about(artifact: str, steps: Collection[str], size: int) -> Found:
    """The links of the steps named `steps` from which `artifact` (a node key) came, below tree size `size`.

    From the artifact on, each link that made or used a known file is taken, then what made its materials.
    Links without products are found by what they used, as far as the graph has followed the log.
    """
    projected = as_of.resolve(None).projected
    version = belief.graph_version(projected)
    found = Found()
    seen: set[int] = set()
    known, news = {artifact}, {artifact}
    ring = keyring.as_of(size)
    while news:
        indexes = set(_entries(news, size)) - seen
        if len(seen) + len(indexes) > MAX_LINKS or len(known) > MAX_DIGESTS:
            found.incomplete = True
            indexes = set(sorted(indexes)[len(seen) - MAX_LINKS :])
        seen |= indexes
        materials: set[str] = set()
        for entry in Entry.objects.filter(index__in=indexes).order_by("index"):
            materials |= _take(entry, steps, ring, size, found)
        news = set() if found.incomplete else materials - known
        known |= news
    made_anew = version is None or belief.graph_version(projected) != version
    found.behind = made_anew or _links(size).filter(index__gte=projected).exists()
    return found


def _links(size: int) -> QuerySet[Entry]:
    return Entry.objects.filter(predicate_type__in=LINK_TYPES, index__lt=size)


def _entries(digests: Collection[str], size: int) -> Iterator[int]:
    """Indexes of the links that made, or used, one of the digests (`<alg>:<hex>`)."""
    listed = sorted(digests)
    links = _links(size)
    for start in range(0, len(listed), _CHUNK):
        chunk = listed[start : start + _CHUNK]
        made = links.filter(subjects__digest__in=chunk).order_by("-index")
        yield from made.values_list("index", flat=True)[: MAX_LINKS + 1]
        used = Support.objects.filter(
            edge__type=EdgeType.USED.value, edge__target__key__in=chunk, index__lt=size
        ).values("index")
        using = links.filter(index__in=used).order_by("-index")
        yield from using.values_list("index", flat=True)[: MAX_LINKS + 1]


def _take(entry: Entry, steps: Collection[str], ring: KeyRing, size: int, found: Found) -> set[str]:
    """Add an entry's link where it is of one of the steps; returns the keys of its materials."""
    content = Envelope.objects.filter(pk=entry.index).values_list("content", flat=True).first()
    if content is None:
        return set()
    data = bytes(content)
    try:
        evidence = read_evidence(data, f"entry {entry.index}", received_us=entry.received_us)
        link = layouts_model.link(evidence.metadata)
    except (MalformedError, TooLargeError):
        return set()  # it is in the log, and says nothing that a layout could use
    if link.name not in steps:
        return set()
    envelope = open_signed(data).envelope
    parsed = statement.parse(envelope.payload_type, envelope.payload)
    if withdrawals.entry_trust(entry, parsed, ring, size) == trust_cutoffs.REVOKED:
        found.not_believed.append(entry.index)
        return set()
    found.links[entry.index] = evidence
    return {key for digests in link.materials.values() for key in artifact_keys(digests)}
