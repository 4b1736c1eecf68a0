"""Incidents as they stand at a moment: which are open, what each affects, who was told, what was decided.

Owns: reading them from the log's decisions. Does not own: opening and closing (`decide_incidents`), what a
node affects (`impact`), or telling subscribers (`notify`, `news`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from lineage.db.models import Subscription
from lineage.errors import MalformedError, NotFoundError
from lineage.graph import sql_nodes
from lineage.services import impact, log_decisions
from lineage.services.as_of import AsOf
from lineage.services.entry_view import log_size
from lineage.services.impact import Impact
from lineage.services.lineage_nodes import Reader
from lineage.services.lineage_records import NodeSummary
from lineage.services.log_decisions import INCIDENTS, TAINT, Decided
from lineage.trust.incident_decisions import SEVERITIES, Closed, Opened
from lineage.trust.leaf import rfc3339
from lineage.trust.taint_decisions import TaintDecision

OPEN, ENDED, CLOSED = "open", "ended", "closed"
STATES = (OPEN, ENDED, CLOSED)
MAX_STEPS = 200


class IncidentRecord(msgspec.Struct, frozen=True):
    """One incident. `digest` is its name: the envelope that opened it, entry `index`. Times are RFC 3339.

    Attributes:
        node: what it is on; None where the graph does not know that at the moment.
        state: open; ended, by itself at `until`; closed, by entry `closed_index` for `resolution`.
        designates: it says that the node is bad; `clears`: closing it took that back.
        approver: the second person who opened it, where two were needed; empty otherwise.
    """

    digest: str
    index: int
    key: str
    node: NodeSummary | None
    title: str
    severity: str
    owner: str
    state: str
    reason: str
    designates: bool
    person: str
    approver: str
    opened_at: str
    until: str
    closed_at: str = ""
    closed_by: str = ""
    closed_index: int | None = None
    closed_digest: str = ""
    resolution: str = ""
    clears: bool = False


class IncidentPage(msgspec.Struct, frozen=True):
    """Newest first; `open` counts all that are open, `next` is the cursor of the following page."""

    tree_size: int
    open: int
    incidents: tuple[IncidentRecord, ...]
    next: str | None


class Step(msgspec.Struct, frozen=True):
    """A decision that belongs to an incident. `words` say what was decided, `key` about which node."""

    index: int
    digest: str
    at: str
    person: str
    approver: str
    words: str
    key: str
    reason: str


class Told(msgspec.Struct, frozen=True):
    """A subscription that stood when the incident was opened. `state`: told, waiting, failing, paused."""

    id: int
    kind: str
    state: str


class Incident(msgspec.Struct, frozen=True):
    """One incident with everything about it. `impact`: None where the graph does not know its node.

    `told` is as of now, whatever the moment; at most MAX_STEPS `steps`, oldest first.
    """

    incident: IncidentRecord
    impact: Impact | None
    told: tuple[Told, ...]
    steps: tuple[Step, ...]


def opened(digest: str, size: int | None = None) -> tuple[Decided, Opened] | None:
    """The decision that opened the incident of this name, if it is believed."""
    for each in log_decisions.believed(INCIDENTS, size):
        if each.digest == digest and isinstance(each.body, Opened):
            return each, each.body
    return None


def closing(digest: str, size: int | None = None) -> tuple[Decided, Closed] | None:
    """The first decision that closed it; None while nobody did."""
    return _closings(size).get(digest)


def _closings(size: int | None) -> dict[str, tuple[Decided, Closed]]:
    found: dict[str, tuple[Decided, Closed]] = {}
    for each in log_decisions.believed(INCIDENTS, size):
        if isinstance(each.body, Closed):
            found.setdefault(each.body.incident, (each, each.body))
    return found


def listed(
    as_of: AsOf,
    *,
    state: str | None = None,
    key: str | None = None,
    after: int | None = None,
    limit: int = 50,
) -> IncidentPage:
    """Newest first; `state` one of STATES, `key` those on one node, `after` the index to go on below."""
    closings = _closings(log_size(as_of))
    every = [
        (each, each.body, _state(each.body, closings.get(each.digest), as_of))
        for each in reversed(log_decisions.believed(INCIDENTS, log_size(as_of)))
        if isinstance(each.body, Opened)
    ]
    wanted = [
        row
        for row in every
        if (state is None or row[2] == state)
        and (key is None or row[1].node == key)
        and (after is None or row[0].index < after)
    ]
    shown = wanted[:limit]
    nodes = _nodes([body.node for _, body, _ in shown], Reader(as_of)) if shown else {}
    records = tuple(_record(each, body, closings, nodes, as_of) for each, body, _ in shown)
    following = str(shown[-1][0].index) if len(wanted) > limit else None
    return IncidentPage(log_size(as_of), sum(row[2] == OPEN for row in every), records, following)


def open_now(as_of: AsOf, limit: int) -> tuple[tuple[IncidentRecord, ...], int]:
    """The worst and newest open ones, and how many there are."""
    page = listed(as_of, state=OPEN, limit=10_000)
    worst = sorted(page.incidents, key=lambda each: (SEVERITIES.index(each.severity), -each.index))
    return tuple(worst[:limit]), page.open


def read(digest: str, as_of: AsOf, *, after: str | None = None, limit: int = impact.PAGE) -> Incident:
    """One incident; `after` and `limit` are for the list of what it affects.

    Raises: NotFoundError where nobody had opened it by then; MalformedError for a cursor that is none.
    """
    found = opened(digest, log_size(as_of))
    if found is None:
        raise NotFoundError("There is no such incident at this moment.", where="incident")
    each, body = found
    reader = Reader(as_of)
    nodes = _nodes([body.node], reader)
    return Incident(
        incident=_record(each, body, _closings(log_size(as_of)), nodes, as_of),
        impact=impact.impact(body.node, as_of, after=after, limit=limit) if body.node in nodes else None,
        told=tuple(_told(each)),
        steps=tuple(_steps(each, body, as_of)),
    )


def _nodes(keys: Sequence[str], reader: Reader) -> dict[str, NodeSummary]:
    ids = sql_nodes.rows_of(list(dict.fromkeys(keys)))
    return {node.key: node for node in reader.summaries(list(ids.values())).values()}


def _state(body: Opened, closed: tuple[Decided, Closed] | None, as_of: AsOf) -> str:
    if closed is not None:
        return CLOSED
    return ENDED if body.until and body.until_us <= as_of.at_us else OPEN


def _record(
    each: Decided,
    body: Opened,
    closings: dict[str, tuple[Decided, Closed]],
    nodes: dict[str, NodeSummary],
    as_of: AsOf,
) -> IncidentRecord:
    closed = closings.get(each.digest)
    record = IncidentRecord(
        digest=each.digest,
        index=each.index,
        key=body.node,
        node=nodes.get(body.node),
        title=body.title,
        severity=body.severity,
        owner=body.owner,
        state=_state(body, closed, as_of),
        reason=body.reason,
        designates=body.designates,
        person=each.person,
        approver=each.approver,
        opened_at=rfc3339(each.received_us),
        until=body.until,
    )
    if closed is None:
        return record
    by, told = closed
    return msgspec.structs.replace(
        record,
        closed_at=rfc3339(by.received_us),
        closed_by=by.person,
        closed_index=by.index,
        closed_digest=by.digest,
        resolution=told.reason,
        clears=told.clears,
    )


def _told(each: Decided) -> Iterable[Told]:
    """Whoever subscribed later was not told of it."""
    rows = Subscription.objects.filter(created_us__lte=each.received_us).order_by("pk")
    for row in rows:
        if row.delivered_index > each.index:
            state = "told"
        else:
            state = "paused" if row.paused else "failing" if row.failures else "waiting"
        yield Told(row.pk, row.kind, state)


_WORDS = {
    "designate": "Designated as bad",
    "clear": "Designation cleared",
    "waive-taint": "Taint waived",
}


def _steps(opening: Decided, body: Opened, as_of: AsOf) -> list[Step]:
    found = [_step(opening, "Incident opened", body.node, body.reason)]
    closed = closing(opening.digest, log_size(as_of))
    if closed is not None:
        by, told = closed
        words = "Incident closed, designation cleared" if told.clears else "Incident closed"
        found.append(_step(by, words, told.node, told.reason))
    names = {opening.digest, body.title}
    for each in log_decisions.believed(TAINT, log_size(as_of)):
        action, said = _taint_of(each)
        named = said.incident in names
        if named or (said.node == body.node and each.index > opening.index):
            found.append(_step(each, _WORDS[action], said.node, said.reason))
    return sorted(found, key=lambda step: step.index)[:MAX_STEPS]


def _taint_of(each: Decided) -> tuple[str, TaintDecision]:
    action, said = msgspec.convert(each.body, tuple[str, TaintDecision])
    return action, said


def _step(each: Decided, words: str, key: str, reason: str) -> Step:
    at = rfc3339(each.received_us)
    return Step(each.index, each.digest, at, each.person, each.approver, words, key, reason)


def cursor(text: str | None) -> int | None:
    """`next` of the page before. Raises: MalformedError for what is none."""
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise MalformedError("This cursor belongs to no page of this list.", where="after")
    return int(text)
