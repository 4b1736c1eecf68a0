"""What bills of materials share: whether they are about the subject, digests, and runs inside a statement.

Owns: those three. Does not own: how a format tells of its parts (`cyclonedx_parts`, `spdx_parts`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lineage.errors import MalformedError
from lineage.graph.model import ClaimKind, EdgeType, NodeKind, artifact_keys, run_key
from lineage.predicates.delta import Delta
from lineage.trust.digest import is_known, parse_digest_set
from lineage.trust.statement import Statement


def is_about(statement: Statement, digests: Mapping[str, str], *, where: str) -> bool:
    """Whether what a bill describes is a subject of the statement: one of its digests is, or it has none.

    Raises: MalformedError for a digest that is none, or where one is a subject's and another contradicts it.
    """
    told = parse_digest_set(digests, where=where)
    keys = set(artifact_keys(told))
    about = False
    for subject in statement.subjects:
        differs = any(
            subject.digests.get(name, value) != value for name, value in told.items() if is_known(name)
        )
        if keys & set(artifact_keys(subject.digests)):
            if differs:
                raise MalformedError("Of two digests one is the subject's and one is not.", where=where)
            about = True
        elif not keys and not differs:
            about = True
    return about


def digest_set(listed: Iterable[tuple[str, str]], *, where: str) -> dict[str, str]:
    """Digests that a format lists as a digest set, checked: (in-toto's name of the algorithm, value).

    Raises: MalformedError for a digest that is none, or two different ones by one algorithm.
    """
    found: dict[str, str] = {}
    for name, value in listed:
        read = parse_digest_set({name: value}, where=where)[name]
        if found.setdefault(name, read) != read:
            raise MalformedError(f"There are two {name[:40]} digests, and they differ.", where=where)
    return found


def derived(delta: Delta, sources: Iterable[str], targets: Iterable[str]) -> None:
    """Each source was made from each target. Raises TooLargeError."""
    parts = tuple(targets)
    for source in sources:
        for target in parts:
            delta.edge(source, EdgeType.WAS_DERIVED_FROM, target)


def part_run(
    delta: Delta,
    statement: Statement,
    part: str,
    *,
    name: str = "",
    activity: str = "",
    started: str = "",
    ended: str = "",
) -> str:
    """Enter one of several runs that a statement tells of; returns its node key.

    No builder is named, so the run is known by the statement and by `part`, its name inside it. Times are
    checked UTC texts or "".
    """
    key = run_key(f"urn:lineage:statement:{statement.digest}", part, statement.digest)
    delta.node(key, NodeKind.RUN)
    delta.claim(key, ClaimKind.ATTESTED, statement.predicate_type)
    delta.claim(key, ClaimKind.NAME, name)
    delta.claim(key, ClaimKind.ACTIVITY, activity)
    delta.claim(key, ClaimKind.STARTED, started)
    delta.claim(key, ClaimKind.ENDED, ended)
    return key
