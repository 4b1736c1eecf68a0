"""CycloneDX BOMs: exactly which graph composition, dependencies, model cards and formulation make."""

from __future__ import annotations

import copy
import hashlib
from typing import Any

import pytest

from lineage import predicates
from lineage.errors import MalformedError, TooLargeError
from lineage.graph.model import run_key, supplier_key, unnamed_uri, uri_key
from lineage.predicates import cyclonedx_formulation, wire
from tests.unit.predicates.making import KEY, SIGNER, A, B, C, D, edges, kinds, made, projected, said_of

BOM = "https://cyclonedx.org/bom"
SUBJECT = f"sha256:{A}"
TORCH = "pkg:pypi/torch@2.6.0"


def component(name: str, kind: str = "library", **members: Any) -> dict[str, Any]:
    return {"type": kind, "name": name, "bom-ref": name, **members}


def digest(value: str) -> list[dict[str, str]]:
    return [{"alg": "SHA-256", "content": value}]


def bom(**members: Any) -> dict[str, Any]:
    return {"bomFormat": "CycloneDX", "specVersion": "1.6", **members}


def lineage_of(predicate: dict[str, Any]) -> list[tuple[str, str, str]]:
    """All edges but those to signers and suppliers."""
    return [edge for edge in edges(projected(made(BOM, predicate))) if edge[1] != "WAS_ATTRIBUTED_TO"]


def test_a_model_with_its_card() -> None:
    model = component(
        "triage",
        "machine-learning-model",
        group="acme",
        version="2.1",
        licenses=[{"license": {"id": "Apache-2.0"}}, {"expression": "MIT OR ISC"}],
        supplier={"name": "Acme"},
        modelCard={
            "modelParameters": {
                "task": "triage",
                "approach": {"type": "supervised"},
                "datasets": [
                    {"type": "dataset", "name": "claims", "contents": {"url": "s3://b/claims"}},
                    {"ref": "glossary"},
                ],
            },
            "considerations": {"technicalLimitations": ["English only"]},
        },
    )
    data = component("glossary", "data", hashes=digest(B), data=[{"type": "dataset"}])
    delta = projected(made(BOM, bom(metadata={"component": model}, components=[data])))
    claims = uri_key("s3://b/claims")
    assert kinds(delta) == {
        KEY: "signer",
        SUBJECT: "artifact",
        f"sha256:{B}": "artifact",
        claims: "artifact",
        supplier_key("Acme"): "supplier",
    }
    assert set(edges(delta)) == {
        (SUBJECT, "WAS_ATTRIBUTED_TO", KEY),
        (SUBJECT, "WAS_ATTRIBUTED_TO", supplier_key("Acme")),
        (SUBJECT, "WAS_DERIVED_FROM", f"sha256:{B}"),
        (SUBJECT, "WAS_DERIVED_FROM", claims),
    }
    assert said_of(delta, SUBJECT) == {
        ("attested", BOM),
        ("name", "a.bin"),
        ("name", "acme/triage"),
        ("version", "2.1"),
        ("license", "Apache-2.0"),
        ("license", "MIT OR ISC"),
        ("role", "model"),
        ("detail", "Task: triage"),
        ("detail", "Approach: supervised"),
        ("detail", "Limitations: English only"),
    }
    assert ("role", "dataset") in said_of(delta, claims)
    assert ("role", "dataset") in said_of(delta, f"sha256:{B}")


def test_components_without_a_digest_are_gaps_by_package_or_name() -> None:
    listed = [
        component("torch", purl=TORCH),
        component("foo", version="1"),
        component("foo2", hashes=[{"alg": "SHA-1", "content": "ab" * 20}]),
    ]
    delta = projected(made(BOM, bom(components=listed)))
    named = {uri_key(TORCH), uri_key(unnamed_uri(SIGNER, "foo@1")), uri_key(unnamed_uri(SIGNER, "foo2"))}
    assert {key for key in delta.nodes if key.startswith("uri:")} == named
    assert ("fingerprint", f"sha1:{'ab' * 20}") in said_of(delta, uri_key(unnamed_uri(SIGNER, "foo2")))


def test_dependencies_stand_between_the_subject_and_what_they_lead_to() -> None:
    listed = [
        component("b", hashes=digest(B)),
        component("c", hashes=digest(C)),
        component("d", hashes=digest(D)),
    ]
    links = [{"ref": "main", "dependsOn": ["b"]}, {"ref": "b", "dependsOn": ["c"]}, {"ref": "c"}]
    main = component("main", "application")
    assert lineage_of(bom(metadata={"component": main}, components=listed, dependencies=links)) == sorted(
        [
            (SUBJECT, "WAS_DERIVED_FROM", f"sha256:{B}"),
            (f"sha256:{B}", "WAS_DERIVED_FROM", f"sha256:{C}"),
            (SUBJECT, "WAS_DERIVED_FROM", f"sha256:{D}"),
        ]
    )


def test_what_is_inside_what_it_descends_from_and_what_is_no_part() -> None:
    whole = component(
        "whole",
        hashes=digest(B),
        components=[component("inner", hashes=digest(C)), component("tests", scope="excluded")],
        pedigree={"ancestors": [component("older", hashes=digest(D))], "descendants": [component("younger")]},
    )
    provided = component("driver", isExternal=True)
    links = [{"ref": "whole", "dependsOn": ["driver", "tests"]}]
    found = lineage_of(bom(specVersion="1.7", components=[whole, provided], dependencies=links))
    assert found == sorted(
        [
            (SUBJECT, "WAS_DERIVED_FROM", f"sha256:{B}"),
            (f"sha256:{B}", "WAS_DERIVED_FROM", f"sha256:{C}"),
            (f"sha256:{B}", "WAS_DERIVED_FROM", f"sha256:{D}"),
        ]
    )


def test_a_described_thing_with_another_digest_is_another_thing() -> None:
    main = component("app", "application", hashes=digest(B))
    apart = lineage_of(bom(metadata={"component": main}, components=[component("c", hashes=digest(C))]))
    assert (SUBJECT, "WAS_DERIVED_FROM", f"sha256:{B}") in apart
    assert (f"sha256:{B}", "WAS_DERIVED_FROM", f"sha256:{C}") in apart
    assert len(apart) == 2
    same = component("app", "application", hashes=digest(A))
    assert lineage_of(bom(metadata={"component": same})) == []


def test_formulation_becomes_runs() -> None:
    task = {
        "bom-ref": "train",
        "uid": "u-1",
        "name": "training",
        "taskTypes": ["build"],
        "timeStart": "2026-01-01T00:00:00Z",
        "inputs": [
            {"resource": {"ref": "data"}},
            {"resource": {"externalReference": {"type": "other", "url": "s3://b/x", "hashes": digest(C)}}},
            {"environmentVars": ["SECRET=1"]},
        ],
        "outputs": [{"resource": {"ref": "main"}}],
    }
    told = made(
        BOM,
        bom(
            metadata={"component": component("main", "machine-learning-model")},
            components=[component("data", "data", hashes=digest(B))],
            formulation=[
                {"workflows": [{"bom-ref": "w", "uid": "w", "taskTypes": ["build"], "tasks": [task]}]}
            ],
        ),
    )
    delta = projected(told)
    run = run_key(f"urn:lineage:statement:{told.digest}", "train", "")
    assert kinds(delta)[run] == "run"
    assert {(edge[0], edge[1], edge[2]) for edge in edges(delta) if run in edge} == {
        (run, "USED", f"sha256:{B}"),
        (run, "USED", f"sha256:{C}"),
        (SUBJECT, "WAS_GENERATED_BY", run),
    }
    assert said_of(delta, run) == {
        ("attested", BOM),
        ("name", "training"),
        ("activity", "build"),
        ("started", "2026-01-01T00:00:00.000000Z"),
    }
    assert delta.builders == frozenset()
    assert "SECRET" not in repr(delta) + repr(predicates.describe(told))


def test_a_reference_to_nothing_in_the_bom_is_only_named() -> None:
    links = [{"ref": "b", "dependsOn": ["urn:cdx:f08a6ccd-4dce-4759-bd84-c626675d60a7/1#x", "gone"]}]
    found = lineage_of(bom(components=[component("b", hashes=digest(B))], dependencies=links))
    linked = uri_key("urn:cdx:f08a6ccd-4dce-4759-bd84-c626675d60a7/1#x")
    assert (f"sha256:{B}", "WAS_DERIVED_FROM", linked) in found
    assert (f"sha256:{B}", "WAS_DERIVED_FROM", uri_key(unnamed_uri(SIGNER, "gone"))) in found


@pytest.mark.parametrize(
    ("predicate", "where"),
    [
        (bom(bomFormat="SPDX"), "$.predicate.bomFormat"),
        (bom(specVersion="1.3"), "$.predicate.specVersion"),
        (bom(specVersion="2.0"), "$.predicate.specVersion"),
        (bom(serialNumber="urn:uuid:1"), "$.predicate.serialNumber"),
        (bom(metadata={"timestamp": "2026-01-01"}), "$.predicate.metadata.timestamp"),
        (bom(components=[component("")]), "$.predicate.components[0].name"),
        (bom(components=[component("a", "toaster")]), "$.predicate.components[0].type"),
        (
            bom(components=[component("a"), component("b", **{"bom-ref": "a"})]),
            "$.predicate.components[1].bom-ref",
        ),
        (bom(components=[component("a", hashes=digest("ab"))]), "$.predicate.components[0].hashes.sha256"),
        (
            bom(components=[component("a", licenses=[{"license": {}}])]),
            "$.predicate.components[0].licenses[0].license",
        ),
        (bom(dependencies=[{"dependsOn": []}]), "$.predicate.dependencies[0]"),
    ],
    ids=[
        "format",
        "old",
        "new",
        "serial",
        "time",
        "name",
        "type",
        "twice",
        "digest",
        "license",
        "dependency",
    ],
)
def test_what_is_no_bom(predicate: dict[str, Any], where: str) -> None:
    with pytest.raises(MalformedError) as caught:
        projected(made(BOM, predicate))
    assert caught.value.where == where


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    many = [component(f"c{number}") for number in range(6)]
    projected(made(BOM, bom(components=many)))
    monkeypatch.setattr("lineage.predicates.cyclonedx_parts.MAX_REFERENCES", 5)
    with pytest.raises(TooLargeError):
        projected(made(BOM, bom(components=many)))
    monkeypatch.setattr(cyclonedx_formulation, "MAX_TASKS", 1)
    workflow = {"bom-ref": "w", "uid": "w", "taskTypes": []}
    with pytest.raises(TooLargeError):
        projected(made(BOM, bom(formulation=[{"workflows": [workflow, {**workflow, "bom-ref": "v"}]}])))
    assert wire.MAX_REFERENCES == 20_000


def test_many_subjects_and_components_stop_at_the_limit_of_edges() -> None:
    subjects = [
        {"name": str(n), "digest": {"sha256": hashlib.sha256(b"%d" % n).hexdigest()}} for n in range(600)
    ]
    with pytest.raises(TooLargeError, match="edges"):
        projected(made(BOM, bom(components=[component(f"c{n}") for n in range(600)]), *subjects))


def test_a_dependency_circle_ends() -> None:
    listed = [component("b", hashes=digest(B)), component("c", hashes=digest(C))]
    links = [
        {"ref": "main", "dependsOn": ["b"]},
        {"ref": "b", "dependsOn": ["c"]},
        {"ref": "c", "dependsOn": ["b", "main"]},
    ]
    found = lineage_of(
        bom(metadata={"component": component("main", "application")}, components=listed, dependencies=links)
    )
    assert (f"sha256:{C}", "WAS_DERIVED_FROM", SUBJECT) in found
    assert len(found) == 4


def test_every_version_uri_reads_every_version() -> None:
    for uri in predicates.find(BOM).uris:  # type: ignore[union-attr]
        told = made(uri, copy.deepcopy(bom(specVersion="1.4", components=[component("b", hashes=digest(B))])))
        assert (SUBJECT, "WAS_DERIVED_FROM", f"sha256:{B}") in edges(projected(told))
        assert ("Component", "b (library), with a digest") in predicates.describe(told)
