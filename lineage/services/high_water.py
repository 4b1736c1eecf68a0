"""High water: whether the log still holds the newest checkpoint that it has published.

An older database that is put back agrees with itself: nothing in it shows that it was longer. So the newest
published checkpoint is kept in a file outside (`high_water_file`), and a log that does not hold it is *rolled
back*: it takes no entry and signs no checkpoint until a decision in it names that checkpoint as lost
(`epochs`, `lineage log new-epoch`). The decision is what heals; nothing has to be reset by hand.

The file is written after its checkpoint was committed. A process that is killed between leaves it one
checkpoint behind, which is harmless: it then says less than it could, and the next publisher makes up for it.
A file that is put back together with the database shows nothing; only a witness does then.

Owns: reading and replacing the file, comparing it with the log. Does not own: the file's form
(`trust.high_water`), what this process has seen itself (`head_memory`), the decision.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from lineage.db import prepared
from lineage.db.models import Checkpoint, LogHead
from lineage.errors import LineageError, LogIntegrityError, MalformedError, RollbackError, TooLargeError
from lineage.services import epochs, head_memory, high_water_file, keyring
from lineage.services.clock import now_us
from lineage.services.log_head import Head
from lineage.trust import believed
from lineage.trust import checkpoint as notes
from lineage.trust import epochs as names
from lineage.trust import high_water as form
from lineage.trust.high_water import HighWater

__all__ = [
    "HighWater",
    "Rollback",
    "forget",
    "holds",
    "keep",
    "read",
    "refuse",
    "renew",
    "rolled_back",
    "unverified",
    "warning",
]

LOOK_SECONDS = 1.0
"""How long a look that found nothing wrong is enough. What it sees wrong a process looks at each time."""
ASKED_SECONDS = 60.0
"""How long after a question a process looks by itself, so that the next one need not wait for it."""
_LOOK = (
    "SELECT origin, size, policy_index, (SELECT root_hash FROM log_checkpoint WHERE size = %s)"
    " FROM log_head WHERE id = 1"
)
HINT = (
    "Put the newer database back. If what is missing is lost, an operator goes on by `lineage log new-epoch`,"
    " which says so in the log: docs/operate.md, Rolled back."
)
_CHECK_FILE = (
    "Look whether an older database was put back, or somebody changed the file: docs/operate.md, Rolled back."
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rollback:
    """The log has `size` entries, and lacks what it had published: `high_water`, None where no file says so.

    `words` say it to people, in sentences.
    """

    high_water: HighWater | None
    size: int
    words: str


_good_until = [0.0]
"""By the monotonic clock: until then the last look, which found nothing wrong, is enough."""
_asked_at = [float("-inf")]
"""When somebody asked last, by the same clock."""


def forget() -> None:
    """Look anew at the next call, as a process that has just begun: another log lies in the database now."""
    _good_until[0] = 0.0
    head_memory.forget()


def unverified() -> HighWater | None:
    """What the file says, whoever signed it; None where there is no file.

    Raises: LogIntegrityError where it can't be read, or is no high-water file.
    """
    try:
        data = high_water_file.read()
        return None if data is None else form.parse(data)
    except OSError as error:
        raise LogIntegrityError(f"the high-water file can't be read: {error.strerror}") from error
    except (MalformedError, TooLargeError) as error:
        raise LogIntegrityError(
            f"the high-water file was cut off or altered: {error.message}", hint=_CHECK_FILE
        ) from error


def read() -> HighWater | None:
    """The file's checkpoint; None where there is no file.

    Raises: LogIntegrityError as `unverified`; where it is of another log; where no key of this log signed it,
        unless a decision has named it as lost, and its key may be lost with it. LogHead.DoesNotExist before
        the first start.
    """
    high = unverified()
    if high is not None:
        _verify(high, LogHead.objects.get(pk=1))
    return high


def _verify(high: HighWater, head: LogHead | Head) -> None:
    if high.named in epochs.lost(head):
        return
    if names.number_of(head.origin, high.origin) is None:
        raise LogIntegrityError(
            f"the high-water file is of the log {high.origin}, the database holds the log {head.origin}",
            hint="Let LINEAGE_HIGH_WATER name the file of this log, or the database be the one of that log.",
        )
    held = believed.held_since(keyring.by_policy(head.origin, head.policy_index), "log")
    first = max((n for n, (since, _) in enumerate(held) if since < high.size), default=0)
    for _, key in held[first:]:
        try:
            notes.verify(high.note, notes.verifier_key(high.origin, key))
        except LineageError:
            continue
        return
    raise LogIntegrityError(
        f"no key of this log signed the checkpoint of {high.size:,} entries in the high-water file: an older"
        " database, from before the log's key was replaced, may have been put back, or the file was altered",
        hint=_CHECK_FILE,
    )


def rolled_back() -> Rollback | None:
    """Whether the log lacks what it had published; None where it doesn't, and before the first start.

    Cheap where nothing is wrong: this process looks once a second, and `renew` does before that is over. What
    it sees then is of the moment; an append asks `head_memory` too, under the head lock.

    Raises: LogIntegrityError, as `read`.
    """
    now = _asked_at[0] = time.monotonic()
    return _looked() if now >= _good_until[0] or head_memory.wrong() else None


def renew() -> None:
    """Look, where somebody has asked lately, so that nobody waits for it who asks within the next second.

    To be called more than once a second beside those who ask. What it finds wrong each of them finds again.
    Raises: LogIntegrityError, as `read`.
    """
    if time.monotonic() - _asked_at[0] < ASKED_SECONDS:
        try:
            _looked()
        except LogIntegrityError:
            _good_until[0] = 0.0
            raise


def _looked() -> Rollback | None:
    now = time.monotonic()
    found = look()
    _good_until[0] = 0.0 if found else now + LOOK_SECONDS
    return found


def look() -> Rollback | None:
    """The same, looked at now."""
    # File and memory first: what they know was committed before, so a head that is read then is not behind.
    high, seen = unverified(), head_memory.now()
    size = 0 if high is None else high.size
    rows = prepared.fetch(_LOOK, (size,), size=size)
    if not rows:
        return None
    *said, root = rows[0]
    head = Head(*said)
    if high is not None:
        _verify(high, head)
        if high.named not in epochs.lost(head) and not (high.size <= head.size and root == high.root.hex()):
            # A process that was running meanwhile says so: it has to be started again, whatever is decided.
            beneath = head_memory.look(head, epochs.newest(head), seen)
            return Rollback(high, head.size, beneath or _words(head, high))
    newest = epochs.newest(head)
    number = names.number_of(head.origin, high.origin) if high is not None else None
    if number is not None and number > newest.number:
        head_memory.outdated(f"The log is in epoch {number}, and this process remembers what was before it.")
    words = head_memory.look(head, newest, seen)
    return Rollback(high, head.size, words) if words else None


def holds(head: LogHead, high: HighWater) -> bool:
    """Whether this log published the checkpoint. Rows of checkpoints stay for ever, so one must be there."""
    if high.size > head.size:
        return False
    row = Checkpoint.objects.filter(pk=high.size).values_list("root_hash", flat=True).first()
    return row == high.root.hex()


def _words(head: LogHead | Head, high: HighWater) -> str:
    there = f"{high.size:,} entries were published (root {high.root.hex()}, by {high.origin})"
    if high.size > head.size:
        here = f"the database holds {head.size:,}: an older state of it was put back"
    else:
        here = (
            f"the database holds {head.size:,} entries that don't begin with these: an older state was put"
            " back and went on, or the log was written anew"
        )
    return f"{there}, but {here}."


def warning() -> str:
    """Why nothing is appended or published, in sentences for people; "" where nothing is wrong."""
    try:
        found = rolled_back()
    except LogIntegrityError as error:
        return f"{error.message[:1].upper()}{error.message[1:]}. {error.hint}"
    return f"{found.words} {_hint()}" if found else ""


def _hint() -> str:
    return head_memory.HINT if head_memory.wrong() else HINT


def refuse(*, now: bool = False) -> None:
    """Raises: RollbackError where nothing may be appended or published. `now`: looked at now, at any cost."""
    try:
        found = look() if now else rolled_back()
    except LogIntegrityError as error:
        raise RollbackError(f"{error.message[:1].upper()}{error.message[1:]}.", hint=error.hint) from error
    if found is None:
        return
    extra: dict[str, object] = {"log_size": found.size}
    if found.high_water is not None:
        extra |= {"published_size": found.high_water.size, "published_root": found.high_water.root.hex()}
    raise RollbackError(found.words, hint=_hint(), extra=extra)


def keep(checkpoint: Checkpoint) -> None:
    """Put a committed checkpoint into the file, unless what is there is as new or not of this log.

    A file that can't be written is told by `high_water_state`, and written with the next checkpoint: entries
    are taken and checkpoints signed meanwhile.
    """
    try:
        if not _follows(high_water_file.read(), checkpoint):
            return
        with high_water_file.alone():
            data = high_water_file.read()
            if not _follows(data, checkpoint):
                return
            high_water_file.write(_next(data, checkpoint).encode())
    except OSError as error:
        logger.error("The high-water file could not be written: %s", error)


def _follows(data: bytes | None, checkpoint: Checkpoint) -> bool:
    """Whether the checkpoint may replace what is in the file."""
    if data is None:
        return True
    try:
        high = form.parse(data)
    except (MalformedError, TooLargeError):
        return False  # for people to look at; whoever appends or publishes is told
    head = LogHead.objects.get(pk=1)
    if high.named in epochs.lost(head):
        # Not one from before the decision, whoever comes with it late: the log would be rolled back again.
        lost_in = names.number_of(head.origin, high.origin) or 0
        return epochs.at(checkpoint.size).number > lost_in
    return high.size < checkpoint.size and holds(head, high)


def _next(data: bytes | None, checkpoint: Checkpoint) -> HighWater:
    """The file goes on, or is begun."""
    since_us, from_size = now_us(), checkpoint.size
    if data is None:
        logger.warning("The high-water file is begun with %d published entries", checkpoint.size)
    else:
        before = form.parse(data)
        since_us, from_size = before.since_us, before.from_size
    return form.of_note(bytes(checkpoint.note), since_us=since_us, from_size=from_size)
