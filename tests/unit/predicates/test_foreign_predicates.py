"""SLSA provenance, links, and types that are not known here: exactly which graph each makes."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from in_toto.models import link as link_model
from in_toto.models import metadata
from msgspec.structs import replace

from lineage import predicates
from lineage.errors import MalformedError, TooLargeError
from lineage.graph.model import run_key, uri_key
from lineage.trust import statement
from lineage.trust.statement import Statement
from tests.unit.predicates.making import KEY, A, B, C, claims, edges, kinds, made, projected

SLSA = "https://slsa.dev/provenance/v1"
LINK = "https://in-toto.io/attestation/link/v0.3"
SUBJECT_KEY = f"sha256:{A}"
PROVENANCE: dict[str, Any] = {
    "buildDefinition": {
        "buildType": "https://build.example/v1",
        "externalParameters": {"build_type": "a word of the builder's"},
        "resolvedDependencies": [
            {"name": "dep", "digest": {"sha256": B}, "downloadLocation": "s3://b/dep"},
            {"uri": "pkg:pypi/torch@2.6", "annotations": {"role": "framework"}},
        ],
    },
    "runDetails": {
        "builder": {"id": "https://builder.example", "builderDependencies": [{"digest": {"sha256": C}}]},
        "metadata": {"invocationId": "i/1", "startedOn": "2026-01-01T00:00:00Z", "finishedOn": None},
        "byproducts": [{"name": "log", "digest": {"sha256": C}}],
    },
}


@pytest.mark.parametrize("uri", [SLSA, "https://slsa.dev/provenance/v1.0"])
def test_slsa_provenance(uri: str) -> None:
    delta = projected(made(uri, PROVENANCE))
    run, dependency = run_key("https://builder.example", "i/1", ""), f"sha256:{B}"
    package = uri_key("pkg:pypi/torch@2.6")
    assert kinds(delta) == {
        KEY: "signer", SUBJECT_KEY: "artifact", run: "run", dependency: "artifact", package: "artifact",
    }  # fmt: skip
    assert edges(delta) == sorted(
        [
            (SUBJECT_KEY, "WAS_ATTRIBUTED_TO", KEY),
            (SUBJECT_KEY, "WAS_GENERATED_BY", run),
            (run, "USED", dependency),
            (run, "USED", package),
        ]
    )
    assert claims(delta) == sorted(
        [
            (SUBJECT_KEY, "attested", uri),
            (SUBJECT_KEY, "name", "a.bin"),
            (run, "attested", uri),
            (run, "name", "i/1"),
            (run, "activity", "build"),
            (run, "started", "2026-01-01T00:00:00.000000Z"),
            (run, "detail", "Builder: https://builder.example"),
            (run, "detail", "Build type: https://build.example/v1"),
            (dependency, "name", "dep"),
            (dependency, "location", "s3://b/dep"),
            (package, "name", "pkg:pypi/torch@2.6"),
        ]
    )
    assert delta.builders == {"https://builder.example"}


def _snake(value: Any) -> Any:
    """The predicate as old emitters write it."""
    if isinstance(value, list):
        return [_snake(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {"".join(f"_{c.lower()}" if c.isupper() else c for c in k): _snake(v) for k, v in value.items()}


def test_slsa_in_snake_case_makes_the_same_graph() -> None:
    old, new = made(SLSA, _snake(PROVENANCE)), made(SLSA, PROVENANCE)
    assert b"build_definition" in old.predicate
    assert projected(old) == projected(new)
    assert predicates.describe(old) == predicates.describe(new)


def test_slsa_with_a_member_in_both_spellings_is_ambiguous() -> None:
    both = {**PROVENANCE, "run_details": PROVENANCE["runDetails"]}
    with pytest.raises(MalformedError, match="given twice") as caught:
        projected(made(SLSA, both))
    assert caught.value.where == "$.predicate.run_details"


def test_slsa_member_names_may_be_escaped_and_are_the_same_names() -> None:
    def spelled(predicate: dict[str, Any]) -> Statement:
        told = made(SLSA, predicate)
        return replace(told, predicate=told.predicate.replace(b'"run_details"', b'"run\\u005fdetails"'))

    old = {("run_details" if name == "runDetails" else name): value for name, value in PROVENANCE.items()}
    assert edges(projected(spelled(old))) == edges(projected(made(SLSA, old)))
    with pytest.raises(MalformedError, match="given twice"):
        projected(spelled({**PROVENANCE, "run_details": PROVENANCE["runDetails"]}))


@pytest.mark.parametrize("missing", ["buildDefinition", "runDetails"])
def test_slsa_without_its_halves(missing: str) -> None:
    with pytest.raises(MalformedError, match=missing):
        projected(made(SLSA, {k: v for k, v in PROVENANCE.items() if k != missing}))


def test_slsa_with_an_empty_builder_or_a_wrong_time() -> None:
    for path, value in ((("builder", "id"), ""), (("metadata", "startedOn"), "yesterday")):
        wrong = copy.deepcopy(PROVENANCE)
        wrong["runDetails"][path[0]][path[1]] = value
        with pytest.raises(MalformedError) as caught:
            projected(made(SLSA, wrong))
        assert caught.value.where == f"$.predicate.runDetails.{path[0]}.{path[1]}"


def test_link_attestation() -> None:
    told = made(
        LINK,
        {
            "name": "train",
            "command": ["python", "t.py"],
            "materials": [{"name": "m", "digest": {"sha256": B}}],
        },
    )
    delta = projected(told)
    run, material = f"run:{told.digest}", f"sha256:{B}"
    assert kinds(delta) == {KEY: "signer", SUBJECT_KEY: "artifact", run: "run", material: "artifact"}
    assert edges(delta) == sorted(
        [
            (SUBJECT_KEY, "WAS_ATTRIBUTED_TO", KEY),
            (SUBJECT_KEY, "WAS_GENERATED_BY", run),
            (run, "USED", material),
        ]
    )
    assert claims(delta) == sorted(
        [
            (SUBJECT_KEY, "attested", LINK),
            (SUBJECT_KEY, "name", "a.bin"),
            (run, "attested", LINK),
            (run, "name", "train"),
            (run, "detail", "Command: python t.py"),
            (material, "name", "m"),
        ]
    )
    assert delta.builders == frozenset()


def test_a_whole_link_in_dsse_makes_the_same_edges() -> None:
    payload = {
        "_type": "link",
        "name": "train",
        "command": ["python", "t.py"],
        "materials": {"m": {"sha256": B}},
        "products": {"a.bin": {"sha256": A}},
        "byproducts": {"stdout": ""},
        "environment": {},
    }
    told = statement.parse("application/vnd.in-toto+json", json.dumps(payload).encode())
    delta = projected(told)
    run = f"run:{told.digest}"
    assert edges(delta) == sorted(
        [
            (SUBJECT_KEY, "WAS_ATTRIBUTED_TO", KEY),
            (SUBJECT_KEY, "WAS_GENERATED_BY", run),
            (run, "USED", f"sha256:{B}"),
        ]
    )
    assert predicates.describe(told) == (
        ("Step", "train"),
        ("Command", "python t.py"),
        ("Used", f"m, sha256:{B}"),
    )


def test_20_000_materials_are_allowed_and_one_more_is_not() -> None:
    def link(count: int) -> statement.Statement:
        return made(
            LINK, {"materials": [{"name": "m", "digest": {"sha256": f"{n:064x}"}} for n in range(count)]}
        )

    assert len(projected(link(20_000)).nodes) == 20_003
    with pytest.raises(TooLargeError) as caught:
        projected(link(20_001))
    assert caught.value.limit == 20_000


def test_an_unknown_type_is_a_generic_statement_about_its_subjects() -> None:
    subject = {"name": "a.bin", "digest": {"sha256": A, "sha1": "CD" * 20}}
    told = made("https://in-toto.io/attestation/unknown/v9", {"attributes": []}, subject)
    delta = projected(told)
    assert kinds(delta) == {KEY: "signer", SUBJECT_KEY: "artifact"}
    assert edges(delta) == [(SUBJECT_KEY, "WAS_ATTRIBUTED_TO", KEY)]
    assert claims(delta) == sorted(
        [
            (SUBJECT_KEY, "attested", "https://in-toto.io/attestation/unknown/v9"),
            (SUBJECT_KEY, "name", "a.bin"),
            (SUBJECT_KEY, "fingerprint", f"sha1:{'cd' * 20}"),
        ]
    )
    assert predicates.describe(told) == ()


@pytest.mark.parametrize("slug", ["dataset", "model", "training-run", "hardware-node", "deployment", "check"])
def test_a_predicate_of_ours_can_not_be_absent(slug: str) -> None:
    with pytest.raises(MalformedError, match="no predicate"):
        projected(made(f"urn:lineage:predicate:{slug}:v1", None))


def test_a_link_made_by_in_toto_itself() -> None:
    made_by_in_toto = link_model.Link(
        name="package",
        materials={"src/a.py": {"sha256": B}},
        products={"a.bin": {"sha256": A}},
        command=["tar"],
    )
    payload = metadata.Envelope.from_signable(made_by_in_toto).payload
    told = statement.parse("application/vnd.in-toto+json", payload)
    assert edges(projected(told)) == sorted(
        [
            (SUBJECT_KEY, "WAS_ATTRIBUTED_TO", KEY),
            (SUBJECT_KEY, "WAS_GENERATED_BY", f"run:{told.digest}"),
            (f"run:{told.digest}", "USED", f"sha256:{B}"),
        ]
    )
