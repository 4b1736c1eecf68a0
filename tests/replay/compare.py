"""Where graph and reference differ: by rows at every prefix, by the product's own reads for samples."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from lineage.db.models import Entry, Envelope
from lineage.services import lineage
from lineage.services.as_of import AsOf
from lineage.services.lineage_records import NodeRecord, NodeSummary
from tests.replay.reference import Reference, Said
from tests.replay.rows import Fact, Rows
from tests.replay.statements import rfc3339
from tests.replay.statuses import Judge

LATER = (0, 1, 8 * 86_400 * 1_000_000, 60 * 86_400 * 1_000_000)
"""Microseconds after an entry at which its prefix is asked for again: time passes without entries."""


@dataclass(frozen=True)
class Logged:
    """An entry as the log has it. `received` is µs."""

    index: int
    kind: str
    received: int
    envelope: bytes


def entries() -> list[Logged]:
    contents = dict(Envelope.objects.values_list("pk", "content"))
    return [
        Logged(entry.index, entry.kind, entry.received_us, bytes(contents[entry.index]))
        for entry in Entry.objects.order_by("index")
    ]


def facts(reference: Reference) -> dict[int, list[Fact]]:
    """The reference's tables as rows by log index. They only grow, so these are all their prefixes."""
    rows: dict[int, list[Fact]] = defaultdict(list)
    for node, (kind, first) in reference.nodes.items():
        rows[first].append(("node", node, kind))
    for edge, who in reference.edges.items():
        rows[min(said.index for said in who)].append(("edge", *edge))
        for said in who:
            rows[said.index].append(("support", *edge, f"key:{said.signer}", said.trust))
    for node, values in reference.claims.items():
        for (kind, value), who in values.items():
            for said in who:
                rows[said.index].append(("claim", node, kind, value, f"key:{said.signer}", said.trust))
    for node, checks in reference.checks.items():
        for row in checks:
            told = (row.location, row.method, row.expected, row.observed, row.outcome, row.reason)
            rows[row.index].append(("check", node, *told, f"key:{row.signer}", row.at))
    for index in reference.skipped:
        rows[index].append(("skipped",))
    return rows


def fact_differences(reference: Reference, rows: Rows) -> Iterator[str]:
    """Rows that only one of the two has, by the entry that makes them; a row twice is a difference too."""
    expected = facts(reference)
    for index in range(len(reference.received)):
        ours, theirs = sorted(expected[index]), sorted(rows.facts[index])
        if ours != theirs:
            missing = [row for row in ours if row not in theirs]
            surplus = [row for row in theirs if row not in ours] or "a row twice"
            yield f"entry {index}: the graph lacks {missing} and has {surplus}"


def status_differences(judge: Judge, rows: Rows, nodes: set[str]) -> Iterator[str]:
    """Nodes whose status now or at any later time differs as of the entries that the reference has taken."""
    size, start = len(judge.reference.received), judge.reference.received[-1]
    for node in sorted(nodes):
        ours, theirs = judge.timeline(node, start), rows.timeline(node, size, start)
        if ours != theirs:
            yield f"prefix {size}, {node}: expected {ours}, the graph has {theirs}"


def neighbours(reference: Reference, nodes: set[str]) -> set[str]:
    """The nodes, and all that one edge joins to those on whose status another's can depend."""
    found = set(nodes)
    for node in nodes:
        if reference.nodes[node][0] in ("artifact", "run", "deployment"):
            found |= {edge[2] for edge in reference.outgoing.get(node, ())}
            found |= {edge[0] for edge in reference.incoming.get(node, ())}
    return found


class Reads:
    """The product's own as-of reads against the reference, for one prefix at a time."""

    def __init__(self, judge: Judge, head: int, source: random.Random) -> None:
        self.judge, self.reference, self.head, self.random = judge, judge.reference, head, source

    def as_of(self, later: int) -> AsOf:
        size = len(self.reference.received)
        return AsOf(size, self.reference.received[-1] + later, self.head, self.head, live=False)

    def node_differences(self, node: str) -> Iterator[str]:
        """The node's whole record."""
        as_of = self.as_of(self.random.choice(LATER))
        yield from self._unlike(node, as_of, told(lineage.node(node, as_of)))

    def list_differences(self, most: int) -> Iterator[str]:
        """The newest nodes as a list shows them."""
        as_of = self.as_of(self.random.choice(LATER))
        page = lineage.search(as_of, limit=most)
        expected = sorted((index for _, index in self.reference.nodes.values()), reverse=True)[:most]
        if [node.first_index for node in page.nodes] != expected or page.total != len(self.reference.nodes):
            yield f"prefix {as_of.size}: the newest nodes are of {expected}, listed {page}"
        for node in page.nodes:
            yield from self._unlike(node.key, as_of, summary(node))

    def _unlike(self, node: str, as_of: AsOf, answer: dict[str, object]) -> Iterator[str]:
        expected = self.expected(node, as_of.at_us)
        for name, value in answer.items():
            if value != expected[name]:
                yield (
                    f"prefix {as_of.size} at {as_of.at_us}, {node}, {name}: expected {expected[name]}, "
                    f"the answer is {value}"
                )

    def closure_differences(self, node: str, direction: Literal["ancestors", "descendants"]) -> Iterator[str]:
        """Everything that the node was made from, or that was made from it, with the counts by status."""
        as_of = self.as_of(self.random.choice(LATER))
        expected = self.reference.closure(node, direction == "ancestors")
        answer = lineage.closure(node, direction, as_of, limit=1_000)
        found, after = {other.key for other in answer.nodes}, answer.next
        while after:
            page = lineage.closure(node, direction, as_of, limit=1_000, after=after)
            found, after = found | {other.key for other in page.nodes}, page.next
        counts: dict[str, int] = defaultdict(int)
        for other in expected:
            counts[self.judge.status(other, as_of.at_us)[0]] += 1
        by_status = {status: count for status, count in (answer.counts_by_status or {}).items() if count}
        if (answer.total, by_status, found) != (len(expected), dict(counts), expected):
            yield (
                f"prefix {as_of.size}, {direction} of {node}: expected {len(expected)} {dict(counts)}, the "
                f"answer is {answer.total} {by_status}; {sorted(expected ^ found)} are in one alone"
            )

    def count_differences(self) -> Iterator[str]:
        """The counts of today's page."""
        as_of = self.as_of(self.random.choice(LATER))
        counts = lineage.status_counts(as_of)
        expected = dict.fromkeys(("verified", "unverified", "expired", "failed"), 0)
        for node in self.reference.nodes:
            expected[self.judge.status(node, as_of.at_us)[0]] += 1
        found = {status: getattr(counts, status) for status in expected}
        if (found, counts.total) != (expected, len(self.reference.nodes)):
            yield f"prefix {as_of.size}: expected {expected}, counted {found}"

    def expected(self, node: str, at: int) -> dict[str, object]:
        reference = self.reference
        kind, first = reference.nodes[node]
        status, reasons = self.judge.status(node, at)
        return {
            "kind": kind,
            "first_index": first,
            "status": (status, reasons),
            "notes": self.notes(node),
            "trust": self.trust(node),
            "roles": self.roles(node),
            "names": self.names(node),
            "copies": sorted(self.copy(node, location) for location in self.judge.copies(node)),
            "fingerprints": sorted(value for value, _ in reference.values(node, "fingerprint")),
            "attestations": sorted(
                {said.index for _, who in reference.values(node, "attested") for said in who}
            ),
            "aliases": sorted(same_as(reference, node)),
            "origins": sorted(
                (edge[2], reference.best_trust(who), sorted({said.index for said in who}))
                for edge, who in ((e, reference.edges[e]) for e in reference.outgoing.get(node, ()))
                if edge[1] == "WAS_GENERATED_BY"
            ),
        }

    def notes(self, node: str) -> list[str]:
        """An artifact that nothing can be compared with has to say so."""
        bytes_matter = self.reference.nodes[node][0] == "artifact" and not node.startswith("uri:")
        return ["bytes-not-checked"] if bytes_matter and not self.judge.copies(node) else []

    def names(self, node: str) -> list[tuple[str, int, str, str]]:
        """Each name by each signer with the first entry that says so; revoked ones beside the believed."""
        names: dict[tuple[str, str, str], int] = {}
        for value, who in self.reference.values(node, "name"):
            for said in who:
                told = (value, f"key:{said.signer}", self.reference.best_trust([said]))
                names[told] = min(said.index, names.get(told, said.index))
        return sorted((value, index, signer, trust) for (value, signer, trust), index in names.items())

    def trust(self, node: str) -> str:
        """By the statements about it; without one, by what else is said of it; else by its edges."""
        values = self.reference.claims.get(node, {})
        about = [said for (kind, _), who in values.items() if kind == "attested" for said in who]
        claimed = [said for who in values.values() for said in who]
        edges = self.reference.outgoing.get(node, set()) | self.reference.incoming.get(node, set())
        touching: list[Said] = [said for edge in edges for said in self.reference.edges[edge]]
        return self.reference.best_trust(about or claimed or touching)

    def roles(self, node: str) -> list[str]:
        """The believed ones; where none is left, all."""
        roles = list(self.reference.values(node, "role"))
        believed = [role for role, who in roles if self.reference.best_trust(who) != "revoked"]
        return sorted(believed or [role for role, _ in roles])

    def copy(self, node: str, location: str) -> tuple[str, str, str]:
        rows = self.judge.rows(node, location)
        if not rows:
            return location, "never-checked", ""
        failing = self.judge.uncleared(rows)
        last = max(failing, key=lambda row: (row.strength, rows.index(row))) if failing else rows[-1]
        return location, last.outcome, rfc3339(last.at)


def same_as(reference: Reference, node: str) -> set[str]:
    """Other digests of the same bytes, by whom anybody still believes."""
    found = news = {node}
    while news:
        edges = {
            edge
            for each in news
            for edge in reference.outgoing.get(each, set()) | reference.incoming.get(each, set())
            if edge[1] == "SAME_AS" and reference.best_trust(reference.edges[edge]) != "revoked"
        }
        news = {end for edge in edges for end in (edge[0], edge[2])} - found
        found = found | news
    return found - {node}


def summary(node: NodeSummary | NodeRecord) -> dict[str, object]:
    """What the product answers of a node in a list, in the reference's words."""
    return {
        "kind": node.kind,
        "first_index": node.first_index,
        "status": (node.status, tuple(sorted(node.reasons))),
        "notes": list(node.notes),
        "trust": node.trust,
        "roles": sorted(node.roles),
    }


def told(record: NodeRecord) -> dict[str, object]:
    """The same of a node's own record."""
    return summary(record) | {
        "names": sorted((claim.name, claim.index, claim.signer, claim.trust) for claim in record.names),
        "copies": sorted((copy.location, copy.outcome, copy.at) for copy in record.copies),
        "fingerprints": list(record.fingerprints),
        "attestations": sorted(record.attestations),
        "aliases": sorted(alias.key for alias in record.aliases),
        "origins": sorted((run.node.key, run.trust, sorted(run.support)) for run in record.origins),
    }
