"""What is said of one node: every claim with who says it, and the newest check of each of its locations.

Of a hub the first `MAX_CLAIMS` of each kind are read, so that one page about it stays cheap.
"""

# ruff: noqa: S608  (only constants are formatted into SQL; every value is a parameter)

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from lineage.graph.model import ClaimKind
from lineage.graph.sql_moment import Moment
from lineage.graph.sql_query import fetch, one_of

MAX_CLAIMS = 5_000
MAX_CHECKS = 10_000
_SEVERITY = "CASE k.outcome WHEN 'mismatch' THEN 2 WHEN 'inconclusive' THEN 1 ELSE 0 END"


class ClaimRow(msgspec.Struct, frozen=True):
    """`signer` is a node key. `trust` is `revoked` where the signer's key is, for that entry."""

    value: str
    index: int
    signer: str
    trust: str


class CheckRow(msgspec.Struct, frozen=True):
    """One look at one location. `at_us` is microseconds, UTC. `believed`: its signer's key is not revoked.

    `strength` as in `status_copies.strength`, `bytes` that were read (0: not told), `trust` of its entry.
    """

    location: str
    method: str
    expected: str
    observed: str
    outcome: str
    strength: int
    reason: str
    bytes: int
    at_us: int
    index: int
    signer: str
    trust: str
    believed: bool


def claims(node: int, kind: ClaimKind, moment: Moment, limit: int = MAX_CLAIMS) -> list[ClaimRow]:
    """The claims of one kind in log order, each value by each signer once."""
    sql = (
        'SELECT said.value, said."index", said.signer_id, s.key, said.trust '
        "FROM (SELECT * FROM graph_claim o WHERE o.node_id = %s AND o.kind = %s "
        'AND o."index" < %s ORDER BY o.id LIMIT %s) said '
        "CROSS JOIN graph_node s WHERE s.id = said.signer_id"
    )
    found: dict[tuple[str, str, str], ClaimRow] = {}
    for value, index, signer, key, trust in sorted(
        fetch(sql, [node, kind, moment.size, limit]), key=_by_index
    ):
        said = "revoked" if moment.revoked(signer, index) else trust
        found.setdefault((value, key, said), ClaimRow(value, index, key, said))
    return list(found.values())


def _by_index(row: Sequence[int]) -> int:
    return row[1]


def indexes(node: int, kinds: Sequence[ClaimKind], moment: Moment, limit: int) -> list[int]:
    """The log indexes that claim something of these kinds about the node, newest first."""
    marks = one_of(kinds)
    sql = (
        'SELECT DISTINCT c."index" FROM graph_claim c WHERE c.node_id = %s '
        f'AND c.kind IN {marks} AND c."index" < %s ORDER BY c."index" DESC LIMIT %s'
    )
    return [row[0] for row in fetch(sql, [node, *kinds, moment.size, limit])]


def checks(node: int, moment: Moment, limit: int = MAX_CHECKS) -> list[CheckRow]:
    """The checks of its locations, newest first; of one moment the later entry, then the worse outcome."""
    sql = (
        "SELECT k.location, k.method, k.expected, k.observed, k.outcome, k.strength, k.reason, k.bytes, "
        'k.at_us, k."index", s.key, k.trust, k.signer_id FROM graph_check k CROSS JOIN graph_node s '
        'WHERE k.node_id = %s AND k."index" < %s AND s.id = k.signer_id '
        f'ORDER BY k.at_us DESC, k."index" DESC, {_SEVERITY} DESC, k.location, k.id LIMIT %s'
    )
    rows = fetch(sql, [node, moment.size, limit])
    return [CheckRow(*(*row[:-1], not moment.revoked(row[-1], row[9]))) for row in rows]


def newest_checks(node: int, moment: Moment) -> list[CheckRow]:
    """Of each location, outcome, strength and signer the newest check that is believed: what statuses read.

    However many others there are: nobody can have what was found pass out of sight.
    """
    unrevoked, cutoffs = moment.unrevoked("o")
    sql = (
        "SELECT k.location, k.method, k.expected, k.observed, k.outcome, k.strength, k.reason, k.bytes, "
        'k.at_us, k."index", s.key, k.trust FROM (SELECT o.*, ROW_NUMBER() OVER (PARTITION BY o.location, '
        'o.outcome, o.strength, o.signer_id ORDER BY o.at_us DESC, o."index" DESC) AS place '
        f'FROM graph_check o WHERE o.node_id = %s AND o."index" < %s{unrevoked}) k '
        "CROSS JOIN graph_node s WHERE k.place = 1 AND s.id = k.signer_id "
        'ORDER BY k.at_us DESC, k."index" DESC, k.location, k.id'
    )
    return [CheckRow(*(*row, True)) for row in fetch(sql, [node, moment.size, *cutoffs])]


def decided(node: int, kinds: Sequence[ClaimKind], moment: Moment) -> list[tuple[ClaimKind, str, int]]:
    """What persons decided about the node: (kind, value, log index of the newest decision that says so and is
    believed)."""
    valid, revocations = moment.unrevoked("c")
    sql = (
        'SELECT c.kind, c.value, MAX(c."index") FROM graph_claim c WHERE c.node_id = %s '
        f"AND c.kind IN {one_of(kinds)} AND c.trust = 'asserted' "
        f'AND c."index" < %s{valid} GROUP BY c.kind, c.value'
    )
    rows = fetch(sql, [node, *kinds, moment.size, *revocations])
    return [(ClaimKind(kind), value, index) for kind, value, index in rows]
