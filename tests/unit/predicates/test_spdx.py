"""SPDX 2.3 and 3.0 documents: exactly which graph their relationships make."""

from __future__ import annotations

from typing import Any

import pytest

from lineage import predicates
from lineage.errors import MalformedError, TooLargeError
from lineage.graph.model import run_key, supplier_key, unnamed_uri, uri_key
from tests.unit.predicates.making import KEY, SIGNER, A, B, C, D, edges, made, projected, said_of

SPDX = "https://spdx.dev/Document"
SUBJECT = f"sha256:{A}"
DOCUMENT = "SPDXRef-DOCUMENT"


def package(name: str, digest: str = "", **members: Any) -> dict[str, Any]:
    checksums = [{"algorithm": "SHA256", "checksumValue": digest}] if digest else []
    return {"SPDXID": f"SPDXRef-{name}", "name": name, "checksums": checksums, **members}


def related(source: str, kind: str, target: str) -> dict[str, str]:
    ids = [name if name == DOCUMENT else f"SPDXRef-{name}" for name in (source, target)]
    return {"spdxElementId": ids[0], "relationshipType": kind, "relatedSpdxElement": ids[1]}


def spdx2(packages: list[dict[str, Any]], *relationships: dict[str, str], **members: Any) -> dict[str, Any]:
    return {
        "spdxVersion": "SPDX-2.3",
        "SPDXID": DOCUMENT,
        "name": "doc",
        "creationInfo": {},
        "packages": packages,
        "relationships": list(relationships),
        **members,
    }


def graph(*nodes: dict[str, Any], version: str = "3.0.1") -> dict[str, Any]:
    return {"@context": f"https://spdx.org/rdf/{version}/spdx-context.jsonld", "@graph": list(nodes)}


def node(kind: str, name: str, digest: str = "", **members: Any) -> dict[str, Any]:
    hashes = [{"type": "Hash", "algorithm": "sha256", "hashValue": digest}] if digest else []
    return {"type": kind, "spdxId": f"urn:x:{name}", "name": name, "verifiedUsing": hashes, **members}


def link(source: str, kind: str, *targets: str, **members: Any) -> dict[str, Any]:
    return {
        "type": "Relationship",
        "spdxId": f"urn:x:{source}-{kind}",
        "from": f"urn:x:{source}",
        "relationshipType": kind,
        "to": [f"urn:x:{target}" for target in targets],
        **members,
    }


def lineage_of(predicate: dict[str, Any]) -> set[tuple[str, str, str]]:
    """All edges but those to signers and suppliers."""
    found = edges(projected(made(SPDX, predicate)))
    return {edge for edge in found if edge[1] != "WAS_ATTRIBUTED_TO"}


def derived(source: str, target: str) -> tuple[str, str, str]:
    return (source, "WAS_DERIVED_FROM", target)


def test_spdx_2_tells_of_the_subject_and_what_it_was_made_from() -> None:
    model = package(
        "model",
        versionInfo="2",
        licenseDeclared="NOASSERTION",
        licenseConcluded="MIT",
        supplier="Organization: Acme (a@b)",
    )
    purl = {"referenceType": "purl", "referenceLocator": "pkg:pypi/torch@2"}
    told = made(
        SPDX,
        spdx2(
            [
                model,
                package("data", B),
                package("torch", externalRefs=[purl], downloadLocation="NOASSERTION"),
            ],
            related(DOCUMENT, "DESCRIBES", "model"),
            related("model", "GENERATED_FROM", "data"),
            related("torch", "DEPENDENCY_OF", "model"),
            related("torch", "TEST_DEPENDENCY_OF", "model"),
            related("data", "DATA_FILE_OF", "model"),
        ),
    )
    delta = projected(told)
    assert set(edges(delta)) == {
        (SUBJECT, "WAS_ATTRIBUTED_TO", KEY),
        (SUBJECT, "WAS_ATTRIBUTED_TO", supplier_key("Acme")),
        derived(SUBJECT, f"sha256:{B}"),
        derived(SUBJECT, uri_key("pkg:pypi/torch@2")),
    }
    assert {("version", "2"), ("license", "MIT"), ("name", "model")} <= said_of(delta, SUBJECT)
    assert ("About", "model") in predicates.describe(told)


@pytest.mark.parametrize("kind", ["CONTAINS", "DEPENDS_ON", "DESCENDANT_OF", "STATIC_LINK", "GENERATED_FROM"])
def test_spdx_2_forwards(kind: str) -> None:
    told = spdx2([package("b", B), package("c", C)], related("b", kind, "c"))
    assert lineage_of(told) == {derived(f"sha256:{B}", f"sha256:{C}")}


@pytest.mark.parametrize("kind", ["CONTAINED_BY", "ANCESTOR_OF", "GENERATES", "RUNTIME_DEPENDENCY_OF"])
def test_spdx_2_backwards(kind: str) -> None:
    told = spdx2([package("b", B), package("c", C)], related("b", kind, "c"))
    assert lineage_of(told) == {derived(f"sha256:{C}", f"sha256:{B}")}


@pytest.mark.parametrize("kind", ["DYNAMIC_LINK", "TEST_OF", "OTHER", "VARIANT_OF", "DEV_DEPENDENCY_OF"])
def test_spdx_2_that_is_no_lineage(kind: str) -> None:
    assert lineage_of(spdx2([package("b", B), package("c", C)], related("b", kind, "c"))) == set()


def test_spdx_2_of_files_by_older_members() -> None:
    told = spdx2(
        [package("b", B, hasFiles=["SPDXRef-f"])],
        documentDescribes=["SPDXRef-b"],
        files=[
            {
                "SPDXID": "SPDXRef-f",
                "fileName": "./f",
                "checksums": [{"algorithm": "SHA256", "checksumValue": C}],
            }
        ],
    )
    # What is described has a digest that the subject has not: it is another thing.
    assert lineage_of(told) == {derived(SUBJECT, f"sha256:{B}"), derived(f"sha256:{B}", f"sha256:{C}")}


def test_spdx_3_tells_of_models_datasets_and_builds() -> None:
    told = made(
        SPDX,
        graph(
            {"type": "SpdxDocument", "spdxId": "urn:x:doc", "rootElement": ["urn:x:bom"]},
            {"type": "software_Sbom", "spdxId": "urn:x:bom", "rootElement": ["urn:x:model"]},
            {"type": "Organization", "spdxId": "urn:x:acme", "name": "Acme"},
            {
                "type": "simplelicensing_LicenseExpression",
                "spdxId": "urn:x:l",
                "simplelicensing_licenseExpression": "MIT",
            },
            node(
                "ai_AIPackage",
                "model",
                ai_typeOfModel=["transformer"],
                suppliedBy="urn:x:acme",
                ai_hyperparameter=[{"type": "DictionaryEntry", "key": "lr", "value": "0.1"}],
            ),
            node("dataset_DatasetPackage", "data", B, dataset_datasetSize=7, dataset_datasetType=["text"]),
            node("dataset_DatasetPackage", "held-out", C),
            node("software_File", "script", D),
            node(
                "build_Build",
                "build",
                build_buildId="b1",
                build_buildType="t",
                build_buildStartTime="2026-01-01T00:00:00Z",
            ),
            link("model", "trainedOn", "data"),
            link("model", "testedOn", "held-out"),
            link("model", "hasDeclaredLicense", "l"),
            link("build", "hasInput", "script"),
            link("build", "hasOutput", "model"),
            link("model", "dependsOn", "held-out", scope="test"),
        ),
    )
    delta = projected(told)
    run = run_key(f"urn:lineage:statement:{told.digest}", "urn:x:build", "")
    assert set(edges(delta)) == {
        (SUBJECT, "WAS_ATTRIBUTED_TO", KEY),
        (SUBJECT, "WAS_ATTRIBUTED_TO", supplier_key("Acme")),
        derived(SUBJECT, f"sha256:{B}"),
        (run, "USED", f"sha256:{D}"),
        (SUBJECT, "WAS_GENERATED_BY", run),
    }
    assert said_of(delta, SUBJECT) >= {
        ("role", "model"),
        ("license", "MIT"),
        ("detail", "Type of model: transformer"),
        ("detail", "Parameters: lr = 0.1"),
        ("detail", "Tested on: held-out"),
    }
    assert ("detail", "Size: 7") in said_of(delta, f"sha256:{B}")
    assert ("started", "2026-01-01T00:00:00.000000Z") in said_of(delta, run)
    assert f"sha256:{C}" not in delta.nodes


def test_several_described_things_without_a_digest_are_parts() -> None:
    roots = {"type": "SpdxDocument", "spdxId": "urn:x:doc", "rootElement": ["urn:x:a", "urn:x:b"]}
    told = graph(roots, node("software_Package", "a"), node("software_Package", "b", B))
    assert lineage_of(told) == {
        derived(SUBJECT, uri_key(unnamed_uri(SIGNER, "a"))),
        derived(SUBJECT, f"sha256:{B}"),
    }


@pytest.mark.parametrize(
    ("predicate", "where"),
    [
        ({"spdxVersion": "SPDX-2.3"}, "$.predicate"),
        (spdx2([], spdxVersion="SPDX-2.1"), "$.predicate.spdxVersion"),
        (spdx2([package("a"), package("a")]), "$.predicate.packages[1].SPDXID"),
        (
            spdx2([package("a", "ab")], related(DOCUMENT, "DESCRIBES", "a")),
            "$.predicate.packages[0].checksums.sha256",
        ),
        (spdx2([], creationInfo={"created": "soon"}), "$.predicate.creationInfo.created"),
        (graph(version="3.1"), "$.predicate.@context"),
        (graph(node("software_File", "a"), node("software_File", "a")), "$.predicate.@graph[1].spdxId"),
        (graph({"type": "software_File", "name": "a"}), "$.predicate.@graph[0].spdxId"),
        (graph({"spdxId": "urn:x:a"}), "$.predicate.@graph[0]"),
    ],
    ids=["members", "version", "twice", "digest", "time", "newer", "id-twice", "no-id", "no-type"],
)
def test_what_is_no_document(predicate: dict[str, Any], where: str) -> None:
    with pytest.raises(MalformedError) as caught:
        projected(made(SPDX, predicate))
    assert caught.value.where == where


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    targets = [f"t{number}" for number in range(6)]
    told = graph(node("software_File", "a", B), link("a", "contains", *targets))
    assert len(lineage_of(told)) == 6
    for module in ("spdx2_reading", "spdx3_reading"):
        monkeypatch.setattr(f"lineage.predicates.{module}.MAX_ELEMENTS", 5)
    with pytest.raises(TooLargeError):
        projected(made(SPDX, told))
    with pytest.raises(TooLargeError):
        projected(made(SPDX, spdx2([package(name) for name in targets])))
