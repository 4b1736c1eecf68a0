"""Begin an epoch: the log goes on without what it had published and lost, under another name, and says so.

Everything happens under the head lock, in the transaction that appends the decision: there is no state
between a log that is rolled back and one that is in a new epoch, whoever is killed when. Two who decide at
once: the second finds that nothing is rolled back any more.

Owns: what is lost beside what is here, and what the decision needs. Does not own: noticing it (`high_water`),
the decision's form (`trust.epoch_decisions`), names (`trust.epochs`).
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from lineage.db.models import LogHead
from lineage.errors import ConflictError, LineageError, MalformedError
from lineage.services import (
    access_records,
    append,
    decide,
    epochs,
    high_water,
    keyring,
    platform_keys,
    publish,
    receipts,
    second_person,
)
from lineage.services.clock import now_us
from lineage.services.log_batch import Prepared
from lineage.services.receipts import Submitted
from lineage.trust import believed, decisions, dsse, epoch_decisions, statement
from lineage.trust import checkpoint as notes
from lineage.trust import epochs as names
from lineage.trust.epoch_decisions import MAX_REASON, LostBody, NewEpoch
from lineage.trust.epochs import Epoch
from lineage.trust.high_water import HighWater
from lineage.trust.policy import KeyRing

_CHANGED = "The log or its high-water file has changed meanwhile. Look again."


@dataclass(frozen=True, slots=True)
class Loss:
    """What was published and is not here, and what is.

    Attributes:
        lost: the newest checkpoint that was published, from the high-water file.
        size: entries that are here; `published` of them are covered by a checkpoint, of root `root_hash`
            (hex, "" where there is none yet).
        epoch: the one that the log would go on in; `before` is the number of the one that it is in.
        signed: whether a key of the log signed `lost`: one that the log here names, or one that it does not
            name any more but that is still kept where the platform's keys are.
    """

    lost: HighWater
    size: int
    published: int
    root_hash: str
    epoch: Epoch
    before: int
    signed: bool

    @property
    def forked(self) -> bool:
        """Whether there are as many entries here as were published, or more: then they are other ones."""
        return self.size >= self.lost.size


def loss() -> Loss | None:
    """None where the log holds what it has published, as far as the high-water file tells.

    Raises: LogIntegrityError where that file can't be read, or is none; ConflictError for another log's.
    """
    high = high_water.unverified()
    head = LogHead.objects.get(pk=1)
    if high is None or high.named in epochs.lost(head) or high_water.holds(head, high):
        return None
    number = names.number_of(head.origin, high.origin)
    if number is None:
        raise ConflictError(
            f"The high-water file is of the log {high.origin}, but the database holds the log {head.origin}.",
            hint="That shows no loss of this log. Let LINEAGE_HIGH_WATER name this log's own file.",
        )
    before = epochs.newest(head).number
    # A name that was used in what is lost has a tree already, which is not this one.
    following = max(before, number) + 1
    newest = publish.newest()
    return Loss(
        lost=high,
        size=head.size,
        published=newest.size if newest else 0,
        root_hash=newest.root_hash if newest else "",
        epoch=Epoch(following, names.name(head.origin, following), head.size),
        before=before,
        signed=_signed(high, keyring.by_policy(head.origin, head.policy_index)),
    )


def _signed(high: HighWater, ring: KeyRing) -> bool:
    """By a key that the log here names, or that is kept although the decision about it was lost."""
    known = [key for _, key in believed.held_since(ring, "log")]
    known += [key.public for key in platform_keys.store().held("log")]
    for key in known:
        try:
            notes.verify(high.note, notes.verifier_key(high.origin, key))
        except LineageError:
            continue
        return True
    return False


def begin(
    reason: str, *, person: str, shown: Loss | None = None, unverified: bool = False
) -> tuple[Submitted, Epoch]:
    """Give up what is lost, by a signed decision after which entries are taken again.

    `shown`: what the person was told is lost; it must still be so. `unverified`: also where no key that is
    known here signed what is said to be lost.

    Raises: MalformedError for a reason that is none; ConflictError where nothing is lost (any more), or the
        high-water file is not to be believed; as `loss`.
    """
    reason = decide.line(reason, "A reason", MAX_REASON)
    found = loss()
    if found is None:
        raise nothing()
    if shown is not None and found != shown:
        raise ConflictError(_CHANGED)
    if not found.signed and not unverified:
        raise ConflictError(
            f"No key that is known here signed the checkpoint of {found.lost.size:,} entries in the"
            " high-water file, so it may be forged. Nothing was decided.",
            hint="Was the log's key replaced after this state of the log, put that key back first: the"
            " restored log does not name it. If it is lost for good, --unverified goes on, and the entry"
            " says what the file said.",
        )
    lost = LostBody(found.lost.origin, found.lost.size, found.lost.root.hex(), found.lost.note.decode())
    body = NewEpoch(found.epoch.number, found.before, found.size, lost, reason)
    payload = epoch_decisions.build(person, now_us(), body)
    return _append(payload, found), found.epoch


def _append(payload: bytes, found: Loss) -> Submitted:
    decision = decisions.parse(statement.parse(dsse.INTOTO_PAYLOAD_TYPE, payload))
    ring = keyring.current()

    def judge(now: KeyRing, at_us: int) -> None:
        """Under the head lock: nobody has appended since the file was looked at, and it says the same."""
        named = found.lost.named
        if any((each.lost.origin, each.lost.size, each.lost.root) == named for each in now.epochs):
            raise nothing(now)
        again = loss()
        if again is None:
            raise nothing(now)
        if again != found:
            raise ConflictError(_CHANGED)
        holder = now.holder("platform")
        try:
            believed.check(now, decision, again.size, at_us, [holder.key_id] if holder else [])
        except MalformedError as error:
            raise ConflictError(error.message, hint=error.hint) from None

    payload = second_person.before_signing(payload, ring, now_us(), judge)
    prepared = _sign(payload, ring, judge, found)
    appended = append.raise_first(append.append([prepared]))
    keyring.current()
    access_records.decided(appended.index)
    return receipts.submitted(prepared, appended)


def _sign(payload: bytes, ring: KeyRing, judge: decide.Judge, found: Loss) -> Prepared:
    return msgspec.structs.replace(
        decide.sign(payload, ring, judge),
        heals=found.lost.named,
        renew=lambda newer: _sign(payload, newer, judge, found),
    )


def nothing(ring: KeyRing | None = None) -> ConflictError:
    """That there is nothing to give up (any more); `ring`: of the log as it is now."""
    begun = (ring or keyring.current()).epochs
    if not begun:
        return ConflictError("Nothing that this log has published is missing here.")
    return ConflictError(
        "Nothing that this log has published is missing here any more:"
        f" epoch {begun[-1].number} began with entry {begun[-1].from_size:,}."
    )
