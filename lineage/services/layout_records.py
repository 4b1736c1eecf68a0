"""Which layouts are adopted, as of any tree size.

Adoptions and withdrawals that a thief of the platform's key decided count no longer once the offline root has
said so: such a layout was never adopted, and one that he withdrew is in force again.

Owns: what adoptions and withdrawals leave in force. Does not own: finding them (`log_decisions`), their form
(`trust.layout_decisions`), deciding (`layouts`), or verdicts (`layout_verdicts`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from lineage.db.models import Envelope
from lineage.errors import MalformedError, NotFoundError, TooLargeError
from lineage.services import log_decisions
from lineage.services.as_of import AsOf
from lineage.services.records import log_size
from lineage.trust import layout_decisions, layouts_metadata, layouts_model
from lineage.trust.keys import PublicKey
from lineage.trust.layout_decisions import LayoutDecision
from lineage.trust.layouts_model import Layout


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


def below(size: int) -> Mapping[str, Adopted]:
    """Every layout that a believed decision below tree size `size` adopted, by id, newest adoption first."""
    found: dict[str, Adopted] = {}
    for each in log_decisions.believed(log_decisions.LAYOUTS, size):
        said = each.body
        assert isinstance(said, LayoutDecision)
        decided = Decided(each.index, each.digest, each.received_us, each.person, said.reason)
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
    said = None if stored is None else _read(bytes(stored))
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


def forget() -> None:
    """Drop what this process remembers. For tests and restores, whose logs share an origin."""
    log_decisions.forget()


def _read(envelope: bytes) -> LayoutDecision | None:
    """What an adoption says; None where it can't be read."""
    told = log_decisions.read_one(envelope)
    if told is None or told[0].action not in layout_decisions.ACTIONS:
        return None
    try:
        return layout_decisions.read(*told)
    except (MalformedError, TooLargeError):
        return None
