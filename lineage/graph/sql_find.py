"""Which nodes a text may mean: a node key, the start of a digest, a fingerprint, a URI, a part of a name.

Names and fingerprints find nodes, several perhaps; they never say that two nodes are one.
"""

from __future__ import annotations

import re

from django.db import connection

from lineage.graph import sql_dialect
from lineage.graph.model import IDENTIFYING_ALGORITHMS, ClaimKind, uri_key
from lineage.graph.sql_query import fetch

KEY_SCHEMES = (*IDENTIFYING_ALGORITHMS, "uri", "run", "hw", "deploy", "key", "identity", "supplier", "place")
_KEY = re.compile(r"([A-Za-z0-9_]+):([0-9A-Fa-f]+)")
_HEX = re.compile(r"[0-9A-Fa-f]{4,}")
_SURE = 8  # hex digits that no name search is needed for, once a key begins with them


def by_text(text: str, size: int) -> set[int]:
    """Ids of the nodes known at tree size `size` that `text` may mean."""
    keyed = _KEY.fullmatch(text)
    found = by_digest(text, size) if keyed or _HEX.fullmatch(text) else set()
    if found and (keyed or len(text) >= _SURE):
        return found
    if ":" in text:
        found |= _by_key(uri_key(text), size) | _by_claim(ClaimKind.LOCATION, text, size)
        found |= _by_claim(ClaimKind.FINGERPRINT, text, size)
    return found | _by_name(text, size)


def by_digest(digest: str, size: int) -> set[int]:
    """Ids by the start of a digest, with or without its algorithm: a node's own, or a fingerprint."""
    keyed = _KEY.fullmatch(digest)
    if keyed is None and not re.fullmatch(r"[0-9A-Fa-f]+", digest):
        return _by_claim(ClaimKind.FINGERPRINT, digest, size)
    scheme, hexadecimal = keyed.groups() if keyed else ("", digest)
    hexadecimal = hexadecimal.lower()
    found = set()
    for name in [scheme] if scheme in KEY_SCHEMES else [] if scheme else KEY_SCHEMES:
        low, high = _range(f"{name}:{hexadecimal}")
        sql = "SELECT id FROM graph_node WHERE key >= %s AND key < %s AND first_index < %s"
        found |= {row[0] for row in fetch(sql, [low, high, size])}
    for name in [scheme] if scheme else _fingerprints():
        low, high = _range(f"{name}:{hexadecimal}")
        sql = (
            'SELECT node_id FROM graph_claim WHERE kind = %s AND value >= %s AND value < %s AND "index" < %s'
        )
        found |= {row[0] for row in fetch(sql, [ClaimKind.FINGERPRINT, low, high, size])}
    return found


def _range(start: str) -> tuple[str, str]:
    """All texts that begin with `start` are from the first on and before the second."""
    return start, start[:-1] + chr(ord(start[-1]) + 1)


def _fingerprints() -> list[str]:
    """The algorithms of all fingerprints: a probe of the index for each."""
    names, last = list[str](), ""
    sql = "SELECT value FROM graph_claim WHERE kind = %s AND value > %s ORDER BY value LIMIT 1"
    while rows := fetch(sql, [ClaimKind.FINGERPRINT, last]):
        name = rows[0][0].partition(":")[0]
        names.append(name)
        last = max(name + ";", rows[0][0])  # the sign after the colon
    return names


def _by_key(key: str, size: int) -> set[int]:
    return {
        row[0] for row in fetch("SELECT id FROM graph_node WHERE key = %s AND first_index < %s", [key, size])
    }


def _by_claim(kind: ClaimKind, value: str, size: int) -> set[int]:
    sql = 'SELECT DISTINCT node_id FROM graph_claim WHERE kind = %s AND value = %s AND "index" < %s'
    return {row[0] for row in fetch(sql, [kind, value, size])}


def _by_name(text: str, size: int) -> set[int]:
    pattern = "%" + text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    sql = sql_dialect.query(
        "SELECT DISTINCT c.node_id FROM graph_claim c "
        "WHERE c.kind = %s AND c.value {like} %s ESCAPE '\\' AND c.\"index\" < %s",
        connection.vendor,
    )
    return {row[0] for row in fetch(sql, [ClaimKind.NAME, pattern, size])}
