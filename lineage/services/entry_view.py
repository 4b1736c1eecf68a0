"""What all records of one answer about entries share: how much of the log there is, and whom to believe."""

from __future__ import annotations

from dataclasses import dataclass

from lineage.db import prepared
from lineage.services import keyring, withdrawals
from lineage.services.as_of import AsOf
from lineage.services.log_head import Head
from lineage.trust.policy import KeyRing

_VIEW = (
    "SELECT h.origin, h.size, h.policy_index,"
    " (SELECT max(c.size) FROM log_checkpoint c WHERE c.size <= %s) FROM log_head h WHERE h.id = 1"
)


def log_size(as_of: AsOf) -> int:
    """The entries that exist at a moment: those that the graph has not followed yet too."""
    return as_of.head if as_of.live else as_of.size


@dataclass(frozen=True, slots=True)
class View:
    """What all records of one answer share: the keys known then, and how much of the log was published.

    `withdrawn`: bare hex of the statements that were taken back.
    """

    ring: KeyRing
    published: int
    size: int
    withdrawn: frozenset[str]

    @classmethod
    def at(cls, as_of: AsOf) -> View:
        size = log_size(as_of)
        rows = prepared.fetch(_VIEW, (size,), size=as_of.head)
        if not rows:  # before the first start
            return cls(keyring.as_of(size), 0, size, frozenset())
        *head, published = rows[0]
        log = Head(*head)
        return cls(keyring.as_of(size, log), published or 0, size, withdrawals.statements(size, log))
