"""Decisions about artifacts and their copies: writing their statements, and reading them again.

Owns: the bodies of add-location, withdraw-location, waive and criticality. Does not own: who may decide
(`services`), what follows (`graph.status`), or the form around the body (`trust.decisions`).
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from lineage.errors import MalformedError
from lineage.trust import decisions, strictjson
from lineage.trust.decisions import Decision
from lineage.trust.leaf import parse_rfc3339, rfc3339

ADD_LOCATION = "add-location"
WITHDRAW_LOCATION = "withdraw-location"
WAIVE = "waive"
CRITICALITY = "criticality"
ACTIONS = (ADD_LOCATION, WITHDRAW_LOCATION, WAIVE, CRITICALITY)


class ArtifactDecision(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """`artifact` is a node key, `<scheme>:<hex>`; which of the others are there, the action says.

    `finding`: what is waived, `unsafe-format`; `until`: RFC 3339, empty for ever; `level`: how critical.
    """

    artifact: str
    reason: str
    location: str = ""
    finding: str = ""
    until: str = ""
    level: str = ""


_DECODER = msgspec.json.Decoder(ArtifactDecision)
_MEMBERS: Mapping[str, frozenset[str]] = {
    ADD_LOCATION: frozenset({"location"}),
    WITHDRAW_LOCATION: frozenset({"location"}),
    WAIVE: frozenset({"finding"}),
    CRITICALITY: frozenset({"level"}),
}
_OPTIONAL: Mapping[str, frozenset[str]] = {WAIVE: frozenset({"until"})}


def build(action: str, person: str, at_us: int, body: ArtifactDecision, name: str) -> bytes:
    """The statement's payload; `name` is what the artifact is called."""
    scheme, _, value = body.artifact.partition(":")
    return decisions.build(
        action, person, at_us, body=msgspec.to_builtins(body), subjects=[(name, {scheme: value})]
    )


def read(decision: Decision) -> ArtifactDecision:
    """The body of a decision whose action is one of ACTIONS.

    Raises: MalformedError for members that are missing, or not this action's.
    """
    strictjson.check(decision.body, what="decision's body")
    try:
        body = _DECODER.decode(decision.body)
    except msgspec.DecodeError as error:
        raise strictjson.mismatch(error, "The decision's body can't be read") from None
    given = {name for name in ("location", "finding", "until", "level") if getattr(body, name)}
    needed = _MEMBERS[decision.action]
    if not needed <= given or given - needed - _OPTIONAL.get(decision.action, frozenset()):
        raise MalformedError(
            f"The body of {decision.action} has {', '.join(sorted(needed))} and no other members."
        )
    if body.until:
        parse_rfc3339(body.until)
    return body


def until_us(body: ArtifactDecision) -> int:
    """Until when it holds, in µs; 0: for ever."""
    return parse_rfc3339(body.until) if body.until else 0


def until_text(us: int | None) -> str:
    """As `until` has it; None: for ever."""
    return "" if us is None else rfc3339(us)
