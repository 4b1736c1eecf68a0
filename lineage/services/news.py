"""What subscribers are told: what became failed or overdue, which storages went or came back, which incidents
were opened or closed, in words.

Owns: gathering the items of a message, the same ones each time that the same part of the log is asked for.
Does not own: who is told, when (`notify`), or the form on the wire (`webhook_message`, `mail_message`).
"""

from __future__ import annotations

import msgspec

from lineage.config import current
from lineage.graph import sql_news
from lineage.graph.model import NodeKind
from lineage.graph.sql_news import News, Window
from lineage.services import as_of, copy_records, incidents, log_decisions, reasons, storages
from lineage.services.lineage_nodes import Reader
from lineage.services.log_decisions import Decided
from lineage.trust.incident_decisions import Closed, Opened
from lineage.trust.leaf import rfc3339

MAX_ITEMS = 50
MAX_COPIES = 5
FAILED, OVERDUE, STORAGE_GONE, STORAGE_BACK = "failed", "overdue", "storage-gone", "storage-back"
INCIDENT_OPENED, INCIDENT_CLOSED = "incident-opened", "incident-closed"
_KINDS = {"failed": FAILED, "expired": OVERDUE}


class BadCopy(msgspec.Struct, frozen=True):
    """A copy that makes its artifact failed; `words` say what differs, as its check found it."""

    location: str
    storage: str
    words: str


class Item(msgspec.Struct, frozen=True):
    """One piece of news. `id` is its own for ever: who was told twice can drop the second.

    `kind`: failed, overdue, storage-gone, storage-back, incident-opened, incident-closed; `key`: the
    artifact's node key, the storage's name, or the node that an incident is on;
    `reasons` are slugs, `words` the sentences; `at`: since when, RFC 3339.
    """

    id: str
    kind: str
    key: str
    name: str
    reasons: list[str]
    words: list[str]
    copies: list[BadCopy]
    at: str
    url: str


class Message(msgspec.Struct, frozen=True):
    """At most MAX_ITEMS `items`: storages, incidents, what failed; `total` counts what is left out too."""

    items: list[Item]
    total: int
    url: str


class StorageNews(msgspec.Struct, frozen=True):
    """`gone` or back since `at_us`; `error`: why it can't be reached."""

    name: str
    gone: bool
    at_us: int
    error: str = ""


def message(window: Window, changed: list[StorageNews]) -> Message:
    """What there is to say about a part of the log, and about storages."""
    titles = {place.name: place.title for place in storages.listed()}
    items = [_storage(each, titles.get(each.name, each.name)) for each in changed[:MAX_ITEMS]]
    told = of_incidents(window)
    items += [_incident(each) for each in told[: MAX_ITEMS - len(items)]]
    found = sql_news.news(window, MAX_ITEMS - len(items))
    now = as_of.resolve("")
    reader = Reader(as_of.resolve(str(window.to_index)) if window.to_index < now.size else now)
    names = reader.summaries([one.node for one in found])
    items += [_artifact(one, names[one.node].name if one.node in names else one.key, reader) for one in found]
    total = len(changed) + len(told) + sum(sql_news.counts(window).values())
    return Message(items, total, f"{current().public_url}/")


def sample() -> Message:
    """What a test delivery says."""
    item = Item(
        id="test",
        kind="test",
        key="",
        name="Test",
        reasons=[],
        words=["This is a test: somebody asked for it on the page of subscriptions. Nothing has failed."],
        copies=[],
        at="",
        url=f"{current().public_url}/subscriptions",
    )
    return Message([item], 1, f"{current().public_url}/subscriptions")


def of_incidents(window: Window) -> list[Decided]:
    """The decisions about incidents in a part of the log, oldest first."""
    decided = log_decisions.below(log_decisions.INCIDENTS, window.to_index)
    return [each for each in decided if each.index >= window.from_index]


def _incident(each: Decided) -> Item:
    body = each.body
    assert isinstance(body, Opened | Closed)
    opening = incidents.opened(body.incident) if isinstance(body, Closed) else (each, body)
    title = opening[1].title if opening else "an incident"
    if isinstance(body, Opened):
        kind, words = INCIDENT_OPENED, [f"Severity {body.severity}: {body.reason}"]
        words += ["All that came of it is tainted from now on."] if body.designates else []
    else:
        kind, words = INCIDENT_CLOSED, [f"It was closed: {body.reason}"]
    digest = body.incident if isinstance(body, Closed) else each.digest
    return Item(
        id=f"{kind} {each.digest}",
        kind=kind,
        key=body.node,
        name=title,
        reasons=[],
        words=words,
        copies=[],
        at=rfc3339(each.received_us),
        url=f"{current().public_url}/incidents/{digest}",
    )


def _artifact(one: News, name: str, reader: Reader) -> Item:
    return Item(
        id=f"{one.key} {one.index} {one.at_us}",
        kind=_KINDS[one.status],
        key=one.key,
        name=name,
        reasons=list(one.reasons),
        words=[f"{reasons.sentence(slug, NodeKind.ARTIFACT)}." for slug in one.reasons],
        copies=_bad_copies(one, reader) if "copy-mismatch" in one.reasons else [],
        at=rfc3339(one.at_us),
        url=f"{current().public_url}/artifacts/{one.key}",
    )


def _bad_copies(one: News, reader: Reader) -> list[BadCopy]:
    copies, _ = copy_records.of_node(one.node, one.key, reader)
    bad = [copy for copy in copies if copy.outcome == "mismatch"]
    return [BadCopy(copy.location, copy.storage, copy.reason) for copy in bad[:MAX_COPIES]]


def _storage(each: StorageNews, title: str) -> Item:
    kind = STORAGE_GONE if each.gone else STORAGE_BACK
    why = f": {each.error.rstrip('.')}" if each.error else ""
    words = (
        f"The storage can't be reached{why}. Copies there are not checked until it is back; none fails "
        "for that."
        if each.gone
        else "The storage can be reached again; what is due there is checked."
    )
    return Item(
        id=f"{kind} {each.name} {each.at_us}",
        kind=kind,
        key=each.name,
        name=title,
        reasons=[],
        words=[words],
        copies=[],
        at=rfc3339(each.at_us),
        url=f"{current().public_url}/locations/{each.name}",
    )
