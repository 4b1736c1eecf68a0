"""Telling subscribers: the job `notify`, one message a subscription and run.

Owns: what is news to a subscription, the cursor, when to try again. Does not own: subscriptions
(`subscriptions`), what a message says (`news`), or sending (`webhook_message`, `mail_message`).

A message is about a part of the log that its job names, so each attempt says the same under the same id; one
that tells of storages alone for now has another. The cursor moves in the transaction that ends the job: at
least once, and a receiver drops doubles by the id.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from contextlib import nullcontext
from typing import Any

import msgspec
from django.db import transaction

from lineage.db.models import Job, StorageState, Subscription
from lineage.errors import ConfigurationError, ConflictError, GraphBehindError, UnavailableError
from lineage.graph import sql_news
from lineage.graph.sql_news import Window
from lineage.services import as_of, mail_message, news, secret_box, standing, storages, webhook_message
from lineage.services.clock import now_us
from lineage.services.job_lease import Lease, Result
from lineage.services.news import Message, StorageNews
from lineage.services.webhook_message import ReceiverGoneError
from lineage.trust.leaf import rfc3339

KIND = "notify"
LEASE_SECONDS = 120.0
ADVANCE = 1000
"""Entries without news after which the cursor moves on, so that they are not read again."""
TIME_US = 300_000_000
"""Between two looks for what has become overdue by time alone."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 60, 3600
"""After a job that came to nothing, until the next, which says all that has come meanwhile."""
MAX_ERROR = 500
SECRET = "secret"  # noqa: S105 the name of the field


class _Asked(msgspec.Struct, frozen=True):
    """What a job tells, in its arguments. `from_…`: the subscription's cursor."""

    from_index: int
    to_index: int
    from_us: int
    to_us: int
    storages: list[StorageNews]

    @property
    def window(self) -> Window:
        return Window(self.from_index, self.to_index, min(self.from_us, self.to_us), self.to_us)

    def of_storages(self) -> _Asked:
        """The same without what the graph tells; the cursor stays."""
        return msgspec.structs.replace(self, to_index=self.from_index, to_us=self.from_us)

    @property
    def is_of_graph(self) -> bool:
        """Whether more is told than what became of storages."""
        return (self.from_index, self.from_us) != (self.to_index, self.to_us)


def due(at_us: int) -> list[tuple[str, Mapping[str, Any]]]:
    """The jobs that are due: a subscription's id, and what it is to be told."""
    waiting = [row for row in Subscription.objects.filter(paused=False).order_by("pk") if _rested(row, at_us)]
    if not waiting:
        return []
    states = Job.objects.filter(kind=KIND, state__in=(Job.State.QUEUED, Job.State.RUNNING))
    told_now = set(states.values_list("key", flat=True))
    gone = _gone()
    found = []
    for row in waiting:
        if str(row.pk) not in told_now and (asked := _news_of(row, gone, at_us)) is not None:
            found.append((str(row.pk), msgspec.to_builtins(asked)))
    return found


def _rested(row: Subscription, at_us: int) -> bool:
    if not row.failures:
        return True
    pause = min(FIRST_PAUSE_SECONDS << min(row.failures - 1, 20), LONGEST_PAUSE_SECONDS)
    # A time that is still to come was written by a clock that was ahead.
    return row.tried_us + pause * 1_000_000 <= at_us or row.tried_us > at_us


def _gone() -> dict[str, StorageNews]:
    """The storages that are gone now and still configured, by name."""
    rows = StorageState.objects.filter(gone_us__gt=0).order_by("storage")
    found = {row.storage: StorageNews(row.storage, True, row.gone_us, row.error[:MAX_ERROR]) for row in rows}
    return (
        {place.name: found[place.name] for place in storages.listed() if place.name in found} if found else {}
    )


def _back(names: Collection[str]) -> list[str]:
    """Those that were reached since. One that was removed, or of which a restored database knows nothing, was
    not: it stays among what was told to be gone."""
    if not names:
        return []
    rows = StorageState.objects.filter(storage__in=names, gone_us=0, reached_us__gt=0)
    return list(rows.order_by("storage").values_list("storage", flat=True))


def _news_of(row: Subscription, gone: Mapping[str, StorageNews], at_us: int) -> _Asked | None:
    """What the subscription is to be told; None, and its cursor moved on, where there is nothing.

    Of storages alone, and the cursor stays, while the graph is made anew: what it lacks is no news, nor none.
    """
    told = row.told_gone.split()
    changed = [each for name, each in gone.items() if name not in told]
    changed += [StorageNews(name, False, at_us) for name in _back({*told} - gone.keys())]
    of_storages = _Asked(
        row.delivered_index, row.delivered_index, row.delivered_us, row.delivered_us, changed
    )
    try:
        with standing.whole(max(row.delivered_index, standing.late_size())):
            projected = as_of.resolve(None).projected
            asked, is_news, looked = _looked(row, projected, changed, at_us)
    except GraphBehindError:
        return of_storages if changed else None
    if is_news:
        return asked
    if looked or projected - row.delivered_index >= ADVANCE:
        _same(row).update(delivered_index=asked.to_index, delivered_us=asked.to_us)
    return None


def _looked(
    row: Subscription, projected: int, changed: list[StorageNews], at_us: int
) -> tuple[_Asked, bool, bool]:
    """What there is to tell, whether it is news, and whether what time alone changes was looked at, too."""
    looked = row.delivered_us + TIME_US <= at_us or row.delivered_us > at_us
    to_us = at_us if looked else row.delivered_us
    to_index = max(projected, row.delivered_index)
    asked = _Asked(row.delivered_index, to_index, row.delivered_us, to_us, changed)
    came = projected > row.delivered_index
    is_news = bool(changed) or (
        came and bool(news.of_incidents(asked.window) or sql_news.any_by_entries(asked.window))
    )
    return asked, is_news or (looked and sql_news.any_by_time(asked.window)), looked


def _same(row: Subscription) -> Any:
    """The row, unless another has moved its cursor meanwhile."""
    return Subscription.objects.filter(
        pk=row.pk, delivered_index=row.delivered_index, delivered_us=row.delivered_us
    )


def run(lease: Lease) -> Result:
    """The job `notify`: its key is a subscription's id.

    Raises: UnavailableError where the message was not taken; ConflictError where it never will be;
        GraphBehindError where the graph does not tell what the message is about.
    """
    asked = msgspec.convert(lease.arguments, _Asked)
    row = Subscription.objects.filter(pk=int(lease.key)).first()
    if row is None or row.paused:
        return {"told": 0, "reason": "The subscription is paused or removed."}
    if (row.delivered_index, row.delivered_us) != (asked.from_index, asked.from_us):
        return {"told": 0, "reason": "It was told meanwhile."}
    asked, message = _message(asked)
    lease.progress(0, 1, "sending")
    if message.items:
        _try(row, asked, message)
    result: Result = {"told": len(message.items), "of": message.total}
    with transaction.atomic():
        _same(row).update(
            delivered_index=asked.to_index,
            delivered_us=asked.to_us,
            told_gone="\n".join(_told(row, asked)),
            tried_us=now_us(),
            failures=0,
            error="",
        )
        lease.finish(result)
    return result


def _message(asked: _Asked) -> tuple[_Asked, Message]:
    """What there is to tell, and what it says: of storages alone where the graph does not tell the rest.

    Raises: GraphBehindError where there is nothing else.
    """
    try:
        with standing.whole(asked.to_index) if asked.is_of_graph else nullcontext():
            return asked, news.message(asked.window, asked.storages)
    except GraphBehindError:
        if not asked.storages:
            raise
    asked = asked.of_storages()
    return asked, news.message(asked.window, asked.storages)


def _told(row: Subscription, asked: _Asked) -> list[str]:
    back = {each.name for each in asked.storages if not each.gone}
    gone = [each.name for each in asked.storages if each.gone]
    return sorted({*row.told_gone.split(), *gone} - back)


def _try(row: Subscription, asked: _Asked, message: Message) -> None:
    # By what is told, and not by what the job was to tell: a receiver drops what comes under an id again.
    identity = message_id(row.pk, msgspec.to_builtins(asked))
    try:
        send(row, identity, message, webhook_message.NEWS, rfc3339(asked.to_us))
    except ReceiverGoneError as error:
        Subscription.objects.filter(pk=row.pk).update(paused=True, error=error.message, tried_us=now_us())
        raise ConflictError(f"{error.message} The subscription is paused.") from None
    except (UnavailableError, ConfigurationError) as error:
        Subscription.objects.filter(pk=row.pk).update(
            failures=row.failures + 1, error=error.message[:MAX_ERROR], tried_us=now_us()
        )
        raise


def message_id(number: int, arguments: Mapping[str, Any]) -> str:
    """The same for each attempt at telling a subscription the same; `msg_` and 32 hex digits."""
    text = msgspec.json.encode([number, arguments], order="sorted")
    return f"msg_{hashlib.sha256(text).hexdigest()[:32]}"


def send(row: Subscription, identity: str, message: Message, kind: str, at: str) -> None:
    """Send a message to a subscriber, once.

    Raises: UnavailableError; ConfigurationError where there is no mail server, or the secret can't be read.
    """
    if row.kind == Subscription.Kind.EMAIL:
        mail_message.send(row.target, identity, message)
        return
    secret = secret_box.open_box(row.secret_box, f"subscription:{row.pk}", SECRET)
    webhook_message.send(row.target, secret, identity, webhook_message.body(message, kind, at))
