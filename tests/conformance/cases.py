"""The cases: graphs as entries, each with what makes it hard."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from lineage.graph.backend import GraphEntry
from lineage.graph.model import EdgeType
from lineage.predicates.delta import MAX_TEXT_BYTES
from tests.conformance.reference import Reference
from tests.conformance.story import OTHER, SIGNER, THIRD, Story, artifact, run, said
from tests.soak import SOAK

HUB_DEGREE = 10_000
CHAIN_HOPS = 30


@dataclass(frozen=True)
class Case:
    """`roots`, `sizes` and `pairs` limit what is asked of a large graph; none means of everything.

    `filtered` are the roots of which all filters and all lengths of page are asked; none: some of all.
    `references`: what must be answered as of each tree size, worked out once for all backends.
    """

    name: str
    entries: Sequence[GraphEntry]
    roots: Sequence[str] = ()
    sizes: Sequence[int] = ()
    pairs: Sequence[tuple[str, str]] = ()
    filtered: Sequence[str] = ()
    references: dict[int, Reference] = field(default_factory=dict, compare=False)

    def __repr__(self) -> str:
        return self.name


def nothing() -> Case:
    return Case("no entry at all", ())


def unreadable() -> Case:
    """Entries from which nothing could be read, before, between and after others."""
    story = Story()
    story.add()
    story.tell((artifact(1), "WAS_GENERATED_BY", run(1)))
    story.add()
    story.tell(nodes=[artifact(2)])
    story.add()
    return Case("entries that say nothing", story.entries)


def pipeline() -> Case:
    """Two datasets, a preparation, two trainings, a conversion, a deployment, a system; roles and names."""
    story = Story()
    raw, clean, base, model, gguf, code = (artifact(n) for n in range(6))
    deployment = "deploy:" + "d" * 64
    story.tell((clean, "WAS_GENERATED_BY", run(0)), (run(0), "USED", raw), roles=[(raw, "dataset")])
    story.tell(
        (model, "WAS_GENERATED_BY", run(1)),
        (run(1), "USED", clean),
        (run(1), "USED", base),
        (run(1), "USED", code),
        (model, "WAS_DERIVED_FROM", base),
        roles=[(model, "model"), (base, "model"), (clean, "dataset"), (code, "code")],
        names=[(model, "the model"), (base, "base")],
    )
    story.tell((gguf, "WAS_GENERATED_BY", run(2)), (run(2), "USED", model), by=OTHER)
    story.tell((deployment, "USED", gguf), names=[(deployment, "production")])
    story.tell((artifact(7), "WAS_DERIVED_FROM", gguf), roles=[(artifact(7), "system")])
    story.tell(nodes=[artifact(9)], roles=[(gguf, "model"), (clean, "file")], by=OTHER, trust="observed")
    return Case("a pipeline", story.entries)


def cycles() -> Case:
    """A run that used what it made, a ring of derivations, loops of every type."""
    story = Story()
    story.tell((artifact(1), "WAS_GENERATED_BY", run(1)), (run(1), "USED", artifact(1)))
    ring = [artifact(n) for n in range(2, 7)]
    for near, far in zip(ring, [*ring[1:], ring[0]], strict=True):
        story.tell((near, "WAS_DERIVED_FROM", far))
    story.tell(*((artifact(1), kind, artifact(1)) for kind in EdgeType))
    story.tell((ring[2], "WAS_DERIVED_FROM", artifact(1)), (run(1), "USED", ring[0]))
    story.tell((artifact(8), "SAME_AS", artifact(9)), (artifact(9), "WAS_DERIVED_FROM", artifact(8)))
    return Case("cycles and loops", story.entries)


def chain() -> Case:
    story = Story()
    story.tell((artifact(0), "WAS_GENERATED_BY", run(0)))
    for step in range(1, CHAIN_HOPS + 1):
        story.tell(
            (artifact(step), "WAS_GENERATED_BY", run(step)),
            (run(step), "USED", artifact(step - 1)),
            roles=[(artifact(step), "model")],
        )
    top, bottom, middle = artifact(CHAIN_HOPS), artifact(0), run(CHAIN_HOPS // 2)
    return Case(
        f"a chain of {CHAIN_HOPS} steps",
        story.entries,
        roots=(top, bottom, middle, run(0), run(CHAIN_HOPS)),
        sizes=(0, 1, 2, CHAIN_HOPS // 2, CHAIN_HOPS, CHAIN_HOPS + 1),
        pairs=((top, bottom), (top, middle), (run(CHAIN_HOPS), run(0))),
    )


def derived_chain() -> Case:
    """Thirty derivations, one an entry, so that each prefix is another graph; all prefixes are asked."""
    story = Story()
    for step in range(CHAIN_HOPS):
        story.tell((artifact(step + 1), "WAS_DERIVED_FROM", artifact(step)))
    ends = (artifact(0), artifact(CHAIN_HOPS))
    return Case("a chain, at every prefix", story.entries, roots=ends, pairs=(ends,))


def hub() -> Case:
    """A base model used by ten thousand runs, which was known under another digest only at the end."""
    story, base, alias = Story(), artifact(0), "dirHash:" + "e" * 64
    for start in range(0, HUB_DEGREE, 100):
        numbers = range(start + 1, start + 101)
        story.tell(
            *((run(n), "USED", base) for n in numbers),
            *((artifact(n), "WAS_GENERATED_BY", run(n)) for n in numbers if n % 10 == 0),
            by=(SIGNER, OTHER, THIRD)[start // 100 % 3],
            roles=[(artifact(n), "model") for n in numbers if n % 20 == 0] + [(base, "model")],
            names=[(base, f"base, says {start}")],
        )
    story.tell((base, "SAME_AS", alias))
    story.tell((artifact(HUB_DEGREE + 1), "WAS_DERIVED_FROM", alias))
    size = len(story.entries)
    return Case(
        f"a hub of {HUB_DEGREE} edges",
        story.entries,
        roots=(base, alias, run(1)),
        sizes=(size // 2, size),
        filtered=() if SOAK else (base,),
        pairs=((artifact(HUB_DEGREE), base), (artifact(HUB_DEGREE), alias), (base, alias)),
    )


NASTY = (
    "'", '"', "`", "\\", "\\u0041", "$k", "{key: 1}", "') MATCH (n) DETACH DELETE n //", "%s", "%(x)s", "?",
    "*", "a/b?c#d", " ", "a", "A", "a ", "\n", "\t\r", "\u200b", "é", "e\u0301", "ß", "\u017f", "ǆ", "İ",
    "\u0131", "модель", "データ集合", "\u202edesrever", "\U0001f469\u200d\U0001f52c", "\U0001f600", "\uffff",
    "\ufeff", "\u2028", "\x7f", "\x1b[31m", "NULL", "true", "0", "-1", "1e309", "__proto__", "Node",
    "x" * 300, "é" * 150,
)  # fmt: skip
"""Ends of keys, names and roles. Keys of real nodes are ASCII; no backend may rely on it."""


def nasty() -> Case:
    """Texts that differ by case, blanks, normal form or invisibly are different, and none is a command."""
    assert len(set(NASTY)) == len(NASTY)
    assert len({unicodedata.normalize("NFC", text) for text in NASTY}) < len(NASTY)
    story, keys = Story(), [f"sha256:{text}" for text in NASTY]
    for near, far in pairwise(keys):
        story.tell((near, "WAS_DERIVED_FROM", far), names=[(near, far)], roles=[(near, far[7:])])
    story.tell(*((key, "SAME_AS", keys[0]) for key in keys[3:6]), by="key:'; DROP TABLE graph_node")
    size = len(story.entries)
    return Case(
        "nasty keys, names and roles",
        story.entries,
        roots=[*keys, "key:'; DROP TABLE graph_node"],
        sizes=(size,),
        pairs=[(keys[0], keys[-1]), (keys[3], keys[12]), *pairwise(keys[10:21])],
    )


def long_names() -> Case:
    """Names and roles as long as a claim can be, that don't compress."""
    draw, story = random.Random(1), Story()
    for number, length in enumerate((255, MAX_TEXT_BYTES // 3, MAX_TEXT_BYTES // 3)):
        text = "".join(chr(draw.randrange(0x4E00, 0x9FFF)) for _ in range(length))
        made, base = artifact(number + 1), artifact(0)
        story.tell((made, "WAS_DERIVED_FROM", base), names=[(base, text)], roles=[(made, text[::-1])])
    return Case("very long names", story.entries)


def late_alias() -> Case:
    """`SAME_AS` joins two parts at the end, by one signer, then by another, then the other way round."""
    story = Story()
    here, there = artifact(1), "sha512:" + "a" * 128
    story.tell((here, "WAS_GENERATED_BY", run(1)), (run(1), "USED", artifact(2)), roles=[(here, "model")])
    story.tell((run(2), "USED", there), (artifact(3), "WAS_GENERATED_BY", run(2)), by=OTHER)
    story.tell((artifact(4), "WAS_DERIVED_FROM", here), nodes=[there])
    story.tell((here, "SAME_AS", there))
    story.tell((here, "SAME_AS", there), by=OTHER, trust="observed")
    story.tell((there, "SAME_AS", here), by=THIRD, trust="asserted")
    story.tell((there, "SAME_AS", "blake3:" + "b" * 64), ("dirHash:" + "c" * 64, "SAME_AS", here))
    return Case("SAME_AS arriving late", story.entries)


def aliases() -> Case:
    """A star, a ring and a loop of `SAME_AS`, with a lineage edge from one end of it to another."""
    story, names = Story(), [artifact(n) for n in range(6)]
    story.tell(*((name, "SAME_AS", names[0]) for name in names[1:4]))
    story.tell((names[3], "SAME_AS", names[4]), (names[4], "SAME_AS", names[1]))
    story.tell((names[5], "SAME_AS", names[5]))
    story.tell((names[4], "WAS_DERIVED_FROM", names[2]), (names[5], "WAS_DERIVED_FROM", names[3]))
    return Case("SAME_AS in stars, rings and loops", story.entries)


def support() -> Case:
    """One edge, said again: by others, with other trust, by two in one entry, twice in one statement."""
    story, edge = Story(), (artifact(1), "WAS_GENERATED_BY", run(1))
    other = (run(1), "USED", artifact(2))
    story.tell(edge)
    story.tell(edge, edge, other, by=OTHER, trust="observed")
    story.add(said(SIGNER, [edge]), said(OTHER, [edge, other]), said(THIRD, [other]))
    story.tell(edge, trust="asserted")
    story.tell(nodes=[artifact(1), run(1)])
    story.tell(other, by=THIRD, roles=[(artifact(2), "dataset")])
    story.tell(edge, other, by="identity:" + "f" * 64)
    return Case("edges with further support", story.entries)


def parallel() -> Case:
    """All types between the same two nodes, both ways, each arriving in an entry of its own."""
    story = Story()
    for near, far in ((artifact(1), artifact(2)), (artifact(2), artifact(1))):
        for kind in EdgeType:
            story.tell((near, kind.value, far), by=OTHER if kind is EdgeType.USED else SIGNER)
    return Case("several types between two nodes", story.entries)


PLACE, SITE, MACHINE, RACK, SUPPLIER = (
    "place:" + "1" * 64, "place:" + "2" * 64, "hw:" + "3" * 64, "hw:" + "4" * 64, "supplier:" + "5" * 64,
)  # fmt: skip


def openings() -> Case:
    """Signers, suppliers, places and machines: a first step over edges that the walk does not follow."""
    story = Story()
    story.tell((MACHINE, "AT_LOCATION", PLACE), (MACHINE, "WAS_ATTRIBUTED_TO", SUPPLIER))
    story.tell((run(1), "WAS_ASSOCIATED_WITH", MACHINE), (artifact(1), "WAS_GENERATED_BY", run(1)))
    story.tell((artifact(2), "WAS_ATTRIBUTED_TO", SUPPLIER), (artifact(2), "AT_LOCATION", PLACE), by=OTHER)
    story.tell((run(2), "USED", artifact(1)), (run(2), "USED", artifact(2)), (run(2), "AT_LOCATION", SITE))
    story.tell((artifact(3), "WAS_GENERATED_BY", run(2)), (artifact(3), "WAS_ATTRIBUTED_TO", SIGNER))
    story.tell((RACK, "AT_LOCATION", SITE), (run(2), "WAS_ASSOCIATED_WITH", RACK), (SITE, "PART_OF", PLACE))
    story.tell((artifact(4), "PART_OF", artifact(3)), (RACK, "PART_OF", MACHINE))
    story.tell((run(1), "WAS_ASSOCIATED_WITH", SIGNER), (SUPPLIER, "AT_LOCATION", SITE))
    story.tell((RACK, "AT_LOCATION", PLACE), (artifact(5), "WAS_DERIVED_FROM", artifact(3)))
    return Case("openings and PART_OF", story.entries)


def odd_openings() -> Case:
    """Edges that no predicate makes: a machine attributed to a place, a place that used, a run on two."""
    story = Story()
    story.tell((MACHINE, "WAS_ATTRIBUTED_TO", PLACE), (run(1), "WAS_ASSOCIATED_WITH", MACHINE))
    story.tell((artifact(1), "WAS_GENERATED_BY", run(1)), (RACK, "AT_LOCATION", PLACE))
    story.tell((run(2), "WAS_ASSOCIATED_WITH", RACK), (run(2), "WAS_ASSOCIATED_WITH", MACHINE))
    story.tell((run(3), "WAS_ASSOCIATED_WITH", PLACE), (run(3), "USED", RACK), (SITE, "AT_LOCATION", PLACE))
    story.tell((PLACE, "USED", artifact(2)), (MACHINE, "USED", artifact(3)), (PLACE, "SAME_AS", SITE))
    story.tell((PLACE, "AT_LOCATION", RACK), (PLACE, "AT_LOCATION", PLACE), (RACK, "SAME_AS", MACHINE))
    story.tell((run(4), "WAS_ASSOCIATED_WITH", SITE), (MACHINE, "AT_LOCATION", SITE))
    effects = (run(1), run(2), run(3), run(4), artifact(1), MACHINE)
    pairs = [(effect, cause) for effect in effects for cause in (PLACE, SITE, RACK)]
    return Case("openings over edges that nobody says", story.entries, pairs=pairs)


def folders() -> Case:
    """Files that folders share make no relation between them unless `PART_OF` is asked for."""
    story, shared = Story(), artifact(0)
    for number in range(3):
        folder = f"dirHash:{number:064x}"
        story.tell(*((artifact(n), "PART_OF", folder) for n in (0, 2 * number + 1, 2 * number + 2)))
        story.tell((folder, "WAS_GENERATED_BY", run(number)), roles=[(folder, "model"), (shared, "file")])
    story.tell((run(9), "USED", f"dirHash:{0:064x}"), (f"dirHash:{2:064x}", "WAS_GENERATED_BY", run(9)))
    return Case("folders that share a file", story.entries)


def roles() -> Case:
    """Roles that come late, from several signers, on non-artifacts, and one that is called like a kind."""
    story = Story()
    story.tell((run(1), "USED", artifact(1)), (run(1), "USED", artifact(2)))
    story.tell((artifact(3), "WAS_GENERATED_BY", run(1)), roles=[(artifact(1), "dataset")])
    story.tell(roles=[(artifact(1), "model"), (artifact(2), "run")], by=OTHER)
    story.tell(roles=[(artifact(2), "Model"), (artifact(3), "model ")], by=OTHER)
    story.tell(roles=[(run(1), "dataset"), (artifact(3), "hardware")])
    story.tell(roles=[(artifact(2), f"role {n}") for n in range(9)], nodes=[artifact(4)])
    story.tell(roles=[(artifact(2), "dataset")], by=THIRD, trust="asserted")
    return Case("roles", story.entries)


def known_later() -> Case:
    """Nodes that are mentioned long before, or long after, what hangs on them."""
    story = Story()
    story.tell(nodes=[artifact(1), artifact(2)])
    story.add()
    story.tell((artifact(1), "WAS_DERIVED_FROM", artifact(2)))
    story.tell((artifact(2), "WAS_DERIVED_FROM", artifact(3)), by=OTHER)
    story.tell((artifact(1), "WAS_DERIVED_FROM", artifact(3)))
    story.tell((artifact(4), "WAS_DERIVED_FROM", artifact(1)), nodes=[artifact(5)])
    return Case("nodes known earlier or later than their edges", story.entries)


def lattice() -> Case:
    """Six layers of four nodes, all joined: 1,024 paths of one length, of which few are asked for."""
    story, width, layers = Story(), 4, 6
    for layer in range(layers - 1):
        near, far = (range(start * width, (start + 1) * width) for start in (layer, layer + 1))
        story.tell(*((artifact(a), "WAS_DERIVED_FROM", artifact(b)) for a in near for b in far))
    last = artifact(layers * width - 1)
    return Case(
        "a lattice of 1,024 paths",
        story.entries,
        roots=(artifact(0), artifact(9), last),
        pairs=((artifact(0), last), (artifact(1), artifact(10))),
    )


def random_dag(seed: int) -> Case:
    """Runs with inputs and outputs, skewed towards a few inputs, some artifacts under two digests."""
    draw, story = random.Random(seed), Story()
    made = [artifact(n) for n in range(5)]
    for number in range(60):
        inputs = {made[int(len(made) * draw.random() ** 3)] for _ in range(draw.randrange(1, 4))}
        output = artifact(100 + number)
        edges = [(run(number), "USED", key) for key in sorted(inputs)]
        edges.append((output, "WAS_GENERATED_BY", run(number)))
        if draw.random() < 0.2:
            alias = f"dirHash:{number:064x}"
            edges.append((output, "SAME_AS", alias))
            made.append(alias)
        if draw.random() < 0.3:
            edges.append((output, "WAS_DERIVED_FROM", draw.choice(sorted(inputs))))
        made.append(output)
        role = draw.choice(("model", "dataset", "code"))
        if draw.random() < 0.5:
            edges.append((run(number), "WAS_ASSOCIATED_WITH", draw.choice((MACHINE, RACK))))
        about = [output, run(number), draw.choice(made)][: draw.randrange(4)]
        story.tell(*edges, by=draw.choice((SIGNER, OTHER, THIRD)), roles=[(output, role)], about=about)
        if number in (20, 40):
            story.tell((draw.choice((MACHINE, RACK)), "AT_LOCATION", SITE), (SITE, "AT_LOCATION", PLACE))
    ends = [*made[:3], *made[-3:], *draw.sample(made, 3)]
    pairs = [(draw.choice(made[-8:]), draw.choice(made[:8])) for _ in range(6)]
    return Case(f"a random DAG ({seed})", story.entries, ends, sizes=(1, 22, 43, 62), pairs=pairs)


MAKERS: tuple[Callable[[], Case], ...] = (
    nothing, unreadable, pipeline, cycles, chain, derived_chain, hub, nasty, long_names, late_alias, aliases,
    support, parallel, openings, odd_openings, folders, roles, known_later, lattice,
    lambda: random_dag(1), lambda: random_dag(2), lambda: random_dag(3),
)  # fmt: skip
CASES = tuple(make() for make in MAKERS)
