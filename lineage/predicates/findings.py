"""Statements that say what was found of a thing, and not where it came from: tests, scans, verifications.

Owns: that such a statement attests nothing, so that it can't make an artifact verified that nobody vouched
for; and things that are mentioned in words alone. Does not own: what was found.
"""

from __future__ import annotations

from collections.abc import Sequence

from lineage.graph.model import NodeKind, artifact_keys
from lineage.predicates.artifact_refs import told
from lineage.predicates.delta import Delta
from lineage.predicates.wire import MAX_REFERENCES, limited
from lineage.trust.digest import parse_digest_set
from lineage.trust.statement import RawDescriptor, Statement


def looked_at(statement: Statement, signer_id: str) -> tuple[Delta, tuple[str, ...]]:
    """A delta with the subjects that a digest identifies, and all their keys; nothing is claimed of them."""
    delta = Delta(signer_id)
    keys = (key for subject in statement.subjects for key in artifact_keys(subject.digests))
    return delta, tuple(dict.fromkeys(delta.node(key, NodeKind.ARTIFACT) for key in keys))


def mentioned(raws: Sequence[RawDescriptor], *, where: str) -> tuple[str, ...]:
    """Descriptors of things that get no node, as words.

    Raises:
        MalformedError: a digest that is none.
        TooLargeError: more than `MAX_REFERENCES`.
    """
    limited(raws, MAX_REFERENCES, where=where)
    return tuple(mention(raw, where=f"{where}[{number}]") for number, raw in enumerate(raws))


def mention(raw: RawDescriptor | None, *, where: str) -> str:
    """One of them; "" where there is none, or nothing in it. Raises MalformedError as `mentioned`."""
    if raw is None:
        return ""
    parse_digest_set(raw.digest or {}, where=f"{where}.digest")
    return told(raw) if raw.name or raw.uri or raw.downloadLocation or raw.digest else ""
