"""Witness collections: materials in, products out, and what is never shown or made a node."""

from __future__ import annotations

from typing import Any

import pytest

from lineage import predicates
from lineage.errors import MalformedError, TooLargeError
from lineage.predicates import witness
from tests.unit.predicates.making import KEY, SUBJECT, A, B, C, edges, kinds, made, projected, said_of

HOME = "https://witness.dev/attestations/"
EMAIL = {"name": f"{HOME}git/v0.1/authoremail:a@b.example", "digest": {"sha256": C}}


def attested(kind: str, told: object, **members: Any) -> dict[str, Any]:
    return {"type": f"{HOME}{kind}/v0.1", "attestation": told, **members}


def collection(*attestations: dict[str, Any]) -> dict[str, Any]:
    return {"name": "build", "attestations": list(attestations)}


STEP = collection(
    attested(
        "environment",
        {"os": "linux", "hostname": "h", "variables": {"TOKEN": "hunter2"}},
        starttime="2026-01-01T00:00:02+01:00",
    ),
    attested(
        "git",
        {"commithash": "ab" * 20, "remotes": ["https://u:hunter2@git.example/r"]},
        starttime="2026-01-01T00:00:03+01:00",
    ),
    attested("material", {"in.txt": {"sha256": B, "gitoid:sha1": "gitoid:blob:sha1:00"}}),
    attested("command-run", {"cmd": ["make", "all"], "exitcode": 0, "stdout": "hunter2"}),
    attested(
        "product",
        {"a.bin": {"mime_type": "x/y", "digest": {"sha256": A}}},
        endtime="2026-01-01T00:00:09+01:00",
    ),
    {"type": "https://cyclonedx.org/bom", "attestation": {"bomFormat": "CycloneDX"}},
)


@pytest.mark.parametrize("uri", witness.PREDICATE.uris)
def test_a_step(uri: str) -> None:
    told = made(uri, STEP, SUBJECT, EMAIL)
    delta = projected(told)
    run, product, material = f"run:{told.digest}", f"sha256:{A}", f"sha256:{B}"
    assert kinds(delta) == {KEY: "signer", run: "run", product: "artifact", material: "artifact"}
    assert edges(delta) == sorted(
        [(product, "WAS_ATTRIBUTED_TO", KEY), (product, "WAS_GENERATED_BY", run), (run, "USED", material)]
    )
    assert said_of(delta, run) == {
        ("attested", uri),
        ("name", "build"),
        ("started", "2025-12-31T23:00:02.000000Z"),
        ("ended", "2025-12-31T23:00:09.000000Z"),
        ("detail", "Command: make all"),
        ("detail", "Exit code: 0"),
        ("detail", f"Git commit: {'ab' * 20}"),
        ("detail", "Git remotes: https://git.example/r"),
        ("detail", "Operating system: linux"),
        ("detail", "Host: h"),
        ("fingerprint", f"gitCommit:{'ab' * 20}"),
    }
    assert said_of(delta, product) == {("attested", uri), ("name", "a.bin")}
    assert delta.builders == frozenset()
    shown = predicates.describe(told)
    assert ("Also told by", "https://cyclonedx.org/bom") in shown
    assert "hunter2" not in repr(delta) + repr(shown)


def test_nulls_of_go_are_nothing_said() -> None:
    told = collection(attested("material", None), attested("product", None), attested("git", None))
    assert edges(projected(made(witness.PREDICATE.uris[0], told))) == []
    assert projected(made(witness.PREDICATE.uris[0], {"name": "n", "attestations": None})).nodes


@pytest.mark.parametrize(
    ("predicate", "where"),
    [
        ({"attestations": [{}]}, "$.predicate.attestations[0]"),
        (collection(attested("material", {}), attested("material", {})), "$.predicate.attestations[1]"),
        (
            collection(attested("material", {"f": {"sha256": "ab"}})),
            "$.predicate.attestations.material[0].digest.sha256",
        ),
        (collection(attested("product", {"f": 7})), "$.predicate.attestations[0].attestation[...]"),
        (collection(attested("git", {}, starttime="now")), "$.predicate.attestations[0].starttime"),
    ],
    ids=["no-type", "twice", "digest", "product", "time"],
)
def test_what_is_no_collection(predicate: dict[str, Any], where: str) -> None:
    with pytest.raises(MalformedError) as caught:
        projected(made(witness.PREDICATE.uris[0], predicate))
    assert caught.value.where == where


def test_an_attestor_of_another_version_makes_no_graph() -> None:
    other = {"type": f"{HOME}material/v0.2", "attestation": {"f": 7}}
    told = made(witness.PREDICATE.uris[0], collection(other))
    assert edges(projected(told)) == []
    assert ("Also told by", f"{HOME}material/v0.2") in predicates.describe(told)


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(witness, "MAX_ATTESTATIONS", 1)
    with pytest.raises(TooLargeError):
        projected(made(witness.PREDICATE.uris[0], STEP))
    monkeypatch.setattr(witness, "MAX_ATTESTATIONS", 9)
    monkeypatch.setattr("lineage.predicates.wire.MAX_REFERENCES", 1)
    monkeypatch.setattr(witness, "MAX_REFERENCES", 1)
    many = {name: {"sha256": B} for name in ("a", "b")}
    with pytest.raises(TooLargeError):
        projected(made(witness.PREDICATE.uris[0], collection(attested("material", many))))
