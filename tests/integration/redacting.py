"""Redactions, for tests of them: redacting entries by their indexes, and what of them is still there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from django.db import connection

from lineage.db.models import Entry, Envelope
from lineage.services import project, redact
from tests.factories import PERSON

Follow = Callable[[], int]
WHY = "it names a person"


def envelope_of(index: int) -> str:
    """Its digest, `sha256:<hex>`."""
    return f"sha256:{Entry.objects.values_list('envelope_digest', flat=True).get(pk=index)}"


def stored(index: int) -> bool:
    return Envelope.objects.filter(pk=index).exists()


def redacted(*indexes: int, **more: bool) -> int:
    """Redact entries; returns the decision's index."""
    while project.project_pending():
        pass
    digests = [envelope_of(index) for index in indexes]
    return redact.redact(digests, WHY, person=PERSON, **more).receipt.index


def fetched(sql: str) -> list[tuple[str, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


def in_files() -> bytes:
    """What stands in the database's files, the log's and the graph's, and in their journals."""
    path = Path(connection.settings_dict["NAME"])
    files = [path.with_name(path.name + end) for end in ("", "-wal", "-graph", "-graph-wal")]
    return b"".join(each.read_bytes() for each in files if each.exists())
