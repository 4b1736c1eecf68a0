"""Which check policy was in force when: the newest that the log has below a tree size, and that is believed.

Owns: saying so. Does not own: finding decisions (`log_decisions`), the policy's form (`graph.check_policy`),
or adopting one.
"""

from __future__ import annotations

from lineage.graph import check_policy
from lineage.graph.check_policy import CheckPolicy
from lineage.services import log_decisions


def current() -> CheckPolicy:
    """The policy in force now."""
    return _newest(None)[1]


def as_of(size: int) -> CheckPolicy:
    """The policy that the decisions below tree size `size` leave in force."""
    return _newest(size)[1]


def index_of(size: int) -> int | None:
    """The log index of the decision that adopted it; None: nobody has decided yet."""
    return _newest(size)[0]


def forget() -> None:
    """Drop what this process remembers. For tests and restores, whose logs share an origin."""
    log_decisions.forget()


def _newest(size: int | None) -> tuple[int | None, CheckPolicy]:
    for each in reversed(log_decisions.believed(log_decisions.CHECK_POLICIES, size)):
        if isinstance(each.body, CheckPolicy):
            return each.index, each.body
    return None, check_policy.DEFAULT
