"""What a proof reads: rows of hashes are made once for all proofs of a log. Nothing wrong is given out."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from lineage.db.models import Entry, LogHead
from lineage.errors import LogIntegrityError
from lineage.services import intake, log_hashes, platform_keys, proofs, publish, tiles
from lineage.services.receipts import Submitted
from lineage.trust import checkpoint as notes
from lineage.trust import merkle, tlog_proof
from lineage.trust.leaf import parse
from tests import factories
from tests.integration.thefts import Steal, as_thief

pytestmark = pytest.mark.usefixtures("log")
ENTRIES = 2 * publish.TILE_WIDTH + 3


def grow(count: int) -> list[str]:
    """The envelopes of so many more entries, published."""
    signer = factories.registered()
    lines = [signer.envelope(factories.statement()) for _ in range(count)]
    answers = intake.submit_set(lines, token="test")
    publish.publish_once()
    return [answer.receipt.digest for answer in answers if isinstance(answer, Submitted)]


@pytest.fixture
def digests() -> list[str]:
    """Of a log that has filled two tiles."""
    return grow(ENTRIES)


def plainly(index: int, size: int) -> tuple[bytes, ...]:
    """The proof by the leaves alone."""
    leaves = [bytes(each) for each in Entry.objects.order_by("index").values_list("leaf_hash", flat=True)]

    def get(level: int, number: int) -> bytes:
        if level == 0:
            return leaves[number]
        return merkle.node_hash(get(level - 1, 2 * number), get(level - 1, 2 * number + 1))

    return merkle.inclusion_proof(index, size, get)


def test_roots_of_full_tiles_are_made_once(digests: list[str]) -> None:
    looked = []
    for digest in (digests[-1], digests[-2]):
        with CaptureQueriesContext(connection) as queries:
            proofs.of_envelope(digest)
        looked.append(len(queries))
    assert looked[0] > looked[1] == 1


def test_proofs_are_the_same_from_memory(digests: list[str]) -> None:
    read = [proofs.of_envelope(digest) for digest in digests[::100]]
    assert [proofs.of_envelope(digest) for digest in digests[::100]] == read
    tiles.forget()
    assert [proofs.of_envelope(digest) for digest in digests[::100]] == read


def test_a_remembered_root_serves_no_other_log(digests: list[str]) -> None:
    size = publish.published_size()
    assert merkle.inclusion_proof(size - 1, size, log_hashes.reader(size, "one"))
    with CaptureQueriesContext(connection) as queries:
        merkle.inclusion_proof(size - 1, size, log_hashes.reader(size, "another"))
    assert any("log_tile" in query["sql"] for query in queries)


def test_what_is_remembered_grows_with_the_log() -> None:
    """Tiles that fill up meanwhile, beside proofs of a smaller tree, which are asked for later."""
    key, digests, first = "", list[str](), 0
    for count in (3, 200, 60, 255, 2, 300):
        digests += grow(count)
        size = publish.published_size()
        key, first = publish.verifier_key(), first or size
        for digest in (digests[0], digests[len(digests) // 2], digests[-1]):
            proof = tlog_proof.read(proofs.of_envelope(digest))
            assert tlog_proof.verify(proof, [key])[0].size == size
            assert proof.hashes == plainly(proof.index, size)
        name = publish.verifier_key().partition("+")[0]
        assert merkle.inclusion_proof(1, first, log_hashes.reader(first, name)) == plainly(1, first)


def _tile(steal: Steal) -> None:
    steal("UPDATE log_tile SET hashes = %s WHERE level = 0 AND number = 0", b"\0" * 8192)


def _half_a_tile(steal: Steal) -> None:
    steal("UPDATE log_tile SET hashes = %s WHERE level = 0 AND number = 0", b"\0" * 4096)


def _neighbour(steal: Steal) -> None:
    steal("UPDATE log_tile SET hashes = %s WHERE level = 0 AND number = 1", b"\0" * 8192)


def _no_tile(steal: Steal) -> None:
    steal("DELETE FROM log_tile WHERE level = 0 AND number = 1")


def _leaf(steal: Steal) -> None:
    steal('UPDATE log_entry SET received_us = received_us + 1 WHERE "index" = 100')


def _note(steal: Steal) -> None:
    steal("UPDATE log_checkpoint SET note = %s", b"rubbish\n")


def _signed(root: bytes, more: int = 0) -> Callable[[Steal], None]:
    """By the log's own key."""

    def steal(steal: Steal) -> None:
        size, head = publish.published_size(), LogHead.objects.get(pk=1)
        note = notes.sign(notes.Checkpoint(head.origin, size + more, root), platform_keys.load().log)
        steal("UPDATE log_checkpoint SET note = %s WHERE size = %s", note, size)

    return steal


THEFTS: dict[str, tuple[Callable[[Steal], None], str]] = {
    "the tile of its leaves": (_tile, "entry 100 is not in the tree"),
    "half of that tile": (_half_a_tile, "tile 0/0 can't be filled"),
    "a tile beside it": (_neighbour, "entry 100 is not in the tree"),
    "no tile beside it": (_no_tile, "can't be filled"),
    "what the leaf says": (_leaf, "entry 100 is not in the tree"),
    "no checkpoint": (_note, "does not verify"),
    "another root": (_signed(b"\1" * 32), "entry 100 is not in the tree"),
    "another size": (_signed(b"\1" * 32, 1), "was signed for another log or size"),
}


@pytest.fixture
def hundredth(digests: list[str]) -> str:
    """Of entry 100, that nobody has asked for."""
    return f"sha256:{Entry.objects.get(pk=100).envelope_digest}"


@pytest.mark.parametrize("name", THEFTS)
def test_nothing_is_given_that_does_not_hold(hundredth: str, name: str) -> None:
    theft, says = THEFTS[name]
    with as_thief() as steal:
        theft(steal)
    with pytest.raises(LogIntegrityError, match=says):
        proofs.of_envelope(hundredth)


def test_what_is_remembered_of_another_log_is_read_again(hundredth: str) -> None:
    """A file of the database was put in place of another, of a log by the same keys, under this process."""
    size = publish.published_size()
    right = proofs.of_envelope(hundredth)
    assert parse(tlog_proof.read(right).extra).received_us > 0
    name = publish.verifier_key().partition("+")[0]
    tiles.forget()
    tiles.rows(1, 0, size // publish.TILE_WIDTH, name)
    made = tiles._above.get((name, 1, 0))
    assert made is not None
    tiles._above.put((name, 1, 0), (b"\0" * len(made[0]), *made[1:]))
    assert proofs.of_envelope(hundredth) == right
