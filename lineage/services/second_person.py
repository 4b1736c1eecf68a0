"""Whether a decision needs a second person, and what happens to it until there is one.

Owns: the mark on functions that decide (`two_people`), and what `decide.record` asks before it signs. Does
not own: proposals as they are kept and approved (`approvals`), or who may approve (`rights`).

With `LINEAGE_FOUR_EYES` a marked function, called for a person or program, first runs as if: everything that
it checks is checked, and at the end nothing is signed. Its arguments are then kept as a proposal. Approving
calls it again, so that all is checked against the log of that moment, and the entry names both people.

The command line (`os:<login>`) is exempt: whoever has a shell beside the platform's keys could sign anything.
Its entries say so by their person.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, ParamSpec, cast

from lineage.config import current
from lineage.db.configuration import User
from lineage.errors import ForbiddenError
from lineage.services.receipts import Submitted
from lineage.trust import approved
from lineage.trust.policy import KeyRing

P = ParamSpec("P")
Judge = Callable[[KeyRing, int], None]
Role = User.Role


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a marked function. `arguments` are all of its own but `person`."""

    function: str
    role: str
    person: str
    arguments: dict[str, Any]


class _HeldError(Exception):
    """A decision went as far as its signature; it is caught by who asked for that."""

    def __init__(self, payload: bytes) -> None:
        super().__init__()
        self.payload = payload


_as_if: ContextVar[bool] = ContextVar("lineage_decide_as_if", default=False)
_approver: ContextVar[str] = ContextVar("lineage_approver", default="")


def needed(person: str) -> bool:
    """Whether a decision of `person` needs a second one."""
    return current().people.four_eyes_hours > 0 and not person.startswith("os:")


def two_people(role: str) -> Callable[[Callable[P, Submitted]], Callable[P, Submitted]]:
    """Mark a function that decides for its keyword `person`: who approves it must hold `role`."""

    def mark(function: Callable[P, Submitted]) -> Callable[P, Submitted]:
        signature = inspect.signature(function)
        name = f"{function.__module__}.{function.__qualname__}"

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> Submitted:
            person = str(kwargs.get("person", ""))
            if _approver.get() or not needed(person):
                return function(*args, **kwargs)
            from lineage.services import approvals  # which calls marked functions

            payload = _payload(function, *args, **kwargs)
            given = dict(signature.bind(*args, **kwargs).arguments)
            given.pop("person")
            raise approvals.propose(Call(name, role, person, given), payload)

        cast(Any, call).role = role
        return call

    return mark


def _payload(function: Callable[P, Submitted], *args: P.args, **kwargs: P.kwargs) -> bytes:
    """What the function would sign. Raises what it raises."""
    token = _as_if.set(True)
    try:
        function(*args, **kwargs)
    except _HeldError as held:
        return held.payload
    finally:
        _as_if.reset(token)
    raise AssertionError("a function that decides ended without a decision")


def before_signing(payload: bytes, ring: KeyRing, at_us: int, judge: Judge) -> bytes:
    """The payload to sign, with who approved it.

    Raises: what `judge` raises; ForbiddenError where a second person is needed and can't be asked for.
    """
    if _as_if.get():
        judge(ring, at_us)
        raise _HeldError(payload)
    approver = _approver.get()
    if approver:
        return approved.with_approver(payload, approver)
    if needed(approved.person_of(payload)):
        raise ForbiddenError("This decision needs a second person, who can't be asked for in this way.")
    return payload


@contextmanager
def approving(approver: str) -> Iterator[None]:
    """Decisions within the block are signed, and name `approver`."""
    token = _approver.set(approver)
    try:
        yield
    finally:
        _approver.reset(token)
