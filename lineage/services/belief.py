"""Whom the graph's answers believe at a moment, and by what name a key is known.

Owns: turning the key ring as of a tree size into what the graph's reads need. Does not own: revoking
(`decide`) or what a revocation covers (`trust_cutoffs`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from lineage.db.models import ProjectionState
from lineage.graph.backend import Supporter
from lineage.graph.model import signer_id, signer_key
from lineage.graph.sql_moment import REVOKED, TRUSTS, Moment
from lineage.graph.sql_query import fetch, one_of
from lineage.services import keyring, trust_cutoffs, withdrawals
from lineage.services.as_of import AsOf
from lineage.trust.policy import KeyRing

GraphVersion = tuple[str, int, int]


def ring(as_of: AsOf) -> KeyRing:
    """The keys known at the moment; none before the log has its first entry."""
    return keyring.as_of(as_of.size)


def moment(as_of: AsOf, known: KeyRing | None = None) -> Moment:
    """The moment as the graph's reads take it, with the keys revoked and statements taken back by then.

    `known`: the ring at the moment, where the caller has it.
    """
    known = ring(as_of) if known is None else known
    withdrawn = withdrawals.entries(as_of.size)
    if not known.effective:
        return Moment(as_of.size, as_of.at_us, withdrawn=withdrawn)
    cutoffs = trust_cutoffs.cutoffs(known)
    compromised = trust_cutoffs.cutoffs(known, compromised=True)
    ids = _signer_ids({*cutoffs, *compromised})
    return Moment(
        as_of.size,
        as_of.at_us,
        {ids[key_id]: index for key_id, index in cutoffs.items() if key_id in ids},
        {ids[key_id]: index for key_id, index in compromised.items() if key_id in ids},
        withdrawn,
    )


def cutoffs(known: KeyRing) -> dict[str, int]:
    """Signer's node key → the first log index that its revocation covers."""
    return {signer_key(key_id): index for key_id, index in trust_cutoffs.cutoffs(known).items()}


def best_trust(
    supporters: Sequence[Supporter], revoked_from: Mapping[str, int], withdrawn: Collection[int]
) -> str:
    """The best trust of those who are still believed; `revoked` if none is left.

    `withdrawn`: log indexes of statements that were taken back.
    """
    valid = {
        s.trust
        for s in supporters
        if s.index < revoked_from.get(s.signer, s.index + 1) and s.index not in withdrawn
    }
    return next((trust for trust in TRUSTS if trust in valid), REVOKED)


def statuses_known(size: int) -> bool:
    """Whether the status tables have followed the log to that tree size."""
    return ProjectionState.objects.filter(pk=1, projected__gte=size).exists()


def _signer_ids(signers: set[str]) -> dict[str, int]:
    """Signer → id of its node; one that signed nothing has none."""
    if not signers:
        return {}
    keys = [signer_key(signer) for signer in signers]
    rows = fetch(f"SELECT id, key FROM graph_node WHERE key IN {one_of(keys)}", keys)  # noqa: S608
    return {signer_id(key): number for number, key in rows}


def registered_name(key: str, known: KeyRing) -> str:
    """The name under which a signer's key was registered; empty for other nodes and unknown keys."""
    registration = known.keys.get(signer_id(key))
    return registration.name if registration else ""


def graph_version(size: int) -> GraphVersion | None:
    """Names the graph as of `size` in this database, for ever; None while the graph is still behind it."""
    rows = fetch(
        "SELECT h.origin, s.generation FROM graph_state s, log_head h"
        " WHERE s.id = 1 AND s.projected >= %s AND h.id = 1",
        [size],
    )
    return (*rows[0], size) if rows else None
