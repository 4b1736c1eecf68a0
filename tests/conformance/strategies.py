"""Random entries: any edge between any nodes, said by anybody, in any number of entries."""

from __future__ import annotations

from hypothesis import strategies as st

from lineage.graph.backend import GraphEntry, Link
from lineage.graph.model import EdgeType, GraphDelta
from tests.conformance.story import OTHER, SIGNER, THIRD, Story, said

_SCHEMES = [*["sha256"] * 4, *["run"] * 3, "dirHash", "uri", "hw", "place", "supplier", "key", "deploy"]
_LINEAGE = ["USED", "WAS_GENERATED_BY", "WAS_DERIVED_FROM", "SAME_AS"]
_TYPES = st.sampled_from([*_LINEAGE * 2, *(kind.value for kind in EdgeType)])
_TRUSTS = st.sampled_from(["signed", "observed", "asserted"])
_ROLES = st.sampled_from(["model", "dataset", "run", "модель"])


@st.composite
def stories(draw: st.DrawFn, *, most: int = 8, entries: int = 6) -> list[GraphEntry]:
    """At most `most` nodes beside three signers, in at most `entries` entries."""
    schemes = draw(st.lists(st.sampled_from(_SCHEMES), min_size=1, max_size=most))
    keys = st.sampled_from([f"{scheme}:{number:064x}" for number, scheme in enumerate(schemes)] + [SIGNER])
    story = Story()
    for _ in range(draw(st.integers(1, entries))):
        signers = draw(st.lists(st.sampled_from([SIGNER, OTHER, THIRD]), max_size=2, unique=True))
        story.add(*(draw(_contributions(signer, keys)) for signer in signers), trust=draw(_TRUSTS))
    return story.entries


def _contributions(signer: str, keys: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[str, GraphDelta]]:
    edges: st.SearchStrategy[list[Link]] = st.lists(st.tuples(keys, _TYPES, keys), max_size=5)
    roles = st.lists(st.tuples(keys, _ROLES), max_size=2)
    names = st.lists(
        st.tuples(keys, st.text(st.characters(exclude_characters="\0", codec="utf-8"))), max_size=1
    )
    return st.builds(
        lambda edges, nodes, names, roles, about: said(
            signer, edges, nodes=nodes, names=names, roles=roles, about=about
        ),
        edges,
        st.lists(keys, max_size=2),
        names,
        roles,
        st.lists(keys, max_size=2),
    )
