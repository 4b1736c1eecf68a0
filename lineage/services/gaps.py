"""Gaps: what a node's lineage lacks to be proved, and for each the statement and the command that close it.

Owns: which reasons are gaps, their words, who could sign. Does not own: statuses (`graph.status`), what runs
on MLflow did not record (`run_gaps`).
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from lineage.config import current
from lineage.graph import sql_nodes, sql_walk
from lineage.graph.backend import Direction, Way
from lineage.graph.model import NodeKind
from lineage.services import run_gaps
from lineage.services.as_of import AsOf
from lineage.services.lineage_closure import find
from lineage.services.lineage_nodes import Reader
from lineage.services.lineage_records import Gap, NodeSummary
from lineage.trust.policy import Claimed

MAX_GAPS = 200
_MAX_SIGNERS = 5
_OWN = "urn:lineage:predicate:{}:v1"
_PROVENANCE = "https://slsa.dev/provenance/v1"


@dataclass(frozen=True, slots=True)
class _Missing:
    """`statement` is what closes the gap, in words; `materials`: it is signed by who used the thing."""

    what: str
    closes: str
    by_user: bool = False


_MISSING: Mapping[str, _Missing] = {
    "uri-only": _Missing(
        "It is named, but no digest of its content was recorded: nobody can tell which bytes were meant.",
        "A statement by the run that used it, which names the digest of the bytes as a material",
        by_user=True,
    ),
    "no-attestation": _Missing(
        "Others name it, but no signed statement is about it.", "A signed {} about it"
    ),
    "observed-only": _Missing(
        "Our collector saw it, but whoever made it has not signed anything.", "A signed {} about it"
    ),
    "input-undigested": _Missing(
        "The run used or made something that has no digest.",
        "A statement about the run that gives the digest of every input and output",
        by_user=True,
    ),
}
"""By reason slug."""

_STATEMENTS: Mapping[str, tuple[str, str]] = {
    "dataset": (_OWN.format("dataset"), "dataset statement"),
    "model": (_OWN.format("model"), "model statement"),
    "adapter": (_OWN.format("model"), "model statement"),
    NodeKind.RUN: (_OWN.format("training-run"), "training run statement"),
    NodeKind.HARDWARE: (_OWN.format("hardware-node"), "hardware node statement"),
    NodeKind.DEPLOYMENT: (_OWN.format("deployment"), "deployment statement"),
}
"""By role, then by kind: predicate type, and what it is called."""


def gaps(key: str, as_of: AsOf) -> list[Gap]:
    """The gaps of a node and of everything it was made from, its own first; at most `MAX_GAPS`.

    Raises: NotFoundError where it was not known at the moment.
    """
    root, kind = find(key, as_of)
    return gaps_of(root, kind, Reader(as_of))


def gaps_of(root: int, kind: NodeKind, reader: Reader) -> list[Gap]:
    """As `gaps`, for a node that was found already."""
    all_ids = [root, *sql_walk.closure(root, kind, Way(Direction.ANCESTORS, reader.moment.size))]
    reasons = sql_nodes.with_reasons(all_ids, reader.moment)
    open_ones = {node: _open(slugs) for node, slugs in reasons.items()}
    observed = run_gaps.open_gaps(all_ids, reader.as_of, reader.moment)
    ids = [node for node in all_ids if open_ones.get(node) or node in observed][:MAX_GAPS]
    nodes = reader.summaries(ids)
    found: list[Gap] = []
    for node in ids:
        found += [_gap(slug, nodes[node], reader) for slug in open_ones.get(node, ())]
        found += [_run_gap(gap, nodes[node], reader) for gap in observed.get(node, ())]
    return found[:MAX_GAPS]


def _open(slugs: Collection[str]) -> tuple[str, ...]:
    """Which of a node's reasons are gaps of their own.

    Nobody can sign a statement about what has no digest: its digest closes both.
    """
    implied = "no-attestation" if "uri-only" in slugs else ""
    return tuple(slug for slug in slugs if slug in _MISSING and slug != implied)


def _gap(slug: str, node: NodeSummary, reader: Reader) -> Gap:
    missing = _MISSING[slug]
    predicate_type, called = _statement(node, missing)
    return Gap(
        slug=slug,
        key=node.key,
        name=node.name,
        what=missing.what,
        closes=missing.closes.format(called),
        command=_command(node, predicate_type, missing),
        signers=_signers(node, predicate_type, missing, reader),
    )


def _run_gap(gap: run_gaps.Open, node: NodeSummary, reader: Reader) -> Gap:
    """What a run on MLflow did not record; the statement that closes it is about the run."""
    predicate_type, _ = _STATEMENTS[NodeKind.RUN]
    missing = _Missing(gap.what, gap.closes, by_user=True)
    return Gap(
        slug=gap.slug,
        key=node.key,
        name=node.name,
        what=gap.what,
        closes=gap.closes,
        command=_command(node, predicate_type, missing) if gap.signable else "",
        signers=_signers(node, predicate_type, missing, reader, gap.builder) if gap.signable else (),
    )


def _statement(node: NodeSummary, missing: _Missing) -> tuple[str, str]:
    if missing.by_user:
        return _STATEMENTS[NodeKind.RUN]
    for name in (*node.roles, node.kind):
        if name in _STATEMENTS:
            return _STATEMENTS[name]
    return _PROVENANCE, "provenance statement"


def _command(node: NodeSummary, predicate_type: str, missing: _Missing) -> str:
    """What to run where the bytes are; names in capitals are for the reader to fill in."""
    named = shlex.quote(node.name) if node.kind == NodeKind.ARTIFACT and ":" not in node.name else "PATH"
    about = ["--subject", "OUTPUT", "--material", named] if missing.by_user else ["--subject", named]
    if node.kind == NodeKind.RUN:
        about = ["--subject", "OUTPUT", "--material", "INPUT"]
    config = current()
    return " ".join(
        [
            "lineage attest",
            *about,
            f"--predicate-type {predicate_type} --predicate PREDICATE.json --key KEY.pem",
            f"--url http://{config.host}:{config.port} --token TOKEN",
        ]
    )


def _signers(
    node: NodeSummary, predicate_type: str, missing: _Missing, reader: Reader, builder: str = ""
) -> tuple[str, ...]:
    """Names of the pipeline keys, in force at the moment, whose scopes let them say it."""
    about_it = not missing.by_user and node.kind == NodeKind.ARTIFACT
    kinds = frozenset({node.roles[0] if node.roles else "artifact"} if about_it else {NodeKind.RUN.value})
    builders = frozenset({builder} if builder else ())
    claimed = Claimed(predicate_type, (node.name,) if about_it else (), builders, kinds)
    able = (
        registration.name
        for key_id, registration in reader.ring.keys.items()
        if registration.role == "pipeline"
        and reader.ring.in_force(key_id, reader.as_of.at_us) is None
        and reader.ring.may(key_id, claimed) is None
    )
    return tuple(sorted(set(able))[:_MAX_SIGNERS])
