"""What a proof reads: roots of full tiles are made once for all proofs of a log, and stay the same."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from lineage.services import intake, log_hashes, proofs, publish, tiles
from lineage.services.receipts import Submitted
from lineage.trust import merkle
from tests import factories

pytestmark = pytest.mark.usefixtures("log")
ENTRIES = 2 * publish.TILE_WIDTH + 3


@pytest.fixture
def digests() -> list[str]:
    """Envelopes of a published log that has filled two tiles."""
    signer = factories.registered()
    lines = [signer.envelope(factories.statement()) for _ in range(ENTRIES)]
    answers = intake.submit_set(lines, token="test")
    publish.publish_once()
    return [answer.receipt.digest for answer in answers if isinstance(answer, Submitted)]


def test_roots_of_full_tiles_are_made_once(digests: list[str]) -> None:
    looked = []
    for digest in (digests[0], digests[-1]):
        with CaptureQueriesContext(connection) as queries:
            proofs.of_envelope(digest)
        looked.append(sum("log_tile" in query["sql"] for query in queries))
    assert looked[0] > looked[1]


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
