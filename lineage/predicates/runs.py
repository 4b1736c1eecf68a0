"""A run's node: its key and what is claimed of it, the same for every predicate that tells of runs."""

from __future__ import annotations

from lineage.graph.model import ClaimKind, NodeKind, run_key
from lineage.predicates.delta import Delta
from lineage.trust.statement import Statement


def run(
    delta: Delta,
    statement: Statement,
    *,
    builder: str = "",
    invocation: str = "",
    name: str = "",
    activity: str = "",
    started: str = "",
    ended: str = "",
) -> str:
    """Enter the run that a statement tells of; returns its node key.

    `started` and `ended` are checked UTC texts or "". With a builder the statement speaks for that builder.
    Without a builder's invocation id the run is known by the statement alone.
    """
    key = run_key(builder, invocation if builder else "", statement.digest)
    delta.node(key, NodeKind.RUN)
    delta.claim(key, ClaimKind.ATTESTED, statement.predicate_type)
    delta.claim(key, ClaimKind.NAME, name or invocation)
    delta.claim(key, ClaimKind.ACTIVITY, activity)
    delta.claim(key, ClaimKind.STARTED, started)
    delta.claim(key, ClaimKind.ENDED, ended)
    delta.detail(key, "Builder", builder)
    if name:
        delta.detail(key, "Invocation", invocation)
    if builder:
        delta.builder(builder)
    return key
