"""Whom to believe at a moment: the tree size, the time, and from which entry on a key's word is void.

Owns: the trust of a claim or an edge from its supporters. Does not own: which keys are revoked
(`trust.policy`); it gets them as node ids with the log index at which each revocation sets in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lineage.graph.sql_query import Sql, id_table

TRUSTS = ("signed", "observed", "asserted")
"""Best first."""

REVOKED = "revoked"
_PAIRS = 400  # of a CASE: SQLite caps a list of expressions at 2,000


@dataclass(frozen=True, slots=True)
class Moment:
    """`size` is a tree size: entries below it count. `at_us` is microseconds since the epoch, UTC.

    `cutoffs` and `compromised` map the node id of a signer to the first log index whose entry its
    revocation covers; `compromised` holds those revoked because their key is in other hands. `withdrawn` are
    the log indexes of statements that were taken back.
    """

    size: int
    at_us: int
    cutoffs: Mapping[int, int] = field(default_factory=dict)
    compromised: Mapping[int, int] = field(default_factory=dict)
    withdrawn: frozenset[int] = frozenset()

    def revoked(self, signer: int, index: int) -> bool:
        """Whether what the signer said in that entry is not believed: by its key, or as taken back."""
        cutoff = self.cutoffs.get(signer)
        return (cutoff is not None and index >= cutoff) or index in self.withdrawn

    def trust(self, supporters: Sequence[tuple[int, int, str]]) -> str:
        """The best unrevoked of (signer's node id, log index, trust); `revoked` if none is left."""
        if not self.cutoffs and not self.withdrawn and len(supporters) == 1:
            return supporters[0][2]
        valid = {trust for signer, index, trust in supporters if not self.revoked(signer, index)}
        return next((trust for trust in TRUSTS if trust in valid), REVOKED)

    def unrevoked(self, alias: str) -> Sql:
        """SQL to add to a WHERE over `alias`, a row with `signer_id` and `index`; "" if all is believed."""
        sql, params = _unrevoked(alias, self.cutoffs)
        if self.withdrawn:
            table, listed = id_table(sorted(self.withdrawn))
            sql += f' AND {alias}."index" NOT IN {table}'
            params += listed
        return sql, params


def _unrevoked(alias: str, cutoffs: Mapping[int, int]) -> Sql:
    pairs = sorted(cutoffs.items())
    sql, params = "", list[object]()
    for start in range(0, len(pairs), _PAIRS):
        part = pairs[start : start + _PAIRS]
        sql += f' AND {alias}."index" < CASE {alias}.signer_id{" WHEN %s THEN %s" * len(part)} ELSE %s END'
        params += [value for pair in part for value in pair]
        params.append(2**63 - 1)
    return sql, params
