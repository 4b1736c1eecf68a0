"""Outputs that a statement of ours lists: which of its subjects are meant, and what role each has."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from lineage.errors import MalformedError
from lineage.graph.model import ClaimKind, artifact_keys
from lineage.predicates.artifact_refs import known_role
from lineage.predicates.delta import Delta
from lineage.predicates.wire import MAX_REFERENCES, Wire, limited, required
from lineage.trust.digest import parse_digest_set
from lineage.trust.statement import Statement


class Output(Wire, frozen=True):
    """Which subjects, by digest or else by name, have which role."""

    role: str
    name: str = ""
    digest: dict[str, str] = msgspec.field(default_factory=dict)


def output_roles(
    delta: Delta, statement: Statement, subjects: tuple[str, ...], outputs: Sequence[Output]
) -> list[list[str]]:
    """Claim each output's role of the subjects that it means; returns their keys, output by output.

    Raises:
        MalformedError: an output without a role, with one that is none, or that is no subject.
        TooLargeError: more than `MAX_REFERENCES`.
    """
    limited(outputs, MAX_REFERENCES, where="$.predicate.outputs")
    named: dict[str, list[str]] = {}
    for subject, key in zip(statement.subjects, subjects, strict=True):
        for each in (f"name:{subject.name}", *artifact_keys(subject.digests)):
            named.setdefault(each, []).append(key)
    found = []
    for number, output in enumerate(outputs):
        where = f"$.predicate.outputs[{number}]"
        role = known_role(required(output.role, where=f"{where}.role"), strict=True, where=f"{where}.role")
        keys = (
            artifact_keys(parse_digest_set(output.digest, where=f"{where}.digest")) if output.digest else ()
        )
        if not keys and output.name:
            keys = (f"name:{output.name}",)  # no digest's algorithm is called "name"
        meant = [key for each in keys for key in named.get(each, ())]
        if not meant:
            raise MalformedError("An output must be one of the statement's subjects.", where=where)
        for key in meant:
            delta.claim(key, ClaimKind.ROLE, role)
        found.append(meant)
    return found
