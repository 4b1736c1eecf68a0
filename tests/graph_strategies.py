"""Random small graphs for property tests: cycles, loops, aliases, late support, names in any script."""

from __future__ import annotations

from hypothesis import strategies as st

from lineage.graph.model import ClaimKind, EdgeType, NodeKind
from tests.graph_rows import FOREVER_US, GraphRows

KINDS = [*["artifact"] * 4, *["run"] * 3, "hardware", "place", "signer", "supplier", "deployment"]
TYPES = [*["USED", "WAS_GENERATED_BY", "WAS_DERIVED_FROM", "SAME_AS"] * 2, *EdgeType]
SCHEMES = {
    "artifact": "sha256",
    "run": "run",
    "hardware": "hw",
    "place": "place",
    "signer": "key",
    "supplier": "supplier",
    "deployment": "deploy",
}
LAST = 6
"""Highest log index."""

SIGNERS = ("key:" + "aa" * 32, "key:" + "bb" * 32)
TRUSTS = ("signed", "observed", "asserted")
NAMES = st.sampled_from(
    ["модель", "データ集合", "Ünï_code%", "model-1", "model-2", "a\u2400b", "back\\slash"]
)
TURN_US = 1_000
"""When time alone changes statuses."""


@st.composite
def graphs(draw: st.DrawFn, *, most: int = 9, edges: int = 18) -> GraphRows:
    """At most `most` nodes beside two signers. Claims come in log order, as the projector writes them."""
    rows = GraphRows(SIGNERS[0])
    rows.node(SIGNERS[1], NodeKind.SIGNER, 0)
    index = st.integers(0, LAST)
    signer, trust = st.sampled_from(SIGNERS), st.sampled_from(TRUSTS)
    for number in range(draw(st.integers(2, most))):
        kind = draw(st.sampled_from(KINDS))
        rows.node(f"{SCHEMES[kind]}:{number:064x}", kind, draw(index))
    keys = st.sampled_from(list(rows.ids))
    for _ in range(draw(st.integers(0, edges))):
        source, kind, target = draw(keys), draw(st.sampled_from(TYPES)), draw(keys)
        first = max(rows.first[rows.ids[source]], rows.first[rows.ids[target]])
        rows.edge(
            source, kind, target, draw(st.integers(first, LAST)), signer=draw(signer), trust=draw(trust)
        )
    claims = draw(
        st.lists(st.tuples(index, keys, st.sampled_from(["name", "role", "attested"])), max_size=14)
    )
    for at, key, kind in sorted(claims, key=lambda claim: claim[0]):
        value = draw(NAMES) if kind == ClaimKind.NAME else draw(st.sampled_from(["model", "dataset"]))
        said = max(at, rows.first[rows.ids[key]])
        rows.claims.append((rows.ids[key], kind, value, said, rows.ids[draw(signer)], draw(trust)))
    rows.claims.sort(key=lambda claim: claim[3])
    for key, number in rows.ids.items():
        _statuses(draw, rows, key, rows.first[number])
    rows.top = LAST
    return rows


def _statuses(draw: st.DrawFn, rows: GraphRows, key: str, first: int) -> None:
    """One or two intervals; the last of them turns when time reaches `TURN_US`."""
    status = st.sampled_from(["verified", "failed", "unverified", "expired"])
    change = draw(st.integers(first, LAST))
    if change > first:
        rows.status(key, draw(status), index=first, to=change)
    rows.status(key, draw(status), "copy-mismatch", index=change, until=TURN_US)
    rows.status(key, draw(status), index=change, since=TURN_US, until=FOREVER_US)
