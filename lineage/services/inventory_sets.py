"""Inventories that were just learned become statements, in sets that are appended at once.

Owns: which of them the log has none of yet, and how large a set is. Does not own: one statement, or which
inventories are believed (`inventories`); appending (`job_lease`).

No set is a step of its job: the log itself tells whoever comes after a kill what is in it, and whoever says
the same once more says it in the same bytes, which are the same entry.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from lineage.db.models import Entry, EntrySubject, ProjectionState
from lineage.predicates import inventory
from lineage.predicates.inventory import Inventory
from lineage.services import inventories, keyring, platform_keys
from lineage.services.log_batch import Prepared
from lineage.services.trust_cutoffs import cutoffs

MAX_SET, MAX_SET_BYTES = 250, 4 << 20
"""Statements appended at once, and bytes of their envelopes from which on no other is added."""


def in_sets(found: Mapping[str, Inventory]) -> Iterator[list[Prepared]]:
    """Signed statements of the artifacts (node keys) of which the log has no inventory that is believed."""
    known = _known(found.keys()) if found else frozenset()
    waiting: list[Prepared] = []
    size, ring = 0, keyring.current()
    for key, each in found.items():
        if key in known:
            continue
        waiting.append(inventories.prepare(key, each, ring))
        size += len(waiting[-1].envelope)
        if len(waiting) >= MAX_SET or size >= MAX_SET_BYTES:
            yield waiting
            waiting, size = [], 0
    if waiting:
        yield waiting


def _known(keys: Collection[str]) -> Collection[str]:
    """Those with an inventory, whether or not the graph has followed the log to it."""
    # The watermark first: whatever lies below it is in the graph when that is asked.
    projected = ProjectionState.objects.values_list("projected", flat=True).filter(pk=1).first() or 0
    found = set(inventories.sizes(keys))
    key_id = platform_keys.load().reverifier.public.key_id
    if key_id not in cutoffs(keyring.current()):
        newer = EntrySubject.objects.filter(
            entry_id__gte=projected,
            entry__kind=Entry.Kind.OBSERVATION,
            entry__predicate_type=inventory.URI,
            entry__key_ids=key_id,
        )
        found.update(newer.filter(digest__in=list(keys)).values_list("digest", flat=True))
    return found
