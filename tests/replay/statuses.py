"""The status table in plain Python: one function a kind, judging a `Reference` at a moment.

`status` answers for one time; `timeline` for all times from one on, by asking at every moment at which the
answer could change.
"""

from __future__ import annotations

import posixpath
from urllib.parse import unquote

from tests.replay.reference import Checked, Reference, Said

DAY = 86_400 * 1_000_000
MAX_AGE = 7 * DAY
PRECEDENCE = ("failed", "expired", "unverified", "verified")
FOREVER = 2**63 - 1

Status = tuple[str, tuple[str, ...]]
Found = list[tuple[str, str]]  # (status, reason)


class Judge:
    """Statuses by the tables of `reference`, where `roots` are the folders whose files are copies."""

    def __init__(self, reference: Reference, roots: tuple[str, ...]) -> None:
        self.reference = reference
        self.roots = roots

    def status(self, node: str, at: int) -> Status:
        """(status, sorted reasons) at `at` (µs) with all entries taken so far."""
        kind = self.reference.nodes[node][0]
        judge = {
            "artifact": self._artifact,
            "run": self._run,
            "hardware": self._hardware,
            "deployment": self._deployment,
            "signer": self._key,
        }.get(kind)
        found = judge(node, at) if judge else [("unverified", "asserted-only")]
        worst = min((status for status, _ in found), key=PRECEDENCE.index, default="verified")
        return worst, tuple(sorted({reason for status, reason in found if status == worst}))

    def timeline(self, node: str, start: int) -> list[tuple[int, Status]]:
        """(from, status) pieces from `start` on, neighbours different."""
        pieces: list[tuple[int, Status]] = []
        for moment in sorted({start, *(m for m in self._moments(node) if m > start)}):
            status = self.status(node, moment)
            if not pieces or pieces[-1][1] != status:
                pieces.append((moment, status))
        return pieces

    def _moments(self, node: str) -> set[int]:
        kind = self.reference.nodes[node][0]
        if kind == "artifact":
            return {row.at + MAX_AGE for row in self.reference.checks.get(node, ())}
        if kind == "deployment":
            return {moment for artifact in self._deployed(node) for moment in self._moments(artifact)}
        key = self.reference.keys.get(node.removeprefix("key:"))
        if kind != "signer" or key is None:
            return set()
        moments = {start for start, _, _ in key.revocations}
        if key.not_before is not None:
            moments.add(key.not_before)
        if key.not_after is not None:
            moments.add(key.not_after + 1)
        return moments

    # Kinds

    def _attestation(self, node: str) -> Found:
        """What is wanting with the attestations of the node; nothing where one is signed and believed."""
        who = [said for _, each in self.reference.values(node, "attested") for said in each]
        signed = [said for said in who if said.trust == "signed"]
        if any(self.reference.believed(said) for said in signed):
            return []
        if signed:
            gone = all(self.reference.taken_back(said) for said in signed)
            return [("unverified", "statement-withdrawn" if gone else "signer-revoked")]
        observed = [said for said in who if said.trust == "observed"]
        if any(self.reference.believed(said) for said in observed):
            return [("unverified", "observed-only")]
        if observed:  # the collector's key is never revoked here
            return [("unverified", "statement-withdrawn")]
        return [("unverified", "no-attestation")]

    def _artifact(self, node: str, at: int) -> Found:
        found = self._attestation(node)
        if self._contested(node):
            found.append(("unverified", "contested-origin"))
        if node.startswith("uri:"):  # without a digest there is nothing that a copy could match
            return [*found, ("unverified", "uri-only")]
        for location in self.copies(node):
            found += self._copy(node, location, at)
        return found

    def _contested(self, node: str) -> bool:
        """Believed signed statements of two different signers name two different runs."""
        origins = [
            (said.signer, edge[2])
            for edge in self.reference.outgoing.get(node, ())
            if edge[1] == "WAS_GENERATED_BY"
            for said in self.reference.edges[edge]
            if said.trust == "signed" and self.reference.believed(said)
        ]
        return any(a[0] != b[0] and a[1] != b[1] for a in origins for b in origins)

    def copies(self, node: str) -> list[str]:
        """Believed locations of the artifact under one of the roots, sorted; what has no digest has none."""
        if node.startswith("uri:"):
            return []
        return sorted(
            location
            for location, who in self.reference.values(node, "location")
            if any(self.reference.believed(said) for said in who) and self._under_root(location)
        )

    def _under_root(self, location: str) -> bool:
        """A `file://` URI in its plain spelling: no foreign host, no `..`, nothing behind the path."""
        host, slash, path = location.removeprefix("file://").partition("/")
        path = unquote(path)
        plain = location.startswith("file://") and slash and not set("?#") & set(location)
        if not plain or host.lower() not in ("", "localhost") or ".." in path.split("/") or "\0" in path:
            return False
        return any(posixpath.normpath("/" + path).startswith(root + "/") for root in self.roots)

    def rows(self, node: str, location: str) -> list[Checked]:
        """Believed checks of a copy in order; at the same moment the later entry, then the worse, is last."""
        worse = ("match", "inconclusive", "mismatch")
        rows = [
            row
            for row in self.reference.checks.get(node, ())
            if row.location == location and self.reference.believed(row)
        ]
        return sorted(rows, key=lambda row: (row.at, row.index, worse.index(row.outcome)))

    def _copy(self, node: str, location: str, at: int) -> Found:
        rows = self.rows(node, location)
        if not rows:
            return [("unverified", "never-checked")]
        if self.uncleared(rows):
            return [("failed", "copy-mismatch")]
        full = [row.at for _, row in self._counted(rows) if row.strength == 3]
        if not full:
            return [("unverified", "inconclusive")]
        return [("expired", "check-overdue")] if at - max(full) >= MAX_AGE else []

    def uncleared(self, rows: list[Checked]) -> list[Checked]:
        """The mismatches that no later match of all bytes, as close at least, has cleared."""
        counted = self._counted(rows)
        return [
            row
            for place, row in enumerate(rows)
            if row.outcome == "mismatch"
            and not any(later > place and match.strength >= max(row.strength, 2) for later, match in counted)
        ]

    def _counted(self, rows: list[Checked]) -> list[tuple[int, Checked]]:
        matches = [(place, row) for place, row in enumerate(rows) if row.outcome == "match"]
        return [(place, row) for place, row in matches if self._whose(row, rows)]

    def _whose(self, row: Checked, rows: list[Checked]) -> bool:
        """Where our own re-verifier looked, nobody else's match counts."""
        return row.own or not any(each.own for each in rows)

    def _run(self, node: str, at: int) -> Found:
        found = self._attestation(node)
        edges = self.reference.outgoing.get(node, set()) | self.reference.incoming.get(node, set())
        for edge in edges:
            source, kind, target = edge
            other = target if source == node else source
            touches = (kind == "USED" and source == node) or (kind == "WAS_GENERATED_BY" and target == node)
            if touches and other.startswith("uri:") and self._holds(edge) and not self._answered(node, edge):
                found.append(("unverified", "input-undigested"))
        return found + self._disagreement(node)

    def _answered(self, run: str, edge: tuple[str, str, str]) -> bool:
        """Only our collector saw it without a digest, and who signed for the run names its URI with one."""
        if any(
            self.reference.believed(said) and said.trust != "observed" for said in self.reference.edges[edge]
        ):
            return False
        wanted = f"{edge[1]} {edge[2] if edge[0] == run else edge[0]}"
        digested = [who for value, who in self.reference.values(run, "digested") if value == wanted]
        return any(self._counts(said, "signed") for who in digested for said in who)

    def _disagreement(self, run: str) -> Found:
        """What was observed of a signed run and not signed, beside something signed of the same form."""
        about = [said for _, each in self.reference.values(run, "attested") for said in each]
        if not any(self._counts(said, "signed") for said in about):
            return []
        used = [edge for edge in self.reference.outgoing.get(run, ()) if edge[1] == "USED"]
        made = [edge for edge in self.reference.incoming.get(run, ()) if edge[1] == "WAS_GENERATED_BY"]
        for edges, end in ((used, 2), (made, 0)):
            signed, observed = (
                {e[end] for e in edges if any(self._counts(said, how) for said in self.reference.edges[e])}
                for how in ("signed", "observed")
            )
            forms = {key.split(":")[0] for key in signed} - {"uri"}
            said_so = "USED" if end else "WAS_GENERATED_BY"
            heard = {
                value.removeprefix(f"{said_so} ")
                for value, each in self.reference.values(run, "digested")
                if value.startswith(f"{said_so} ") and any(self._counts(said, "observed") for said in each)
            }
            if any(key.split(":")[0] in forms for key in observed - signed - heard):
                return [("failed", "observed-differs")]
        return []

    def _counts(self, said: Said, trust: str) -> bool:
        return said.trust == trust and self.reference.believed(said)

    def _holds(self, edge: tuple[str, str, str]) -> bool:
        return any(self.reference.believed(said) for said in self.reference.edges[edge])

    def _hardware(self, node: str, at: int) -> Found:
        """Nothing appraises evidence yet, so the best is a signed statement that the machine is one."""
        return [("unverified", "asserted-only" if self._attestation(node) else "no-evidence")]

    def _deployed(self, node: str) -> list[str]:
        edges = self.reference.outgoing.get(node, set())
        return sorted(edge[2] for edge in edges if edge[1] == "USED" and self._holds(edge))

    def _deployment(self, node: str, at: int) -> Found:
        found = self._attestation(node)
        for artifact in self._deployed(node):
            status, reasons = self.status(artifact, at)
            found += [(status, reason) for reason in reasons]
        return found

    def _key(self, node: str, at: int) -> Found:
        key = self.reference.keys.get(node.removeprefix("key:"))
        if key is None:
            return [("unverified", "asserted-only")]
        revoked = [compromised for start, compromised, _ in key.revocations if start <= at]
        if any(revoked):
            return [("failed", "key-compromised")]
        if revoked or (key.not_after is not None and at > key.not_after):
            return [("expired", "key-ended")]
        if key.not_before is not None and at < key.not_before:
            return [("unverified", "not-yet-valid")]
        return []
