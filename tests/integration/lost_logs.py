"""Logs that were rolled back, for the tests of epochs: how they are made, published and decided about."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lineage.db.models import Checkpoint, LogHead
from lineage.errors import LineageError
from lineage.services import (
    high_water,
    intake,
    log_audit,
    new_epoch,
    publish,
)
from lineage.trust import checkpoint as notes
from tests import factories
from tests.integration import rolled_back

WHO, WHY = "os:anna", "the disk was swapped"


@pytest.fixture
def water() -> Iterator[None]:
    with rolled_back.kept():
        yield


def submit(count: int = 1) -> list[str]:
    """Digests of envelopes that were acknowledged."""
    signer = factories.registered()
    made = [signer.envelope(factories.statement()) for _ in range(count)]
    digests = []
    for each in intake.submit_set(made, token="t"):
        if isinstance(each, LineageError):
            raise each
        digests.append(each.receipt.digest)
    return digests


def published() -> Checkpoint:
    made = publish.publish_once()
    assert made is not None
    high_water.keep(made)
    return made


def grown(count: int = 1) -> Checkpoint:
    submit(count)
    return published()


def begin(reason: str = WHY) -> int:
    """Index of the decision."""
    done, _ = new_epoch.begin(reason, person=WHO)
    return done.receipt.index


def origin() -> str:
    return LogHead.objects.values_list("origin", flat=True).get(pk=1)


def name_of(made: Checkpoint) -> str:
    return notes.parse_body(notes.split_note(bytes(made.note))[0]).origin


def audited() -> log_audit.AuditReport:
    report = log_audit.audit()
    assert report.wrong == ""
    return report


def lost_log(before: int = 4, after: int = 3) -> tuple[Checkpoint, Checkpoint]:
    """A log that was rolled back: the checkpoint that is still here, and the one that is lost."""
    kept = grown(before)
    lost = grown(after)
    rolled_back.roll_back(kept.size)
    return kept, lost
