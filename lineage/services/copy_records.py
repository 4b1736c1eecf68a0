"""The copies of one artifact as of a moment: where they lie, and how each stands.

Owns: putting rows together to what the rules read, so that a page says what the status says. Does not own:
the rules (`graph.status_copies`), or which copies are due now (`copies`).
"""

from __future__ import annotations

from collections.abc import Iterable

from lineage.graph import sql_claims
from lineage.graph.check_policy import FULL, NEVER_US, overdue_us
from lineage.graph.locations import root_of
from lineage.graph.model import Claim, ClaimKind, NodeKind
from lineage.graph.sql_claims import CheckRow, ClaimRow
from lineage.graph.sql_moment import REVOKED
from lineage.graph.status_copies import NEVER_CHECKED, CopyState, Rules, copies, schedule
from lineage.graph.status_facts import DECIDED, SAID, CheckFact, Facts
from lineage.services import check_policies
from lineage.services.lineage_nodes import Reader
from lineage.services.lineage_records import CopyRecord, Mention
from lineage.trust.leaf import rfc3339


def of_node(number: int, key: str, reader: Reader) -> tuple[tuple[CopyRecord, ...], tuple[Mention, ...]]:
    """The copies of the artifact with node id `number`, and its other locations; by log index."""
    stated = sql_claims.claims(number, ClaimKind.LOCATION, reader.moment)
    if not stated:
        return (), ()
    checks = sql_claims.newest_checks(number, reader.moment)
    facts = _facts(number, key, reader, stated, checks)
    rules = Rules(reader.roots, check_policies.as_of(reader.as_of.size))
    states = copies(facts, rules)
    found: dict[str, CopyRecord] = {}
    mentions = []
    for claim in stated:
        copy = states.get(claim.value)
        if copy is None:
            withdrawn = facts.withdrawn(claim.value)
            mentions.append(Mention(claim.value, claim.index, claim.signer, claim.trust, withdrawn))
        elif claim.trust != REVOKED and claim.value not in found:
            overdue = overdue_us(schedule(facts, rules, claim.value), copy.matches)
            found[claim.value] = _record(
                claim, copy, checks, overdue, root_of(claim.value, rules.roots) or ""
            )
    return tuple(found.values()), tuple(mentions)


def _facts(
    number: int, key: str, reader: Reader, stated: Iterable[ClaimRow], checks: Iterable[CheckRow]
) -> Facts:
    """What is believed at the moment, without what is not: so no cutoffs are needed."""
    facts = Facts(key, NodeKind.ARTIFACT, {})
    rows = [(ClaimKind.LOCATION, claim) for claim in stated]
    for kind in sorted(SAID - {ClaimKind.LOCATION}):
        rows += [(kind, claim) for claim in sql_claims.claims(number, kind, reader.moment)]
    for kind, claim in rows:
        if claim.trust != REVOKED:
            facts.add_claim(Claim(key, kind, claim.value), claim.signer, claim.trust, claim.index)
    for kind, value, index in sql_claims.decided(number, sorted(DECIDED), reader.moment):
        facts.add_claim(Claim(key, kind, value), "", "asserted", index)
    for row in checks:
        fact = CheckFact(row.at_us, row.index, row.outcome, row.strength, row.trust, row.bytes)
        facts.add_check(row.location, fact, row.signer)
    return facts


def _record(
    claim: ClaimRow, copy: CopyState, checks: Iterable[CheckRow], overdue: int, storage: str
) -> CopyRecord:
    deciding = copy.failing or copy.last
    if deciding is None or copy.last is None:
        return CopyRecord(claim.value, NEVER_CHECKED, "", "", "", "", claim.trust, storage)
    row = next(
        row
        for row in checks
        if (row.location, row.at_us, row.index, row.outcome, row.strength)
        == (claim.value, deciding.at_us, deciding.index, deciding.outcome, deciding.strength)
    )
    matched = copy.matches[FULL]
    return CopyRecord(
        location=claim.value,
        outcome=copy.outcome,
        at=rfc3339(row.at_us),
        expected=row.expected,
        observed=row.observed,
        reason=row.reason,
        trust=claim.trust,
        storage=storage,
        method=row.method,
        last_outcome=copy.last.outcome,
        last_at=rfc3339(copy.last.at_us),
        matched_at="" if matched == NEVER_US else rfc3339(matched),
        overdue_at="" if matched == NEVER_US else rfc3339(overdue),
        bytes=copy.bytes,
    )
