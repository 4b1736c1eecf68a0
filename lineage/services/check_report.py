"""What a sweep found becomes entries: inventories of what was new, one check, and the figures of the sweep.

Owns: their form, and reading back what an earlier attempt has said. Does not own: looking (`check_sweep`),
which sweeps there are (`reverify`), or what follows (`graph`).
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from django.db.backends.utils import CursorWrapper

from lineage.db.models import Envelope
from lineage.predicates.inventory import Inventory
from lineage.services import check_learned, inventory_sets, observe
from lineage.services.check_looks import Look
from lineage.services.clock import now_us
from lineage.services.copies import Copy
from lineage.services.job_lease import Lease, Result
from lineage.trust import dsse, statement
from lineage.trust.leaf import rfc3339

CHECK_TYPE = "urn:lineage:predicate:check:v1"
INVENTORY = "inventory "
"""How steps of jobs began that recorded inventories before these were appended in sets."""
_KEEP = (
    "INSERT INTO storage_sweep (storage, job_id, entry_index, started_us, finished_us, bytes, matches, "
    "mismatches, inconclusive) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING"
)

Looks = Mapping[Copy, tuple[Look, int]]
"""What was found at each copy, and when (µs)."""


@dataclass(frozen=True, slots=True)
class Swept:
    """One sweep of `storage`: since when (µs), how many bytes it has read, what it has found."""

    storage: str
    started_us: int
    bytes: int
    looks: Looks

    @property
    def outcomes(self) -> Counter[str]:
        return Counter(look.outcome for look, _ in self.looks.values())


def say(lease: Lease, swept: Swept, *, result: Result | None) -> None:
    """Append it: first what the bytes consist of, so that a later mismatch can be told in words.

    The check is one step of the job, with the row of its figures in the same transaction; with `result` the
    job is done in it too. Raises: FencedError where the lease is lost.
    """
    for prepared in inventory_sets.in_sets(_learned(swept.looks)):
        lease.append_all(prepared)
    rows = [_row(copy, look, at) for copy, (look, at) in swept.looks.items()]
    check = observe.prepare("reverifier", CHECK_TYPE, (copy.key for copy in swept.looks), {"rows": rows})
    counted = swept.outcomes

    def keep(cursor: CursorWrapper, index: int) -> None:
        figures = (counted["match"], counted["mismatch"], counted["inconclusive"])
        place = (swept.storage, lease.job_id, index, swept.started_us, now_us(), swept.bytes)
        cursor.execute(_KEEP, [*place, *figures])

    lease.append(check, _step(swept.looks), result=result, beside=keep)


def _learned(looks: Looks) -> dict[str, Inventory]:
    """What was learned of each artifact (node key), at all of its copies."""
    found: dict[str, Inventory] = {}
    for copy, (look, _) in looks.items():
        if look.inventory is not None:
            found[copy.key] = check_learned.merged(found.get(copy.key), look.inventory)
    return found


def said(lease: Lease) -> Iterator[dict[str, str]]:
    """The rows that earlier attempts, which then ended, have said."""
    for step, index in lease.steps().items():
        if not step.startswith(INVENTORY):
            yield from _rows(index)


def _row(copy: Copy, look: Look, at: int) -> dict[str, object]:
    """A look as a row of a check."""
    row: dict[str, object] = {
        "digest": copy.key,
        "location": copy.location,
        "method": look.method,
        "expected": look.expected,
        "outcome": look.outcome,
        "at": rfc3339(at),
    }
    given = {"observed": look.observed, "reason": look.reason, "bytes": look.bytes}
    return row | {name: value for name, value in given.items() if value}


def _step(looks: Iterable[Copy]) -> str:
    """A step is named by what it covers."""
    names = json.dumps([(copy.key, copy.location) for copy in looks])
    return hashlib.sha256(names.encode()).hexdigest()


def _rows(index: int) -> list[dict[str, str]]:
    """What entry `index`, a check, says."""
    content = Envelope.objects.filter(pk=index).values_list("content", flat=True).first()
    if content is None:  # redacted meanwhile: it found nothing wrong, or it would be there
        return []
    envelope = dsse.parse(bytes(content))
    rows: list[dict[str, str]] = json.loads(
        statement.parse(envelope.payload_type, envelope.payload).predicate
    )["rows"]
    return rows
