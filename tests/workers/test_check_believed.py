"""Which checks count: none replayed, nobody's but ours, none by a clock set back, none hidden by a flood."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lineage.db.models import Check, Entry, Envelope
from lineage.errors import LineageError
from lineage.services import (
    as_of,
    check_sweep,
    copy_records,
    intake,
    inventories,
    lineage_closure,
    reverify,
)
from lineage.services import copies as due_copies
from lineage.services.clock import now_us
from lineage.services.lineage_nodes import Reader
from tests import factories
from tests.integration.projections import check, observe, send
from tests.workers.copies import Copies, copies_in
from tests.workers.damage_rows import CONTENT, TABLE

WHO = "officer@example.com"
DAY_US = 24 * 3600 * 1_000_000


@pytest.fixture
def copies(tmp_path: Path, graph: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> Copies:
    return copies_in(tmp_path / "storage", graph, monkeypatch)


def test_a_replayed_old_pass(copies: Copies) -> None:
    path = copies.root / "m.bin"
    path.write_bytes(CONTENT)
    key = copies.state(path)
    before_us = now_us()
    assert copies.verify(key) == "match"
    path.write_bytes(b"altered")
    assert copies.verify(key) == "mismatch"
    location, digest = path.as_uri(), key.partition(":")[2]
    observe(check(digest, location, "match", before_us))  # by our own key, later in the log
    copies.follow()
    assert copies.status(key) == ("failed", "copy-mismatch")
    envelope = Envelope.objects.get(pk=Check.objects.filter(outcome="match").order_by("-index")[0].index)
    with pytest.raises(LineageError):  # nor from outside
        intake.submit(bytes(envelope.content).replace(b"}", b"} ", 1), token="t")
    TABLE.append(
        ("file", "altered, and an old pass logged again", "mismatch", "status failed: copy-mismatch")
    )


def test_somebody_elses_match_clears_nothing(copies: Copies) -> None:
    path = copies.root / "m.bin"
    path.write_bytes(CONTENT)
    key = copies.state(path)
    path.write_bytes(b"altered")
    assert copies.verify(key) == "mismatch"
    send(factories.registered(), check(key.partition(":")[2], path.as_uri(), "match", now_us()))
    copies.follow()
    assert copies.status(key) == ("failed", "copy-mismatch")
    TABLE.append(
        ("file", "altered, and a pipeline says that it matches", "mismatch", "status failed: copy-mismatch")
    )


def test_nobody_elses_looks_keep_us_from_looking(copies: Copies) -> None:
    """Whatever somebody else finds, and however often: a copy that we never looked at is due."""
    path = copies.root / "m.bin"
    path.write_bytes(CONTENT)
    key = copies.state(path)
    other = factories.registered()
    for outcome in ("inconclusive", "match", "mismatch"):
        send(other, check(key.partition(":")[2], path.as_uri(), outcome, now_us()))
        copies.follow()
        (place,) = {copy.storage for copy in due_copies.of_node(key)}
        assert [copy.key for copy in due_copies.due(place, limit=9)] == [key], outcome


def test_a_clock_set_back(copies: Copies, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is found after the clock went back counts as later: the log's time never goes back."""
    path = copies.root / "m.bin"
    path.write_bytes(CONTENT)
    key = copies.state(path)
    assert copies.verify(key) == "match"
    an_hour_ago = now_us() - 3600 * 1_000_000
    for module in (reverify, check_sweep):
        monkeypatch.setattr(module, "now_us", lambda: an_hour_ago)
    path.write_bytes(b"altered")
    assert copies.verify(key) == "mismatch"
    assert copies.status(key) == ("failed", "copy-mismatch")
    path.write_bytes(CONTENT)
    assert copies.verify(key) == "match"
    assert copies.status(key) == ("verified", "")
    TABLE.append(("file", "altered, the clock an hour back", "mismatch", "status failed: copy-mismatch"))


def test_a_copy_of_something_without_a_digest_spoils_no_sweep(copies: Copies) -> None:
    """It is named by a URI alone, so no bytes can be compared with it."""
    good = copies.root / "good.bin"
    good.write_bytes(CONTENT)
    key = copies.state(good)
    (copies.root / "named.bin").write_bytes(b"x")
    named = {"name": "named", "downloadLocation": (copies.root / "named.bin").as_uri()}
    made_of_it = factories.provenance([factories.artifact()], [named])
    send(copies.who, made_of_it)
    copies.follow()
    good.write_bytes(b"altered")
    assert copies.run(reverify.ALL) == {"checked": 1, "match": 0, "mismatch": 1, "inconclusive": 0}
    assert copies.status(key) == ("failed", "copy-mismatch")


def test_no_flood_of_looks_puts_a_mismatch_out_of_sight(copies: Copies) -> None:
    """A page reads as much of a copy's checks as its status does."""
    path = copies.root / "m.bin"
    path.write_bytes(CONTENT)
    key = copies.state(path)
    path.write_bytes(b"altered")
    assert copies.verify(key) == "mismatch"
    many = check(key.partition(":")[2], path.as_uri(), "inconclusive", now_us())
    (row,) = many["predicate"]["rows"]
    for start in range(0, 11_000, 1_000):
        numbers = range(start, start + 1_000)
        many["predicate"]["rows"] = [row | {"reason": f"look {number}"} for number in numbers]
        send(copies.who, many)
    copies.follow()
    assert copies.status(key) == ("failed", "copy-mismatch")
    moment = as_of.resolve("")
    number, _ = lineage_closure.find(key, moment)
    (record,), _ = copy_records.of_node(number, key, Reader(moment))
    assert (record.outcome, record.last_outcome, record.method) == ("mismatch", "inconclusive", "sha256")


def test_what_a_revoked_re_verifier_recorded_is_not_compared_with(
    copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever had its key could have recorded shards of other bytes: the whole is read again."""
    path = copies.root / "m.bin"
    path.write_bytes(CONTENT)
    key = copies.state(path)
    assert copies.verify(key) == "match"
    assert inventories.of_node(key) is not None
    signer = Check.objects.get().signer.key.partition(":")[2]
    cutoff = Entry.objects.filter(kind="observation").order_by("index")[0].index
    monkeypatch.setattr("lineage.services.inventories.cutoffs", lambda ring: {signer: cutoff})
    assert inventories.of_node(key) is None
    assert inventories.sizes([key]) == {}
