"""Decisions about artifacts, their copies and their checks, each a signed entry that names the person.

Owns: what such a decision needs before it may be an entry. Does not own: their form
(`trust.artifact_decisions`, `graph.check_policy`), what follows (`graph.status`), or who may decide (the
callers check roles and scopes).
"""

from __future__ import annotations

import re

from lineage.errors import ConflictError, MalformedError, NotFoundError
from lineage.graph import check_policy
from lineage.graph.check_policy import LEVELS, CheckPolicy
from lineage.graph.locations import root_of
from lineage.graph.model import IDENTIFYING_ALGORITHMS
from lineage.graph.status_facts import UNSAFE_FORMAT
from lineage.predicates import wire
from lineage.services import as_of, check_policies, copy_records, decide, lineage_closure, storages
from lineage.services.clock import now_us
from lineage.services.decide import MAX_REASON
from lineage.services.lineage_nodes import Reader
from lineage.services.receipts import Submitted
from lineage.services.second_person import two_people
from lineage.trust import artifact_decisions, canonical, decisions
from lineage.trust.artifact_decisions import ArtifactDecision
from lineage.trust.policy import KeyRing

FINDINGS = (UNSAFE_FORMAT,)
"""What may be waived."""
MAX_LOCATION_BYTES = 2000
POLICY_NAME = "check policy"
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://(?:%[0-9A-Fa-f]{2}|[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-])+")


@two_people("officer")
def add_location(key: str, location: str, reason: str, *, person: str) -> Submitted:
    """Say that a copy of an artifact lies at a location, from where it is read and checked from then on.

    `key` is the artifact's node key, `location` a URI under a configured storage. `person` is an e-mail
    address, `token:<name>` or `os:<login>`, here as in all of these.

    Raises: NotFoundError for an artifact that the graph does not know; MalformedError that names the member.
    """
    place = _uri(location)
    if root_of(place, storages.roots()) is None:
        known = ", ".join(root.uri for root in storages.roots()) or "none"
        raise MalformedError(
            f"{place} lies in no storage that is configured here, so it could never be opened.",
            hint=f"Configured are: {known}. An operator adds others: lineage locations add.",
            where="location",
        )
    body = ArtifactDecision(key, _reason(reason), location=place)
    return _decide(artifact_decisions.ADD_LOCATION, body, person)


@two_people("officer")
def withdraw_location(key: str, location: str, reason: str, *, person: str) -> Submitted:
    """Say that no copy of an artifact lies at a location any more: it is judged and checked no longer.

    What was found there stays in the log, and adding the location again brings its history back.

    Raises: NotFoundError where nobody has stated that location of the artifact; ConflictError where it is
        withdrawn already; MalformedError that names the member.
    """
    reason, place = _reason(reason), wire.location(location.strip())
    number, name = _artifact(key)
    copies, mentions = copy_records.of_node(number, key, Reader(as_of.resolve(None)))
    stated = [mention for mention in mentions if mention.location == place]
    if not stated and all(copy.location != place for copy in copies):
        raise NotFoundError(f"Nobody has stated that {key} lies at {place[:MAX_LOCATION_BYTES]}.")
    if any(mention.withdrawn for mention in stated):
        raise ConflictError(f"{place} is withdrawn already.", where="location")
    body = ArtifactDecision(key, reason, location=place)
    return _append(artifact_decisions.WITHDRAW_LOCATION, body, name, person)


@two_people("officer")
def waive(key: str, finding: str, until_us: int | None, reason: str, *, person: str) -> Submitted:
    """Take it upon oneself that a finding does not make an artifact failed, up to a time.

    `until_us`: µs since the epoch; None: for ever. The newest decision about a finding counts, so a shorter
    waiver ends a longer one. Other findings stay.

    Raises: NotFoundError for an unknown artifact; MalformedError that names the member.
    """
    if finding not in FINDINGS:
        raise MalformedError(
            f"{finding[:40]!r} can't be waived.", hint=f"What can: {', '.join(FINDINGS)}.", where="finding"
        )
    body = ArtifactDecision(
        key, _reason(reason), finding=finding, until=artifact_decisions.until_text(until_us)
    )
    if until_us is not None and until_us <= now_us():
        raise MalformedError("A waiver ends in the future, or never.", where="until")
    return _decide(artifact_decisions.WAIVE, body, person)


@two_people("officer")
def set_criticality(key: str, level: str, reason: str, *, person: str) -> Submitted:
    """Say how critical an artifact is, which rules of the check policy go by; `level` is one of LEVELS.

    Raises: NotFoundError for an unknown artifact; MalformedError that names the member.
    """
    if level not in LEVELS:
        raise MalformedError(f"Criticality is one of {', '.join(LEVELS)}; not {level[:40]!r}.", where="level")
    return _decide(
        artifact_decisions.CRITICALITY, ArtifactDecision(key, _reason(reason), level=level), person
    )


@two_people("officer")
def set_check_policy(policy: CheckPolicy, *, person: str) -> Submitted:
    """Adopt a check policy: every copy is due and ages by it from then on. No artifact has to be known.

    The entry's subject is the SHA-256 of the policy's canonical form.

    Raises: MalformedError that says where, for a policy that can't be written down as it is; ConflictError
        where it is the one that a decision has put in force already.
    """
    body = check_policy.body(policy)
    written = canonical.encode(body)
    if check_policy.parse(written) != policy:
        raise MalformedError("The policy can't be written down exactly: its periods are whole minutes.")
    size = as_of.resolve(None).head
    index = check_policies.index_of(size)
    if index is not None and check_policies.as_of(size) == policy:
        raise ConflictError(f"This policy is in force already, by entry {index}.")
    payload = decisions.build(
        check_policy.ACTION,
        person,
        now_us(),
        body=body,
        subjects=[(POLICY_NAME, {"sha256": canonical.digest(body)})],
    )
    return decide.record(payload, _anyhow)


def _decide(action: str, body: ArtifactDecision, person: str) -> Submitted:
    _, name = _artifact(body.artifact)
    return _append(action, body, name, person)


def _append(action: str, body: ArtifactDecision, name: str, person: str) -> Submitted:
    return decide.record(artifact_decisions.build(action, person, now_us(), body, name), _anyhow)


def _anyhow(ring: KeyRing, at_us: int) -> None:
    """No key's rights are in question: the platform signs."""


def _artifact(key: str) -> tuple[int, str]:
    """Row id and shown name. Raises: NotFoundError; MalformedError where it is no artifact with bytes."""
    if "\0" in key:  # PostgreSQL can't even be asked
        raise NotFoundError("No artifact has a key with U+0000 in it.", where="artifact")
    if key.partition(":")[0] not in IDENTIFYING_ALGORITHMS:
        raise MalformedError(
            "Only an artifact has copies and checks: its key begins with a digest's name, such as sha256:…",
            where="artifact",
        )
    moment = as_of.resolve(None)
    number, _ = lineage_closure.find(key, moment, "artifact")
    return number, Reader(moment).summaries([number])[number].name


def _uri(text: str) -> str:
    """A location in the spelling that claims have. Raises: MalformedError. Source: RFC 3986, section 2."""
    place = text.strip()
    if len(place.encode("utf-8", "surrogatepass")) > MAX_LOCATION_BYTES:
        raise MalformedError(f"A location has at most {MAX_LOCATION_BYTES:,} bytes.", where="location")
    if not _URI.fullmatch(place):
        raise MalformedError(
            "A location is a URI such as file:///srv/models/a.bin or s3://bucket/a.bin.",
            hint="Percent-encode what is no letter, digit or mark of a URI: a space is %20.",
            where="location",
        )
    return wire.location(place)


def _reason(text: str) -> str:
    try:
        return decide.line(text, "A reason", MAX_REASON)
    except MalformedError as error:
        raise MalformedError(error.message, where="reason") from None
