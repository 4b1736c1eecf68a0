"""SLSA verification summaries: somebody checked an artifact by a policy. Ours are verdicts on layouts.

Owns: reading them, and what is shown of them. A summary makes nothing verified: it says what its signer
found, and is shown with that, good or bad. Does not own: judging layouts (`trust.layouts`).
Source: SLSA 1.0, verification_summary/v1; SLSA 0.2, verification_summary/v0.2 (members in snake_case).
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from lineage.errors import MalformedError
from lineage.graph.model import GraphDelta, NodeKind, artifact_keys
from lineage.predicates.base import BadNews, PredicateType, Rows
from lineage.predicates.delta import Delta
from lineage.predicates.findings import mentioned
from lineage.predicates.members import rows
from lineage.predicates.wire import Wire, explained, read, required, utc
from lineage.trust.digest import parse_digest_set
from lineage.trust.statement import RawDescriptor, Statement

URI = "https://slsa.dev/verification_summary/v1"
URI_V02 = "https://slsa.dev/verification_summary/v0.2"
LAYOUT_VERDICT = "urn:lineage:layout-verdict:v1"
"""The extension member of summaries that are verdicts on a layout: the report, step by step."""
PASSED, FAILED = "PASSED", "FAILED"
_LEVELS = "$.predicate.verifiedLevels"


class _Verifier(Wire, frozen=True):
    id: str = ""


class _Policy(Wire, frozen=True):
    uri: str = ""
    digest: dict[str, str] | None = None


class _Extension(msgspec.Struct, frozen=True):
    outcome: Literal["verified", "refuted", "inconclusive"]
    reasons: list[str] | None = None


class _Summary(Wire, frozen=True):
    verification_result: str
    verifier: _Verifier = _Verifier()
    time_verified: str = ""
    resource_uri: str = ""
    policy: _Policy = _Policy()
    input_attestations: list[RawDescriptor] | None = None
    verified_levels: list[str] | None = None
    layout_verdict: _Extension | None = msgspec.field(default=None, name=LAYOUT_VERDICT)


class Summary(msgspec.Struct, frozen=True):
    """`outcome` is verified, refuted or inconclusive; `result` the member that others read."""

    result: str
    outcome: str
    reasons: tuple[str, ...]
    verifier: str
    time: str
    resource: str
    policy: str
    policy_sha256: str
    levels: tuple[str, ...]
    inputs: int


class _Summary02(msgspec.Struct, frozen=True):
    """The older form. Levels of dependencies are counts, and say nothing of the subject."""

    verification_result: str
    policy_level: str | None = None
    verifier: _Verifier | None = None
    time_verified: str | None = None
    resource_uri: str | None = None
    policy: _Policy | None = None
    input_attestations: list[RawDescriptor] | None = None

    def newer(self) -> _Summary:
        return _Summary(
            verification_result=self.verification_result,
            verifier=self.verifier or _Verifier(),
            time_verified=self.time_verified or "",
            resource_uri=self.resource_uri or "",
            policy=self.policy or _Policy(),
            input_attestations=self.input_attestations,
            verified_levels=[self.policy_level] if self.policy_level else None,
        )


_DECODER = msgspec.json.Decoder(_Summary)
_DECODER_V02 = msgspec.json.Decoder(_Summary02)


def _read02(statement: Statement) -> _Summary:
    try:
        return _DECODER_V02.decode(statement.predicate or b"{}").newer()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise explained(error, "$.predicate") from error


def summary(statement: Statement) -> Summary:
    """What the statement says. Raises: MalformedError, TooLargeError."""
    older = statement.predicate_type == URI_V02
    found = _read02(statement) if older else read(_DECODER, statement.predicate)
    result = required(found.verification_result, where="$.predicate.verificationResult")
    levels = tuple(found.verified_levels or ())
    if result == PASSED and FAILED in levels:
        raise MalformedError("The summary's result and its levels contradict each other.", where=_LEVELS)
    utc(found.time_verified, where="$.predicate.timeVerified")
    parse_digest_set(found.policy.digest or {}, where="$.predicate.policy.digest")
    inputs = mentioned(found.input_attestations or (), where="$.predicate.inputAttestations")
    extension = found.layout_verdict
    outcome = "verified" if result == PASSED else "refuted"
    if extension is not None:
        if (extension.outcome == "verified") != (result == PASSED):
            raise MalformedError(
                "The summary's result and its outcome contradict each other.",
                where="$.predicate.verificationResult",
            )
        outcome = extension.outcome
    return Summary(
        result,
        outcome,
        tuple((extension.reasons if extension else None) or ()),
        found.verifier.id,
        found.time_verified,
        found.resource_uri,
        found.policy.uri,
        (found.policy.digest or {}).get("sha256", ""),
        levels,
        len(inputs),
    )


def report(statement: Statement) -> dict[str, Any]:
    """The whole report of a verdict on a layout; empty where there is none. Raises: MalformedError."""
    try:
        found: Any = msgspec.json.decode(statement.predicate) if statement.predicate else {}
    except msgspec.DecodeError:
        raise MalformedError("The summary can't be read.", where="$.predicate") from None
    extension = found.get(LAYOUT_VERDICT) if isinstance(found, dict) else None
    return extension if isinstance(extension, dict) else {}


def _project(statement: Statement, signer: str) -> GraphDelta:
    found = summary(statement)
    said = found.result if found.outcome != "inconclusive" else "could not be checked"
    by = found.policy or found.verifier or "a policy without a name"
    delta = Delta(signer)
    for subject in statement.subjects:
        for key in artifact_keys(subject.digests):
            # No ATTESTED claim: that it was checked says nothing of where it came from, and must not turn an
            # artifact that nobody vouched for green.
            delta.node(key, NodeKind.ARTIFACT)
            delta.detail(key, "Verification summary", f"{said}, by {by}")
    return delta.finished()


def _describe(statement: Statement) -> Rows:
    found = summary(statement)
    return rows(
        ("Result", found.result),
        ("Outcome", found.outcome),
        *(("Reason", reason) for reason in found.reasons),
        ("Verifier", found.verifier),
        ("Checked", found.time),
        ("Resource", found.resource),
        ("Policy", found.policy),
        ("Policy's SHA-256", found.policy_sha256),
        ("Levels", found.levels),
        ("Attestations that it rests on", found.inputs),
    )


def _bad_news(statement: Statement) -> BadNews | None:
    outcome = summary(statement).outcome
    return None if outcome == "verified" else BadNews(f"a verification whose outcome is {outcome}")


PREDICATE = PredicateType(
    uris=(URI, URI_V02),
    slug="verification-summary",
    title="Verification summary",
    summary="Says that somebody checked an artifact by a policy, and whether it passed.",
    project=_project,
    describe=_describe,
    example="verification-summary.json",
    bad_news=_bad_news,
)
