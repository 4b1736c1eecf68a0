"""Every fuzz target. A new one is a file and a line here."""

from __future__ import annotations

from tests.fuzz import (
    bundle,
    certificate_chain,
    envelope,
    layout,
    link,
    log,
    log_names,
    openlineage,
    statement,
    witness,
)
from tests.fuzz.target import Target

OF_THE_LOG: tuple[Target, ...] = (*log.TARGETS, *witness.TARGETS, *log_names.TARGETS)
TARGETS: tuple[Target, ...] = (
    envelope.TARGET,
    statement.TARGET,
    bundle.TARGET,
    certificate_chain.TARGET,
    link.TARGET,
    layout.TARGET,
    openlineage.TARGET,
    *OF_THE_LOG,
)
