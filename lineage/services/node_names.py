"""By what name a node is shown."""

from __future__ import annotations

from lineage.graph.sql_nodes import NodeRow
from lineage.services.belief import registered_name
from lineage.trust.policy import KeyRing

_SHOWN = 8  # hex digits at either end


def shown_name(row: NodeRow, known: KeyRing) -> str:
    """The first believed name, by a statement about it if there is one; else a signer's registered name; else
    the key with its middle left out.
    """
    return row.name or name_of_key(row.key, known)


def name_of_key(key: str, known: KeyRing) -> str:
    """Of a node that no believed statement names."""
    return registered_name(key, known) or short_key(key)


def short_key(key: str) -> str:
    """`sha256:0123abcd…4567cdef`; a short key stays whole."""
    scheme, _, digits = key.partition(":")
    return key if len(digits) <= 2 * _SHOWN + 1 else f"{scheme}:{digits[:_SHOWN]}…{digits[-_SHOWN:]}"
