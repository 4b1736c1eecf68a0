"""Which check policy was in force when: the newest that the log has below a tree size.

Owns: finding it among decisions, once. Does not own: its form (`graph.check_policy`), or adopting one.
"""

from __future__ import annotations

from threading import Lock

from lineage.db.models import Entry, Envelope, LogHead
from lineage.errors import MalformedError, TooLargeError
from lineage.graph import check_policy
from lineage.graph.check_policy import ACTION, CheckPolicy
from lineage.trust import decisions, dsse, statement

_Known = tuple[int, tuple[tuple[int, CheckPolicy], ...]]
_known: dict[str, _Known] = {}
"""By the log's origin: the tree size up to which decisions were read, and the policies among them."""
_lock = Lock()


def current() -> CheckPolicy:
    """The policy in force now."""
    return as_of(_size())


def as_of(size: int) -> CheckPolicy:
    """The policy that the decisions below tree size `size` leave in force."""
    found = _up_to(size)
    return next((policy for index, policy in reversed(found) if index < size), check_policy.DEFAULT)


def index_of(size: int) -> int | None:
    """The log index of the decision that adopted it; None: nobody has decided yet."""
    return next((index for index, _ in reversed(_up_to(size)) if index < size), None)


def adopted(kind: str, content: bytes) -> CheckPolicy | None:
    """The policy that an entry brings; None for any other entry, and for one that can't be read."""
    if kind != Entry.Kind.DECISION:
        return None
    try:
        envelope = dsse.parse(content)
        parsed = statement.parse(envelope.payload_type, envelope.payload)
        if parsed.predicate_type != decisions.DECISION_TYPE:
            return None
        decision = decisions.parse(parsed)
        return check_policy.parse(decision.body) if decision.action == ACTION else None
    except (MalformedError, TooLargeError):
        return None


def forget() -> None:
    """Drop what this process remembers. For tests and restores, whose logs share an origin."""
    with _lock:
        _known.clear()


def _up_to(size: int) -> tuple[tuple[int, CheckPolicy], ...]:
    origin = LogHead.objects.values_list("origin", flat=True).filter(pk=1).first()
    if origin is None:
        return ()
    read, found = _known.get(origin, (0, ()))
    if read >= size:
        return found
    rows = Entry.objects.filter(kind=Entry.Kind.DECISION, index__gte=read, index__lt=size).order_by("index")
    places = dict(rows.values_list("index", "envelope_digest"))
    contents = dict(Envelope.objects.filter(pk__in=places.values()).values_list("pk", "content"))
    news = []
    for index, digest in places.items():
        policy = adopted(Entry.Kind.DECISION, bytes(contents[digest])) if digest in contents else None
        if policy is not None:
            news.append((index, policy))
    end = min(size, _size())
    with _lock:
        _known[origin] = (end, (*found, *news))
    return (*found, *news)


def _size() -> int:
    return LogHead.objects.values_list("size", flat=True).filter(pk=1).first() or 0
