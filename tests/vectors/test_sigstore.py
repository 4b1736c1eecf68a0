"""The Sigstore client conformance suite, and Sigstore's own library as second opinion."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from lineage.trust import roots
from lineage.trust.keys import load_public
from lineage.trust.verify import Outcome, Verdict
from lineage.trust.verify_file import Given, verify_file
from tests.vectors import opinions

FAMILY = "sigstore"
APPLIES = {
    "test_second_opinion": lambda case: "roots" in case,
    "test_another_identity_is_refuted": lambda case: case["expect"] == "verified" and "roots" in case,
    "test_without_an_identity_nothing_is_verified": lambda case: "roots" in case,
}
DIFFERS: dict[str, str] = {}
"""Files on which the suite, we and Sigstore's library don't agree, with the reason. There are none."""
INCONCLUSIVE = {
    "bundle-empty-certificate-chain_fail.sigstore.json": "the library can't read it",
    "bundle-invalid-base64-signature_fail.sigstore.json": "the library can't read it",
    "bundle-negative-log-index_fail.sigstore.json": "the library can't read it",
    "bundle-unknown-version_fail.sigstore.json": "a later version may be right",
    "intoto-missing-inclusion-proof_fail.sigstore.json": "the library can't read it",
    "invalid-inclusion-proof_fail.sigstore.json": "the library stops at the missing proof",
    "managed-key-no-key_fail.sigstore.json": "no key was given",
    "rekor2-no-inclusion-proof_fail.sigstore.json": "the library can't read it",
}
"""What must not be verified and is not refuted either: it could not be checked."""


def given(vectors: Path, case: dict[str, Any], **more: Any) -> Given:
    content = (vectors / case["artifact"]).read_bytes()
    made = {
        "at_us": 0,
        "roots": tuple(
            roots.load("sigstore", (vectors / name).read_bytes()) for name in case.get("roots") or ()
        ),
        "keys": tuple(load_public((vectors / name).read_bytes()) for name in case.get("keys") or ()),
        "identity": case.get("identity", ""),
        "issuer": case.get("issuer", ""),
        "artifact": {"sha256": hashlib.sha256(content).hexdigest()},
    }
    return Given(**(made | more))


def judged(vectors: Path, case: dict[str, Any], **more: Any) -> Verdict:
    return verify_file((vectors / case["file"]).read_bytes(), given(vectors, case, **more))


def test_verdict(vectors: Path, case: dict[str, Any]) -> None:
    if "wrong-key" in case["file"]:
        with pytest.raises(Exception, match="not a public key"):  # the suite's file is no strict PEM
            judged(vectors, case)
        return
    verdict = judged(vectors, case)
    wanted = "verified" if case["expect"] == "verified" else "refuted"
    if case["file"] in INCONCLUSIVE:
        wanted = "inconclusive"
    assert verdict.outcome.value == wanted, verdict.reasons
    assert verdict.reasons


def second_opinion(vectors: Path, case: dict[str, Any]) -> str:
    content = None
    if case.get("kind") != "DSSE":
        content = (vectors / case["artifact"]).read_bytes()
    root = vectors / case["roots"][0]
    return opinions.sigstore((vectors / case["file"]).read_bytes(), root, content)


def test_second_opinion(vectors: Path, case: dict[str, Any]) -> None:
    theirs = second_opinion(vectors, case)
    opinions.explain(case, opinions.of(judged(vectors, case)), theirs, DIFFERS)


@pytest.mark.parametrize("wrong", ["identity", "issuer"])
def test_another_identity_is_refuted(vectors: Path, case: dict[str, Any], wrong: str) -> None:
    more = {wrong: "https://example.com/somebody-else"}
    assert judged(vectors, case, **more).outcome is Outcome.REFUTED


def test_without_an_identity_nothing_is_verified(vectors: Path, case: dict[str, Any]) -> None:
    assert judged(vectors, case, identity="", issuer="").outcome is not Outcome.VERIFIED
