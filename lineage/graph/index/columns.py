"""What the closure index knows of each node besides its kind: its status, and the roles claimed of it.

Owns: the columns, what they say of a moment, and taking in what came since. Pure: rows in, arrays out. Does
not own: what makes a status (`graph.status`), or where rows come from (`rows`).

A column holds what is *open*: what the newest entry left. As of an earlier entry that is right too for every
node whose status was opened before it; of the others a column says that it is not sure, and the tables know.
Time alone changes a status as well (a check is overdue), so that of some nodes all pieces are kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from lineage.graph.index.adjacency import Flags, Numbers
from lineage.graph.status_timeline import BEGINNING_US, FOREVER_US, PRECEDENCE, Status

Codes = NDArray[np.uint8]

STATUSES = PRECEDENCE
"""A status's number is its place here."""
_UNVERIFIED = np.uint8(STATUSES.index(Status.UNVERIFIED))
_TIMED = np.uint8(len(STATUSES))
"""The status depends on the time: `Statuses.node` has its pieces."""

ROLES = ("model", "adapter", "dataset", "code", "config", "report", "file", "system")
"""The roles that have a bit each, by their place here. Of any other the tables know."""


@dataclass(frozen=True, slots=True)
class StatusRows:
    """Pieces of statuses that are open at the moment of reading: of one node all have the same `opened`.

    `node` is a row id, `opened` a log index, `status` a number of `STATUSES`. In any order.
    """

    node: Numbers
    opened: Numbers
    from_us: Numbers
    until_us: Numbers
    status: Numbers


@dataclass(frozen=True, slots=True)
class Statuses:
    """`code` and `opened` have a place for each node number; the others are the pieces of nodes that time
    changes, ascending by node.
    """

    code: Codes
    opened: NDArray[np.integer]
    node: NDArray[np.int32]
    from_us: Numbers
    until_us: Numbers
    status: Codes

    @staticmethod
    def empty() -> Statuses:
        none, numbers = np.empty(0, np.uint8), np.empty(0, np.int64)
        return Statuses(none, numbers, np.empty(0, np.int32), numbers, numbers, none)

    def at(self, nodes: Numbers, at_us: int) -> Codes:
        """Each node's status by what is open, at that time. One that was never judged is unverified."""
        found = self.code[nodes]
        timed = np.flatnonzero(found == _TIMED)
        if len(timed):
            holds = np.flatnonzero((self.from_us <= at_us) & (at_us < self.until_us))
            found[timed] = _looked_up(self.node[holds], self.status[holds], nodes[timed], _UNVERIFIED)
        return found

    def unsure(self, nodes: Numbers, size: int) -> Flags:
        """Which of them had another status as of that tree size, or may have had."""
        flags: Flags = self.opened[nodes] >= size
        return flags

    def with_rows(self, rows: StatusRows, room: int) -> Statuses:
        """With these instead of what was open of their nodes; `room`: one more than the greatest number."""
        more = room - len(self.code)
        if not len(rows.node) and not more:
            return self
        code = np.concatenate([self.code, np.full(more, _UNVERIFIED, np.uint8)])
        opened = np.concatenate([self.opened, np.zeros(more, self.opened.dtype)])
        order = np.argsort(rows.node, kind="stable")
        node, status = rows.node[order], rows.status[order].astype(np.uint8)
        first, until = rows.from_us[order], rows.until_us[order]
        always = (first <= BEGINNING_US) & (until == FOREVER_US)
        opened = _narrowest(opened, rows.opened)
        opened[node] = rows.opened[order]
        code[node] = np.where(always, status, _TIMED)
        kept, timed = np.isin(self.node, node, invert=True), ~always
        pieces = np.concatenate([self.node[kept], node[timed].astype(np.int32)])
        again = np.argsort(pieces, kind="stable")
        return Statuses(
            code,
            opened,
            pieces[again],
            np.concatenate([self.from_us[kept], first[timed]])[again],
            np.concatenate([self.until_us[kept], until[timed]])[again],
            np.concatenate([self.status[kept], status[timed]])[again],
        )


def _looked_up(keys: NDArray[np.int32], values: Codes, wanted: Numbers, otherwise: np.uint8) -> Codes:
    """The value of each wanted key; keys are ascending."""
    if not len(keys):
        return np.full(len(wanted), otherwise)
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, values[place], otherwise)


def _narrowest(column: NDArray[np.integer], more: Numbers) -> NDArray[np.integer]:
    """A copy of the column that has room for these log indexes too."""
    most = max(int(column.max(initial=0)), int(more.max(initial=0)))
    return column.astype(np.uint32 if most < 2**32 - 1 else np.int64)


@dataclass(frozen=True, slots=True)
class RoleRows:
    """Claims of roles, in the order of the log: `role` is a number of `ROLES`, `first` the claim's log index.

    Claims of any kind up to the id `last_claim` were looked at.
    """

    node: Numbers
    role: Numbers
    first: Numbers
    last_claim: int = field(kw_only=True)


@dataclass(frozen=True, slots=True)
class Roles:
    """`bits` has a place for each node number, a bit for each role. A role is *late* that was first claimed
    after the node's first entry: when is kept for these alone. Claims up to the id `last_claim` are in it.
    """

    bits: Codes
    late_node: NDArray[np.int32]
    late_bit: Codes
    late_first: Numbers
    last_claim: int = field(kw_only=True)

    @staticmethod
    def empty() -> Roles:
        none = np.empty(0, np.uint8)
        return Roles(none, np.empty(0, np.int32), none, np.empty(0, np.int64), last_claim=0)

    def having(self, nodes: Numbers, roles: tuple[str, ...], size: int | None) -> Flags:
        """Which of the nodes have one of the roles by claims below that tree size; None: by all.

        All of the nodes were known at that size.
        """
        mask = np.uint8(sum(1 << ROLES.index(role) for role in set(roles)))
        bits = self.bits[nodes] & mask
        if size is not None:
            later = np.flatnonzero((self.late_first >= size) & ((self.late_bit & mask) != 0))
            gone = np.zeros(len(self.bits), np.uint8)
            np.bitwise_or.at(gone, self.late_node[later], self.late_bit[later])
            bits &= ~gone[nodes]
        flags: Flags = bits != 0
        return flags

    def with_rows(self, rows: RoleRows, first: NDArray[np.integer], room: int) -> Roles:
        """With these claims; `first` are the first log indexes of the nodes that they are about."""
        more = room - len(self.bits)
        if not len(rows.node) and not more:
            return replace(self, last_claim=rows.last_claim)
        bits = np.concatenate([self.bits, np.zeros(more, np.uint8)])
        _, places = np.unique(rows.node * len(ROLES) + rows.role, return_index=True)
        places.sort()  # the first claim of each role of each node, as the log has them
        node, bit = rows.node[places], (1 << rows.role[places]).astype(np.uint8)
        new = (bits[node] & bit) == 0
        np.bitwise_or.at(bits, node, bit)
        late = np.flatnonzero(new & (rows.first[places] != first[places]))
        return Roles(
            bits,
            np.concatenate([self.late_node, node[late].astype(np.int32)]),
            np.concatenate([self.late_bit, bit[late]]),
            np.concatenate([self.late_first, rows.first[places][late]]),
            last_claim=rows.last_claim,
        )
