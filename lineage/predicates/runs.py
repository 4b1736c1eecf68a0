"""A run's node: its key, what is claimed of it, what it used and made, the same for every predicate."""

from __future__ import annotations

from collections.abc import Iterable

from lineage.errors import MalformedError
from lineage.graph.model import ClaimKind, EdgeType, NodeKind, run_key, uri_key
from lineage.predicates.delta import Delta
from lineage.trust.statement import Statement

FOLLOWED = "urn:lineage:mlflow:"
"""What the builders begin with whose runs our collector may see too."""

_UNDIGESTED = "uri:"


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

    Raises: MalformedError for a builder with a line break. A run's key has one between builder and
        invocation, so one builder's run could be another's.
    """
    if "\n" in builder:
        raise MalformedError("A builder's id has no line break.", where="$.predicate")
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


def used(delta: Delta, run: str, builder: str, named: Iterable[tuple[str, str]]) -> None:
    """The run used these: node keys, each with the URI that the statement gives, or ""."""
    for key, uri in named:
        delta.edge(run, EdgeType.USED, key)
        _digested(delta, run, builder, EdgeType.USED, key, uri)


def made(delta: Delta, run: str, builder: str, named: Iterable[tuple[str, str]]) -> None:
    """The run made these, as in `used`."""
    for key, uri in named:
        delta.edge(key, EdgeType.WAS_GENERATED_BY, run)
        _digested(delta, run, builder, EdgeType.WAS_GENERATED_BY, key, uri)


def _digested(delta: Delta, run: str, builder: str, direction: EdgeType, key: str, uri: str) -> None:
    """Say which `uri:` node this is to somebody who saw it without a digest."""
    if uri and builder.startswith(FOLLOWED) and not key.startswith(_UNDIGESTED):
        delta.claim(run, ClaimKind.DIGESTED, f"{direction} {uri_key(uri)}")
