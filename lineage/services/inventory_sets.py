"""Inventories that were just learned become statements, in sets that are appended at once.

Owns: which of them say what the log has not yet, and how large a set is. Does not own: one statement, or
which inventories are believed (`inventories`); when one says more (`check_learned`); appending (`job_lease`).

No set is a step of its job: the log itself tells whoever comes after a kill what is in it, and whoever says
the same once more says it in the same bytes, which are the same entry.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from lineage.db.models import Entry, EntrySubject, ProjectionState
from lineage.predicates import inventory
from lineage.predicates.inventory import Inventory
from lineage.services import check_learned, inventories, keyring, platform_keys
from lineage.services.log_batch import Prepared
from lineage.services.trust_cutoffs import cutoffs

MAX_SET, MAX_SET_BYTES = 250, 4 << 20
"""Statements appended at once, and bytes of their envelopes from which on no other is added."""


def in_sets(found: Mapping[str, Inventory]) -> Iterator[list[Prepared]]:
    """Signed statements of the artifacts (node keys) of which this says more than any that is believed.

    Each says all that those before it do: the newest is what people are shown.
    """
    known = _known(found.keys()) if found else {}
    waiting: list[Prepared] = []
    size, ring = 0, keyring.current()
    for key, each in found.items():
        recorded = _recorded(key, known[key]) if key in known else None
        if recorded is not None and not check_learned.adds(recorded, each):
            continue
        waiting.append(inventories.prepare(key, check_learned.merged(recorded, each), ring))
        size += len(waiting[-1].envelope)
        if len(waiting) >= MAX_SET or size >= MAX_SET_BYTES:
            yield waiting
            waiting, size = [], 0
    if waiting:
        yield waiting


def _known(keys: Collection[str]) -> Mapping[str, Sequence[int]]:
    """Those with an inventory, each with the entries of them that the graph has not followed the log to."""
    # The watermark first: whatever lies below it is in the graph when that is asked.
    projected = ProjectionState.objects.values_list("projected", flat=True).filter(pk=1).first() or 0
    found: dict[str, list[int]] = {key: [] for key in inventories.sizes(keys)}
    key_id = platform_keys.load().reverifier.public.key_id
    if key_id not in cutoffs(keyring.current()):
        newer = EntrySubject.objects.filter(
            entry_id__gte=projected,
            entry__kind=Entry.Kind.OBSERVATION,
            entry__predicate_type=inventory.URI,
            entry__key_ids=key_id,
        ).order_by("entry_id")
        for key, index in newer.filter(digest__in=list(keys)).values_list("digest", "entry_id"):
            found.setdefault(key, []).append(index)
    return found


def _recorded(key: str, newer: Sequence[int]) -> Inventory | None:
    """What was recorded in the graph and in newer entries; None where none of it can be read any more."""
    recorded = inventories.of_node(key)
    for index in newer:
        found = inventories.of_entry(index)
        if found is not None:
            recorded = check_learned.merged(recorded, found)
    return recorded
