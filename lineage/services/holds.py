"""Legal holds: what must not be redacted, by a signed decision, until another one releases it.

Owns: which holds stand as of a tree size, which entries they cover, and deciding about them. Does not own:
their form (`trust.forgetting_decisions`), or who may decide (the callers check roles and scopes).
"""

from __future__ import annotations

from collections.abc import Sequence

from lineage.db.models import Entry, EntrySigner, EntrySubject
from lineage.errors import ConflictError, MalformedError, NotFoundError
from lineage.services import decide, forgetting
from lineage.services.clock import now_us
from lineage.services.decide import MAX_NAME, MAX_REASON
from lineage.services.forgetting import Decided
from lineage.services.receipts import Submitted
from lineage.services.second_person import two_people
from lineage.trust import forgetting_decisions
from lineage.trust.forgetting_decisions import Hold, ReleaseHold
from lineage.trust.policy import KeyRing


def standing(size: int | None = None) -> list[tuple[Decided, Hold]]:
    """The holds that stand as of a tree size (None: now), in log order."""
    decided = forgetting.believed(size)
    released = {each.body.hold for each in decided if isinstance(each.body, ReleaseHold)}
    return [
        (each, each.body) for each in decided if isinstance(each.body, Hold) and each.index not in released
    ]


def covering(entries: Sequence[Entry], size: int | None = None) -> dict[int, Decided]:
    """Of these entries those that a standing hold covers, by index, with the first such hold."""
    holds = standing(size)
    if not holds or not entries:
        return {}
    indexes = [entry.index for entry in entries]
    subjects = _by_entry(EntrySubject.objects.filter(entry_id__in=indexes).values_list("entry_id", "digest"))
    signers = _by_entry(
        EntrySigner.objects.filter(entry_id__in=indexes).values_list("entry_id", "signer__key_id")
    )
    found: dict[int, Decided] = {}
    for entry in entries:
        names = {
            *subjects.get(entry.index, ()),
            *signers.get(entry.index, ()),
            *entry.key_ids.split(","),
            entry.predicate_type,
            f"sha256:{entry.envelope_digest}",
            f"sha256:{entry.statement_digest}",
        }
        held = next((decided for decided, hold in holds if _covers(hold, names)), None)
        if held is not None:
            found[entry.index] = held
    return found


@two_people("officer")
def place(hold: Hold, *, person: str) -> Submitted:
    """From the decision's entry on nothing that the hold names is redacted.

    Raises: MalformedError that names the member; ConflictError where a hold of that name stands.
    """
    body = Hold(
        _line(hold.name, "A hold's name", MAX_NAME, "name"),
        _line(hold.reason, "A reason", MAX_REASON, "reason"),
        hold.subjects,
        hold.envelopes,
        hold.signers,
        hold.predicate_types,
        hold.everything,
    )
    forgetting_decisions.checked_hold(body)

    def judge(ring: KeyRing, at_us: int) -> None:
        known = next((decided for decided, each in standing() if each.name == body.name), None)
        if known is not None:
            raise ConflictError(f"A hold of that name stands already, by entry {known.index}.", where="name")

    return decide.record(forgetting_decisions.build_hold(person, now_us(), body), judge)


@two_people("officer")
def release(index: int, reason: str, *, person: str) -> Submitted:
    """End the hold that entry `index` placed.

    Raises: MalformedError; NotFoundError where that entry placed none; ConflictError where it was released.
    """
    body = ReleaseHold(index, _line(reason, "A reason", MAX_REASON, "reason"))
    placed = next((e for e in forgetting.believed() if e.index == index and isinstance(e.body, Hold)), None)
    if placed is None:
        raise NotFoundError(f"Entry {index} placed no hold.", where="hold")

    def judge(ring: KeyRing, at_us: int) -> None:
        if all(decided.index != index for decided, _ in standing()):
            raise ConflictError(f"The hold of entry {index} is released already.", where="hold")

    digest = placed.digest.removeprefix("sha256:")
    return decide.record(forgetting_decisions.build_release(person, now_us(), body, digest), judge)


def _covers(hold: Hold, names: set[str]) -> bool:
    named = (*hold.subjects, *hold.envelopes, *hold.signers, *hold.predicate_types)
    return hold.everything or not names.isdisjoint(named)


def _by_entry(rows: object) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for index, value in rows:  # type: ignore[attr-defined]
        found.setdefault(index, []).append(value)
    return found


def _line(text: str, what: str, limit: int, where: str) -> str:
    try:
        return decide.line(text, what, limit)
    except MalformedError as error:
        raise MalformedError(error.message, where=where) from None
