"""Pages tell of each epoch of the log for ever, and nothing of any where there is only the first."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import reverse

from lineage.db.models import Checkpoint
from lineage.services import epoch_records, high_water, new_epoch, publish
from tests import factories
from tests.integration import rolled_back

WHY = "a <b>disk</b> was swapped"
PAGES = ("/", "/log", "/system")


def published() -> Checkpoint:
    factories.registered()
    made = publish.publish_once()
    assert made is not None
    high_water.keep(made)
    return made


@pytest.fixture
def lost(log: None) -> Iterator[Checkpoint]:
    """The checkpoint that was given up."""
    with rolled_back.kept():
        kept, gone = published(), published()
        rolled_back.roll_back(kept.size)
        new_epoch.begin(WHY, person="os:anna")
        published()
        yield gone


@pytest.mark.parametrize("page", PAGES)
def test_a_first_epoch_says_nothing(log: None, auditor: Client, page: str) -> None:
    with rolled_back.kept():
        published()
        assert "epoch" not in auditor.get(page).content.decode().lower()


def test_every_page_tells_who_gave_up_what_and_why(auditor: Client, lost: Checkpoint) -> None:
    for page in PAGES:
        answer = auditor.get(page)
        assert answer.status_code == 200
        text = answer.content.decode()
        assert "a &lt;b&gt;disk&lt;/b&gt; was swapped" in text
        assert "os:anna" in text
        assert "<b>disk" not in text
    for page in ("/", "/log"):
        text = auditor.get(page).content.decode()
        assert "Published entries were lost: the log is in epoch 2" in text
        assert lost.root_hash in text
        assert "/epoch-2" in text
    (record,) = epoch_records.history()
    decision = auditor.get(reverse("attestation", args=[record.digest])).content.decode()
    assert "New epoch" in decision
    assert lost.root_hash in decision


def test_a_moment_before_it_knows_nothing_of_it(auditor: Client, lost: Checkpoint) -> None:
    before = lost.size - 1
    assert "epoch 2" in auditor.get("/log", {"as_of": str(before + 1)}).content.decode()
    assert "epoch 2" not in auditor.get("/log", {"as_of": str(before)}).content.decode()
