"""A log of 800 random statements, replayed: graph and statuses at every prefix against a plain reference.

`REPLAY_SEED` draws another log, `REPLAY_SIZE` another length: `make soak` replays 5,000. A failure names
seed, entry and difference.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest

from lineage.services import project
from tests.replay.compare import Reads, entries, fact_differences, neighbours, status_differences
from tests.replay.conftest import SEED
from tests.replay.generator import Generator, Refused
from tests.replay.reference import Reference
from tests.replay.rows import Rows
from tests.replay.statements import ROOTS
from tests.replay.statuses import PRECEDENCE, Judge

SIZE = int(os.environ.get("REPLAY_SIZE", "800"))


def first(differences: Iterator[str]) -> None:
    """Fail with the first difference."""
    for difference in differences:
        pytest.fail(f"REPLAY_SEED={SEED}: {difference}", pytrace=False)


def test_every_prefix_is_what_a_plain_reference_says(generator: Generator) -> None:
    generator.fill(SIZE)
    follow_in_batches(random.Random(SEED))
    log, rows = entries(), Rows()
    reference = Reference()
    judge = Judge(reference, ROOTS)
    reads = Reads(judge, len(log), random.Random(SEED))
    refused = list(generator.refused)
    for entry in log:
        while refused and refused[0].size == entry.index:
            no_key_may(reference, refused.pop(0))
        changed = reference.take(entry.kind, entry.received, entry.envelope)
        size = entry.index + 1
        assert entry.index in reference.allowed, f"REPLAY_SEED={SEED}: nobody may say entry {entry.index}"
        whole = size % 250 == 0 or size == len(log)
        nodes = set(reference.nodes) if whole else neighbours(reference, changed)
        first(status_differences(judge, rows, nodes | rows.turned[size]))
        compare_reads(reads, size, changed)
    first(fact_differences(reference, rows))
    assert says_enough(reference, rows)
    project.rebuild()
    first(rows.unlike(Rows()))


def follow_in_batches(source: random.Random) -> None:
    while project.project_pending(source.choice((1, 2, 7, 40, 200))):
        pass
    assert project.watermark() == SIZE


def compare_reads(reads: Reads, size: int, changed: set[str]) -> None:
    """Now and then the newest nodes, a node that this entry touched or any, closures, and the counts."""
    reference, source = reads.reference, reads.random
    if size % 3 == 0:
        first(reads.list_differences(3))
    nodes = sorted(changed) if changed and source.random() < 0.5 else list(reference.nodes)
    node = source.choice(nodes)
    if size % 9 == 0:
        first(reads.node_differences(node))
    if size % 20 == 0 and reference.nodes[node][0] in ("artifact", "run", "deployment"):
        first(reads.closure_differences(node, "ancestors"))
        first(reads.closure_differences(node, "descendants"))
    if size % 100 == 0:
        first(reads.count_differences())


def no_key_may(reference: Reference, refused: Refused) -> None:
    """What the intake refused for its signers has none that may say it."""
    signed = refused.why in ("not-allowed", "key-not-valid", "signer-unknown", "signature-refuted")
    if signed and reference.accepts(refused.at, refused.envelope):
        told = f"at size {refused.size} the intake refused as {refused.why}: {refused.envelope!r}"
        pytest.fail(f"REPLAY_SEED={SEED}: {told}", pytrace=False)


ALWAYS = frozenset(
    {"no-attestation", "observed-only", "signer-revoked", "uri-only", "never-checked", "key-compromised"}
)
"""Reasons that every log of some hundred entries has."""
IN_THE_END = ALWAYS | {
    "statement-withdrawn",
    "contested-origin",
    "inconclusive",
    "check-overdue",
    "copy-mismatch",
    "input-undigested",
    "observed-differs",
    "key-ended",
}
"""Reasons that a log of the usual length has; a short one may miss any of those that need chance."""
USUAL_SIZE = 800


def says_enough(reference: Reference, rows: Rows) -> bool:
    """Whether the log holds what this test is for, so that an empty generator can't pass."""
    statuses = {piece.status for pieces in rows.pieces.values() for piece in pieces}
    reasons = {reason for _, reasons in statuses for reason in reasons}
    wanted = IN_THE_END if SIZE >= USUAL_SIZE else ALWAYS
    assert not wanted - reasons, f"REPLAY_SEED={SEED}: no {wanted - reasons} in this log"
    return bool(reference.skipped) and {status for status, _ in statuses} == set(PRECEDENCE)
