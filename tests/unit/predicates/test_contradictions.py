"""Statements that contradict themselves, or let one thing pass for another: refused, or not vouched for."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest

from lineage.errors import MalformedError, TooLargeError
from lineage.graph.model import run_key
from lineage.predicates import verification_summary
from tests.unit.predicates.making import KEY, A, B, C, claims, edges, kinds, made, ours, projected
from tests.unit.predicates.test_spdx import DOCUMENT, SPDX, graph, link, node, package, related, spdx2

BOM = "https://cyclonedx.org/bom"
RELEASE = "https://in-toto.io/attestation/release/v0.2"
VSA = verification_summary.URI
WITNESS = "https://witness.testifysec.com/attestation-collection/v0.1"
SUBJECT_KEY = f"sha256:{A}"
BYTES = b"some weights"
CARRIED = base64.b64encode(BYTES).decode()


def refused(predicate_type: str, predicate: dict[str, Any], *subjects: dict[str, Any]) -> str:
    """The place that a refusal names."""
    with pytest.raises(MalformedError) as caught:
        projected(made(predicate_type, predicate, *subjects))
    return caught.value.where or ""


def bom(component: dict[str, Any], **members: Any) -> dict[str, Any]:
    whole = {"type": "file", "name": "a.bin"} | component
    return {"bomFormat": "CycloneDX", "specVersion": "1.6", "metadata": {"component": whole}} | members


def hashed(*values: str, alg: str = "SHA-256") -> list[dict[str, str]]:
    return [{"alg": alg, "content": value} for value in values]


def test_two_digests_by_one_algorithm_are_no_digest() -> None:
    """A reader that takes the first one sees another artifact than a reader that takes the last one."""
    main = "$.predicate.metadata.component.hashes"
    assert refused(BOM, bom({"hashes": hashed(B, A)})) == main
    part = {"type": "library", "name": "l", "hashes": hashed(B, C)}
    assert refused(BOM, bom({}, components=[part])) == "$.predicate.components[0].hashes"
    elsewhere = {"url": "https://data.example/d", "hashes": hashed(B, C)}
    task = {
        "bom-ref": "t",
        "uid": "t",
        "taskTypes": ["build"],
        "inputs": [{"resource": {"externalReference": elsewhere}}],
    }
    at = "$.predicate.formulation[0].workflows[0].inputs[0].resource.hashes"
    assert refused(BOM, bom({}, formulation=[{"workflows": [task]}])) == at
    twice = package("b", B) | {
        "checksums": [{"algorithm": "SHA256", "checksumValue": each} for each in (B, C)]
    }
    told = spdx2([twice], related(DOCUMENT, "DESCRIBES", "b"))
    assert refused(SPDX, told) == "$.predicate.packages[0].checksums"
    hashes = [{"type": "Hash", "algorithm": "sha256", "hashValue": each} for each in (B, C)]
    assert refused(SPDX, graph(node("software_File", "f", verifiedUsing=hashes))).endswith("verifiedUsing")


def test_one_digest_twice_is_one_digest() -> None:
    delta = projected(made(BOM, bom({"hashes": hashed(A, A.upper())})))
    assert edges(delta) == [(SUBJECT_KEY, "WAS_ATTRIBUTED_TO", KEY)]


def test_a_bill_with_one_digest_of_the_subject_and_one_of_something_else() -> None:
    subject = {"name": "a.bin", "digest": {"sha256": A, "sha1": "ab" * 20}}
    both = [*hashed(A), *hashed("cd" * 20, alg="SHA-1")]
    assert refused(BOM, bom({"hashes": both}), subject) == "$.predicate.metadata.component.hashes"
    # A weak digest alone doesn't identify, and still says that this is another file.
    apart = projected(made(BOM, bom({"hashes": hashed("cd" * 20, alg="SHA-1")}), subject))
    assert [edge for edge in edges(apart) if edge[1] == "WAS_DERIVED_FROM"]
    same = projected(made(BOM, bom({"hashes": hashed("ab" * 20, alg="SHA-1")}), subject))
    assert edges(same) == [(SUBJECT_KEY, "WAS_ATTRIBUTED_TO", KEY)]


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512", "sha3_256"])
def test_content_that_has_another_digest(algorithm: str) -> None:
    right, wrong = (hashlib.new(algorithm, data).hexdigest() for data in (BYTES, b"others"))
    source = {"name": "d", "content": CARRIED}
    good = ours("dataset", {"name": "d", "sources": [source | {"digest": {algorithm: right}}]})
    assert (SUBJECT_KEY, "WAS_DERIVED_FROM", f"{algorithm}:{right}") in edges(projected(good))
    told = {"name": "d", "sources": [source | {"digest": {algorithm: wrong}}]}
    assert refused("urn:lineage:predicate:dataset:v1", told) == "$.predicate.sources[0].content"
    subject = source | {"digest": {algorithm: wrong}}
    assert refused("urn:lineage:predicate:dataset:v1", {"name": "d"}, subject) == "$.subject[0].content"


def test_a_product_that_is_no_subject_was_made_and_nobody_vouches_for_it() -> None:
    """Scopes look at a statement's subjects, so a product beside them must not become verified by it."""
    product = {"type": "https://witness.dev/attestations/product/v0.1"}
    files = {"a.bin": {"digest": {"sha256": A}}, "b.bin": {"digest": {"sha256": B}}}
    delta = projected(made(WITNESS, {"name": "s", "attestations": [product | {"attestation": files}]}))
    made_by = {source for source, kind, _ in edges(delta) if kind == "WAS_GENERATED_BY"}
    assert made_by == {SUBJECT_KEY, f"sha256:{B}"}
    attested = {key for key, kind, _ in claims(delta) if kind == "attested" and kinds(delta)[key] != "run"}
    assert attested == {SUBJECT_KEY}
    assert [edge for edge in edges(delta) if edge[1] == "WAS_ATTRIBUTED_TO"] == [
        (SUBJECT_KEY, "WAS_ATTRIBUTED_TO", KEY)
    ]


def test_a_builder_with_a_line_break_is_another_builders_run() -> None:
    assert run_key("https://good.example", "1\n2", "") == run_key("https://good.example\n1", "2", "")
    told = {"builder": {"id": "https://good.example\n1"}, "invocationId": "2", "activity": "training"}
    assert refused("urn:lineage:predicate:training-run:v1", told) == "$.predicate"


@pytest.mark.parametrize(
    "purl",
    [
        "pkg:npm/@scope/name", "pkg:npm/name", "pkg:@1", "pkg:npm@1", "pkg:npm/name@", "npm/name@1",
        "pkg:npm/name@1/2", "pkg:npm/na me@1", "pkg:1npm/name@1", "pkg:npm//name@1",
    ],
)  # fmt: skip
def test_a_release_without_a_version(purl: str) -> None:
    assert refused(RELEASE, {"purl": purl}) == "$.predicate.purl"


@pytest.mark.parametrize(
    ("purl", "version"),
    [
        ("pkg:npm/%40scope/name@1.0.0", "1.0.0"),
        ("pkg:pypi/urllib3@2.1.0?file_name=a.whl#x", "2.1.0"),
        ("pkg:deb/debian/curl@7.50.3-1%2Bb1?arch=i386", "7.50.3-1+b1"),
        ("pkg:huggingface/distilbert-base-uncased@043235d6088ecd3dd5fb5ca3592b6913fd516027", "043235d6"),
    ],
)
def test_a_release_with_a_version(purl: str, version: str) -> None:
    (found,) = (
        value for _, kind, value in claims(projected(made(RELEASE, {"purl": purl}))) if kind == "version"
    )
    assert found.startswith(version)


def test_a_summary_that_contradicts_itself_or_is_none() -> None:
    passed = {"verificationResult": "PASSED", "verifier": {"id": "https://v.example"}}
    levels = {"verifiedLevels": ["SLSA_BUILD_LEVEL_3", "FAILED"]}
    assert refused(VSA, passed | levels) == "$.predicate.verifiedLevels"
    assert projected(made(VSA, passed | levels | {"verificationResult": "FAILED"})).claims
    assert refused(VSA, passed | {"timeVerified": "yesterday"}) == "$.predicate.timeVerified"
    short = {"policy": {"uri": "https://p.example", "digest": {"sha256": "ab"}}}
    assert refused(VSA, passed | short) == "$.predicate.policy.digest.sha256"
    inputs = {"inputAttestations": [{"uri": "https://a.example", "digest": {"sha256": "x"}}]}
    assert refused(VSA, passed | inputs) == "$.predicate.inputAttestations[0].digest.sha256"
    with pytest.raises(TooLargeError):
        projected(made(VSA, passed | {"inputAttestations": [{"uri": "u"}] * 20_001}))
    for outcome in ("green", "refuted", "inconclusive"):
        verdict = {verification_summary.LAYOUT_VERDICT: {"outcome": outcome}}
        assert refused(VSA, passed | verdict).startswith("$.predicate")


@pytest.mark.parametrize("stands_for", ["None", "NoAssertion"])
@pytest.mark.parametrize("form", ["{}Element", "https://spdx.org/rdf/3.0.1/terms/Core/{}Element"])
def test_spdx_depends_on_nothing(form: str, stands_for: str) -> None:
    nothing = link("f", "dependsOn", "x")
    nothing["to"] = [form.format(stands_for)]
    delta = projected(made(SPDX, graph(node("software_File", "f"), nothing)))
    assert edges(delta) == [(SUBJECT_KEY, "WAS_ATTRIBUTED_TO", KEY)]
    assert json.dumps(claims(delta)).count("Element") == 0
