"""What all records of one answer about entries share: how much of the log there is, and whom to believe."""

from __future__ import annotations

from dataclasses import dataclass

from lineage.db.models import Checkpoint
from lineage.services import keyring, withdrawals
from lineage.services.as_of import AsOf
from lineage.trust.policy import KeyRing


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
        newest = Checkpoint.objects.filter(size__lte=size).order_by("-size")
        return cls(
            keyring.as_of(size),
            newest.values_list("size", flat=True).first() or 0,
            size,
            withdrawals.statements(size),
        )
