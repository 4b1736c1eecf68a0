"""SLSA provenance by GitHub's builders: Sigstore bundles, and envelopes with a bare certificate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lineage.trust import roots, statement
from lineage.trust.leaf import parse_rfc3339
from lineage.trust.opened import open_signed
from lineage.trust.verify import Verdict
from lineage.trust.verify_file import Given, verify_file
from tests.vectors import opinions

FAMILY = "slsa"
ROOT = "roots/public-good.json"
DIFFERS = {
    "valid.intoto.sigstore": (
        "a signed entry timestamp without an inclusion proof: the library can't read such a bundle, so it is"
        " inconclusive here; slsa-verifier takes the timestamp alone"
    ),
}
NO_TIME = (
    "gha_generic-v1.10.0-push-v14.intoto.jsonl",
    "gha_go-v1.2.0-workflow_dispatch.intoto.jsonl",
    "multi-subject-first.intoto.jsonl",
    "untrusted-builder.intoto.jsonl",
)
"""Envelopes whose certificate lived for minutes, and nothing says when it signed."""
UNREAD = ("invalid-dsse-sig.intoto.sigstore", "valid.intoto.sigstore")
"""The first has a signature in base64 with unused bits; the second names no predicate type."""


APPLIES = {
    "test_what_it_says": lambda case: "subjects" in case.get("facts", {}) and case["file"] not in UNREAD,
    "test_who_signed": lambda case: case["expect"] == "verified",
}


def content(vectors: Path, case: dict[str, Any]) -> bytes:
    """One bundle or envelope; some files are JSON Lines of one line."""
    data: bytes = (vectors / case["file"]).read_bytes()
    return data.strip()


def judged(vectors: Path, case: dict[str, Any]) -> Verdict:
    data = content(vectors, case)
    root = roots.load("sigstore", (vectors / ROOT).read_bytes())
    return verify_file(
        data, Given(at_us=parse_rfc3339("2026-01-01T00:00:00Z"), roots=(root,), identity="https://*")
    )


def test_verdict(vectors: Path, case: dict[str, Any]) -> None:
    verdict = judged(vectors, case)
    if case["file"] in (*NO_TIME, "valid.intoto.sigstore"):
        assert verdict.outcome.value == "inconclusive"
    else:
        assert verdict.outcome.value == case["expect"], verdict.reasons


def test_second_opinion(vectors: Path, case: dict[str, Any]) -> None:
    data = content(vectors, case)
    theirs = opinions.sigstore(data, vectors / ROOT, None)
    opinions.explain(case, opinions.of(judged(vectors, case)), theirs, DIFFERS)


def test_what_it_says(vectors: Path, case: dict[str, Any]) -> None:
    data = content(vectors, case)
    envelope = open_signed(data).envelope
    read = statement.parse(envelope.payload_type, envelope.payload)
    facts = case["facts"]
    assert read.predicate_type == facts["predicateType"]
    assert [[each.name, dict(each.digests)] for each in read.subjects[: len(facts["subjects"])]] == [
        list(each) for each in facts["subjects"]
    ]


def test_who_signed(vectors: Path, case: dict[str, Any]) -> None:
    if case["file"] in UNREAD:
        return
    facts = case["facts"]
    certificates: Any = judged(vectors, case).facts["certificates"]
    (certificate,) = certificates
    if "identity" in facts:
        assert (certificate["subject"], certificate["issuer"]) == (facts["identity"], facts["issuer"])
    if "integratedTime" in facts:
        assert certificate["proved_by"] == "rekor"
        assert certificate["proved_at"][:19] == facts["integratedTime"][:19]
