"""Gaps: what a node's lineage lacks to be proved, and for each the statement and the command that close it.

Owns: which reasons are gaps, their words, who could sign. Does not own: statuses (`graph.status`), what runs
on MLflow did not record (`run_gaps`), counting what is there (`completeness`).

A status shows the reasons of the worst alone: of something that failed nobody would learn that no statement
is about it. So whether one is, is asked of the statements themselves.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from lineage.config import current
from lineage.graph import sql_attested, sql_nodes, sql_walk
from lineage.graph.backend import Direction, Way
from lineage.graph.model import NodeKind
from lineage.graph.sql_attested import Stands
from lineage.services import run_gaps
from lineage.services.as_of import AsOf
from lineage.services.lineage_closure import find
from lineage.services.lineage_nodes import Reader
from lineage.services.lineage_records import Gap, NodeSummary
from lineage.trust.policy import Claimed, KeyRing

MAX_GAPS = 200
_MAX_SIGNERS = 5
_MAX_NAME = 200
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
    "no-attestation": _Missing("No signed statement that is believed is about it.", "A signed {} about it"),
    "observed-only": _Missing(
        "Our collector saw it, but whoever made it has not signed anything.", "A signed {} about it"
    ),
    "signer-revoked": _Missing(
        "Only a key that is not believed any more signed a statement about it.",
        "A signed {} about it, by a key that is in force",
    ),
    "statement-withdrawn": _Missing(
        "The only signed statement about it was taken back.", "A signed {} about it that is right"
    ),
    "input-undigested": _Missing(
        "The run used or made something that has no digest.",
        "A statement about the run that gives the digest of every input and output",
        by_user=True,
    ),
}
"""By reason slug."""
_UNATTESTED = ("uri-only", "no-attestation", "observed-only", "signer-revoked", "statement-withdrawn")
"""Each says that no believed statement is about it. Nobody can sign one about what has no digest."""

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
    return All(root, kind, reader).page(0, MAX_GAPS)


class All:
    """Every gap of a node and of what it was made from, found at once; words and signers for what is shown.

    Attributes:
        ids: row ids of the node and all that it was made from, itself first.
        stands: of the artifacts and runs among them, whether a believed signed statement is about each.
        slugs: of each gap its reason, in the order of the nodes.
    """

    def __init__(self, root: int, kind: NodeKind, reader: Reader) -> None:
        moment = reader.moment
        self.reader = reader
        self.ids = [root, *sql_walk.closure(root, kind, Way(Direction.ANCESTORS, moment.size))]
        self.stands = sql_attested.attested(self.ids, moment)
        reasons = sql_nodes.with_reasons(self.ids, moment)
        observed = run_gaps.open_gaps(self.ids, reader.as_of, moment)
        self._found: list[tuple[int, str | run_gaps.Open]] = []
        for node in self.ids:
            self._found += [(node, slug) for slug in _open(reasons.get(node, ()), self.stands.get(node))]
            self._found += [(node, gap) for gap in observed.get(node, ())]

    @property
    def slugs(self) -> list[str]:
        return [what if isinstance(what, str) else what.slug for _, what in self._found]

    def page(self, start: int, limit: int) -> list[Gap]:
        """At most `limit` of them from place `start` on, with what closes each."""
        shown = self._found[start : start + limit]
        nodes = self.reader.summaries(list(dict.fromkeys(node for node, _ in shown)))
        able = _able(self.reader)
        return [
            _gap(what, nodes[node], able) if isinstance(what, str) else _run_gap(what, nodes[node], able)
            for node, what in shown
        ]


def _open(slugs: Collection[str], stands: Stands | None) -> list[str]:
    """The gaps of one node, from its status and from whether a believed statement is about it."""
    found = [slug for slug in slugs if slug in _MISSING and slug not in _UNATTESTED]
    if stands is None:
        return found + [slug for slug in slugs if slug in _UNATTESTED]
    if stands.attested:
        return found
    why = (
        "uri-only" if not stands.digested else next((s for s in _UNATTESTED if s in slugs), "no-attestation")
    )
    return [why, *found]


def _gap(slug: str, node: NodeSummary, able: _Able) -> Gap:
    missing = _MISSING[slug]
    predicate_type, called = _statement(node, missing)
    return Gap(
        slug=slug,
        key=node.key,
        name=node.name,
        what=missing.what,
        closes=missing.closes.format(called),
        command=_command(node, predicate_type, missing),
        signers=_signers(node, predicate_type, missing, able),
        predicate_type=predicate_type,
    )


def _run_gap(gap: run_gaps.Open, node: NodeSummary, able: _Able) -> Gap:
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
        signers=_signers(node, predicate_type, missing, able, gap.builder) if gap.signable else (),
        predicate_type=predicate_type if gap.signable else "",
    )


def _statement(node: NodeSummary, missing: _Missing) -> tuple[str, str]:
    if missing.by_user:
        return _STATEMENTS[NodeKind.RUN]
    for name in (*node.roles, node.kind):
        if name in _STATEMENTS:
            return _STATEMENTS[name]
    return _PROVENANCE, "provenance statement"


def _command(node: NodeSummary, predicate_type: str, missing: _Missing) -> str:
    """What to run; words in capitals are for the reader to fill in. Names are quoted for a POSIX shell."""
    if node.kind == NodeKind.RUN:
        about = ["--subject", "OUTPUT", "--material", "INPUT"]
    elif missing.by_user:
        about = ["--subject", "OUTPUT", "--material", _reference(node.name, "PATH")]
    else:
        about = ["--subject", _reference(node.name, node.key if node.kind == NodeKind.ARTIFACT else "PATH")]
    statement = ["--predicate-type", predicate_type, "--predicate", "PREDICATE.json", "--key", "KEY.pem"]
    send = ["--url", current().public_url, "--token", "TOKEN"]
    return shlex.join(["lineage", "attest", *about, *statement, *send])


def _reference(name: str, target: str) -> str:
    """`NAME=TARGET`, so that it is about just those bytes; without the name where it would be misread."""
    fits = name.isprintable() and 0 < len(name) <= _MAX_NAME and "=" not in name and not name.startswith("-")
    return f"{name}={target}" if fits and name != target else target


@dataclass(frozen=True, slots=True)
class _Able:
    """The ring, and ids and names of the pipeline signers that are in force at the moment."""

    ring: KeyRing
    signers: tuple[tuple[str, str], ...]


def _able(reader: Reader) -> _Able:
    """Asked once for all gaps: there may be a thousand keys and hundreds of gaps."""
    ring, at_us = reader.ring, reader.as_of.at_us
    in_force = (
        (key_id, registration.name)
        for key_id, registration in ring.keys.items()
        if registration.role == "pipeline" and ring.in_force(key_id, at_us) is None
    )
    return _Able(ring, tuple(in_force))


def _signers(
    node: NodeSummary, predicate_type: str, missing: _Missing, able: _Able, builder: str = ""
) -> tuple[str, ...]:
    """Names of the signers whose scopes let them say it."""
    about_it = not missing.by_user and node.kind == NodeKind.ARTIFACT
    kinds = frozenset({node.roles[0] if node.roles else "artifact"} if about_it else {NodeKind.RUN.value})
    builders = frozenset({builder} if builder else ())
    claimed = Claimed(predicate_type, (node.name,) if about_it else (), builders, kinds)
    names = {name for key_id, name in able.signers if able.ring.may(key_id, claimed) is None}
    return tuple(sorted(names)[:_MAX_SIGNERS])
