"""What was not accepted and why: counted for good, listed with a cap, its bytes kept for a week."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

import msgspec
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from lineage.db.models import Refusal, RefusalCount
from lineage.errors import LineageError, RedactedError, RollbackError, UnavailableError
from lineage.trust import statement
from lineage.trust.digest import sha256_hex
from lineage.trust.opened import open_signed

MAX_ROWS = 10_000
MAX_KEPT_BYTES = 1 << 20
MAX_KEPT = 500
"""Of so many refusals, the newest, the bytes are kept: half a GiB at the most."""
KEPT_FOR = timedelta(days=7)
_OURS = (UnavailableError, RollbackError)
_MAX_NAMED = 20
_MAX_TEXT = 500


def record(refused: Sequence[tuple[bytes, LineageError]], *, token: str) -> None:
    """Count and list refusals. What failed on our side is no refusal."""
    _keep([_row(data, error, token) for data, error in refused if not isinstance(error, _OURS)])


def record_unread(error: LineageError, *, token: str) -> None:
    """Count and list a body that was over its limit: nobody read it, so it has no digest and no bytes."""
    _keep([Refusal(digest="", slug=error.slug, detail=error.message, token=token)])


def _keep(rows: list[Refusal]) -> None:
    if not rows:
        return
    with transaction.atomic():
        Refusal.objects.bulk_create(rows)
        for slug, count in Counter(row.slug for row in rows).items():
            _count(slug, count)
        newest = rows[-1].pk or Refusal.objects.order_by("-pk").values_list("pk", flat=True)[0]
        Refusal.objects.filter(pk__lte=newest - MAX_ROWS).delete()
        Refusal.objects.filter(pk__lte=newest - MAX_KEPT, content__isnull=False).update(content=None)


def _count(slug: str, count: int) -> None:
    row, created = RefusalCount.objects.get_or_create(
        day=timezone.now().date(), slug=slug, defaults={"count": count}
    )
    if not created:
        RefusalCount.objects.filter(pk=row.pk).update(count=F("count") + count)


def _row(data: bytes, error: LineageError, token: str) -> Refusal:
    if isinstance(error, RedactedError):  # nothing of what was to be forgotten is kept here
        return Refusal(digest=sha256_hex(data), slug=error.slug, detail=error.message, token=token)
    named = _unproven(data)
    return Refusal(
        digest=sha256_hex(data),
        slug=error.slug,
        detail=" ".join(part for part in (error.message, error.where) if part)[: 4 * _MAX_TEXT],
        predicate_type=named.predicate_type,
        subjects="\n".join(named.subjects),
        key_hints="\n".join(named.key_hints),
        token=token,
        content=data if len(data) <= MAX_KEPT_BYTES else None,
    )


class _Unproven(msgspec.Struct):
    predicate_type: str = ""
    subjects: tuple[str, ...] = ()
    key_hints: tuple[str, ...] = ()


def _unproven(data: bytes) -> _Unproven:
    """What the refused bytes say of themselves, as far as they can be read; for people to recognise them."""
    try:
        envelope = open_signed(data).envelope
    except LineageError:
        return _Unproven()
    hints = tuple(_text(s.keyid) for s in envelope.signatures[:_MAX_NAMED] if s.keyid)
    try:
        parsed = statement.parse(envelope.payload_type, envelope.payload)
    except LineageError:
        return _Unproven(key_hints=hints)
    names = tuple(_text(subject.name) for subject in parsed.subjects[:_MAX_NAMED])
    return _Unproven(_text(parsed.predicate_type), names, hints)


def _text(text: str) -> str:
    """Fit for a text column and one line."""
    return text[:_MAX_TEXT].replace("\0", "\N{SYMBOL FOR NULL}").replace("\n", " ")


def listed() -> QuerySet[Refusal]:
    """The kept refusals, newest first, without their bytes."""
    return Refusal.objects.order_by("-pk").defer("content")


def forget_old_bytes() -> int:
    """Drop the bytes of refusals that are older than a week; returns how many rows lost theirs."""
    return Refusal.objects.filter(at__lt=timezone.now() - KEPT_FOR, content__isnull=False).update(
        content=None
    )
