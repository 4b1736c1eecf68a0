"""The log's epochs, as its decisions tell them: whose name a checkpoint carries, what was given up as lost.

They are in the key ring, which is folded from the decisions that the leaves link: nothing is searched, each
was signed by the platform's key, and `keyring.forget` forgets them. Owns: asking the ring. Does not own:
names (`trust.epochs`), the decision (`new_epoch`), whether something was lost (`high_water`).
"""

from __future__ import annotations

from lineage.db.models import LogHead
from lineage.services import keyring
from lineage.services.log_head import Head
from lineage.trust import epochs
from lineage.trust.epochs import Began, Epoch


def at(size: int) -> Epoch:
    """The epoch whose name a checkpoint of `size` entries carries.

    Raises: LogHead.DoesNotExist before the first start.
    """
    head = LogHead.objects.get(pk=1)
    return epochs.at(head.origin, begun(head), size)


def newest(head: LogHead | Head) -> Epoch:
    """The epoch that the log is in: its next checkpoint carries that name."""
    return epochs.newest(head.origin, begun(head))


def begun(head: LogHead | Head) -> tuple[Began, ...]:
    """Every epoch after the first, in log order."""
    return keyring.by_policy(head.origin, head.policy_index).epochs


def lost(head: LogHead | Head) -> frozenset[tuple[str, int, bytes]]:
    """Origin, size and root (32 raw bytes) of each published checkpoint that a decision gave up as lost."""
    return frozenset((each.lost.origin, each.lost.size, each.lost.root) for each in begun(head))
