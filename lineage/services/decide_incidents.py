"""Decisions about incidents: opening one on a node, closing it.

Owns: what such a decision needs before it may be an entry. Does not own: their form
(`trust.incident_decisions`), reading them (`incidents`), or who may decide (the callers check roles, scopes).
"""

from __future__ import annotations

from lineage.errors import ConflictError, MalformedError, NotFoundError
from lineage.graph import sql_taint
from lineage.services import as_of, decide, decide_taint, incidents, lineage_closure
from lineage.services.clock import now_us
from lineage.services.decide import MAX_REASON
from lineage.services.lineage_nodes import Reader
from lineage.services.receipts import Submitted
from lineage.services.second_person import two_people
from lineage.trust import incident_decisions, taint_decisions
from lineage.trust.incident_decisions import MAX_OWNER, MAX_TITLE, SEVERITIES, Closed, Opened, Severity
from lineage.trust.policy import KeyRing


@two_people("officer")
def open_incident(
    key: str,
    title: str,
    severity: Severity,
    reason: str,
    *,
    person: str,
    owner: str = "",
    until_us: int | None = None,
    designates: bool = False,
) -> Submitted:
    """Open an incident on a node of any kind; with `designates` it is bad from this entry on.

    `until_us` in µs: when both end by themselves; None: when it is closed. `person` is an e-mail address,
    `token:<name>` or `os:<login>`.

    Raises: NotFoundError for a node that the graph does not know; MalformedError that names the member.
    """
    key = decide_taint.node_key(key)
    if severity not in SEVERITIES:
        raise MalformedError(f"A severity is one of {', '.join(SEVERITIES)}.", where="severity")
    if until_us is not None and until_us <= now_us():
        raise MalformedError("It ends in the future, or not by itself.", where="until")
    body = Opened(
        key,
        decide_taint.one_line(title, "A title", MAX_TITLE, "title"),
        severity,
        decide_taint.one_line(reason, "A reason", MAX_REASON, "reason"),
        decide_taint.one_line(owner, "An owner", MAX_OWNER, "owner") if owner.strip() else "",
        taint_decisions.until_text(until_us),
        designates,
    )
    reader = Reader(as_of.resolve(None))
    number, kind = lineage_closure.find(key, reader.as_of, "node")
    if designates:
        decide_taint.refuse_kind(kind, "designates")
    name = reader.summaries([number])[number].name
    return decide.record(incident_decisions.build(person, now_us(), body, name), _anyhow)


@two_people("officer")
def close_incident(incident: str, reason: str, *, person: str, clears: bool = False) -> Submitted:
    """Close the incident that the envelope `incident` (`sha256:<hex>`) opened; `reason`: what came of it.

    With `clears` the node is designated as bad no longer, whoever designated it.

    Raises: NotFoundError where there is no such incident; ConflictError where it is closed already, or the
        node that is to be cleared is not designated; MalformedError that names the member.
    """
    reason = decide_taint.one_line(reason, "What came of it", MAX_REASON, "reason")
    found = incidents.opened(incident)
    if found is None:
        raise NotFoundError("There is no such incident.", where="incident")
    opened = found[1]
    reader = Reader(as_of.resolve(None))
    number, _ = lineage_closure.find(opened.node, reader.as_of, "node")
    if clears and number not in sql_taint.decided(reader.moment).designated:
        raise ConflictError(
            "It is not designated as bad now, so there is nothing to clear.",
            hint="Close the incident without that.",
            where="clears",
        )

    def judge(ring: KeyRing, at_us: int) -> None:
        if incidents.closing(incident) is not None:
            raise ConflictError("The incident is closed already.", where="incident")

    name = reader.summaries([number])[number].name
    body = Closed(incident, opened.node, reason, clears)
    return decide.record(incident_decisions.build(person, now_us(), body, name), judge)


def _anyhow(ring: KeyRing, at_us: int) -> None:
    """No key's rights are in question: the platform signs."""
