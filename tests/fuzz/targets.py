"""Every fuzz target. A new one is a file and a line here."""

from __future__ import annotations

from tests.fuzz import bundle, certificate_chain, envelope, layout, link, log, statement
from tests.fuzz.target import Target

TARGETS: tuple[Target, ...] = (
    envelope.TARGET,
    statement.TARGET,
    bundle.TARGET,
    certificate_chain.TARGET,
    link.TARGET,
    layout.TARGET,
    log.LEAF,
    log.PROOFS,
    log.CHECKPOINT,
)
