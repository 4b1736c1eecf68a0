"""Which layouts are adopted, as of any tree size.

Owns: finding adoptions and withdrawals among the log's decisions, once. Does not own: their form
(`trust.layout_decisions`), deciding (`layouts`), or verdicts (`layout_verdicts`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from threading import Lock
from types import MappingProxyType

import msgspec

from lineage.db.models import Entry, Envelope, LogHead
from lineage.errors import MalformedError, NotFoundError, TooLargeError
from lineage.services.as_of import AsOf
from lineage.services.records import log_size
from lineage.trust import decision_form, dsse, layout_decisions, layouts_metadata, layouts_model, statement
from lineage.trust.keys import PublicKey
from lineage.trust.layouts_model import Layout

_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision about a layout: its entry, its envelope (`sha256:<hex>`), when it came in (µs), by whom."""

    index: int
    digest: str
    received_us: int
    person: str
    reason: str


@dataclass(frozen=True, slots=True)
class Adopted:
    """A layout that operators adopted. `layout_id` is the hex SHA-256 of its bytes; `owners` signed it.

    `withdrawn`: the decision that ended it; None while it is in force.
    """

    layout_id: str
    name: str
    owners: tuple[PublicKey, ...]
    adopted: Decided
    withdrawn: Decided | None


_Event = tuple[Decided, layout_decisions.LayoutDecision]
_Known = tuple[int, tuple[_Event, ...]]
_known: dict[str, _Known] = {}
"""By the log's origin: the tree size up to which decisions were read, and those about layouts among them."""
_lock = Lock()


def below(size: int) -> Mapping[str, Adopted]:
    """Every layout that a decision below tree size `size` adopted, by id, newest adoption first."""
    found: dict[str, Adopted] = {}
    for decided, said in _up_to(size):
        if decided.index >= size:
            break
        before = found.pop(said.layout_id, None)
        if said.owners:
            found[said.layout_id] = Adopted(said.layout_id, said.name, said.owners, decided, None)
        elif before is not None:
            found[said.layout_id] = replace(before, withdrawn=before.withdrawn or decided)
    return MappingProxyType(dict(sorted(found.items(), key=lambda item: -item[1].adopted.index)))


def one(layout_id: str, moment: AsOf) -> Adopted:
    """The layout with this id (hex) at a moment. Raises: MalformedError, NotFoundError."""
    if len(layout_id) != 64 or not set(layout_id) <= set("0123456789abcdef"):
        raise MalformedError("A layout's id is 64 lowercase hex digits.", where="layout_id")
    found = below(log_size(moment)).get(layout_id)
    if found is None:
        raise NotFoundError(f"No layout {layout_id} is adopted.", hint="Operators adopt layouts.")
    return found


def content(adopted: Adopted) -> bytes:
    """The layout's bytes as they were adopted. Raises: NotFoundError where the entry was redacted."""
    stored = Envelope.objects.filter(pk=adopted.adopted.index).values_list("content", flat=True).first()
    said = None if stored is None else read(bytes(stored))
    if said is None:
        raise NotFoundError("The layout's bytes are not stored here any more.")
    return said.data


def asked(adopted: Adopted) -> Layout:
    """What the layout asks for. Raises: NotFoundError."""
    return layouts_model.layout(layouts_metadata.read(content(adopted)))


def state(adopted: Adopted, layout: Layout, moment: AsOf) -> str:
    """in-force, expired or withdrawn, at the moment."""
    if adopted.withdrawn is not None:
        return "withdrawn"
    return "expired" if layout.expires_us <= moment.at_us else "in-force"


def read(envelope: bytes) -> layout_decisions.LayoutDecision | None:
    """What a decision says of a layout; None for any other, and for one that can't be read."""
    try:
        opened = dsse.parse(envelope)
        parsed = statement.parse(opened.payload_type, opened.payload)
        if parsed.predicate_type != decision_form.DECISION_TYPE:
            return None
        decision = decision_form.parse(parsed)
        if decision.action not in layout_decisions.ACTIONS:
            return None
        return layout_decisions.read(decision, parsed)
    except (MalformedError, TooLargeError):
        return None


def forget() -> None:
    """Drop what this process remembers. For tests and restores, whose logs share an origin."""
    with _lock:
        _known.clear()


def _up_to(size: int) -> tuple[_Event, ...]:
    head = LogHead.objects.values_list("origin", "size").filter(pk=1).first()
    if head is None:
        return ()
    origin, log_size_now = head
    done, found = _known.get(origin, (0, ()))
    if done >= size:
        return found
    found = (*found, *_decided(done, size))
    with _lock:
        _known[origin] = (min(size, log_size_now), found)
    return found


def _decided(start: int, end: int) -> Iterator[_Event]:
    rows = Entry.objects.filter(kind=Entry.Kind.DECISION, index__gte=start, index__lt=end).order_by("index")
    entries = list(rows.values_list("index", "envelope_digest", "received_us"))
    for place in range(0, len(entries), _CHUNK):
        chunk = entries[place : place + _CHUNK]
        wanted = [index for index, *_ in chunk]
        contents = dict(Envelope.objects.filter(pk__in=wanted).values_list("pk", "content"))
        for index, digest, received_us in chunk:
            envelope = bytes(contents[index]) if index in contents else b""
            said = read(envelope) if envelope else None
            if said is not None:
                person = _person(envelope)
                decided = Decided(index, f"sha256:{digest}", received_us, person, said.reason)
                yield decided, msgspec.structs.replace(said, data=b"")


def _person(envelope: bytes) -> str:
    opened = dsse.parse(envelope)
    return decision_form.parse(statement.parse(opened.payload_type, opened.payload)).person
