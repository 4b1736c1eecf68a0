"""Checks and decisions: exactly what each adds to the graph."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from lineage import predicates
from lineage.errors import MalformedError, TooLargeError
from lineage.graph.model import CheckResult
from lineage.trust import decisions, statement
from lineage.trust.keys import generate_ed25519
from lineage.trust.policy import Registration, Revocation, Scopes
from tests.unit.predicates.making import KEY, OURS, A, B, claims, edges, kinds, ours, projected

GOOD: dict[str, Any] = {
    "digest": f"sha256:{A}",
    "location": "s3://b/k",
    "method": "sha256",
    "expected": f"sha256:{A}",
    "observed": f"sha256:{A}",
    "outcome": "match",
    "at": "1970-01-01T00:00:01.5Z",
}


def test_check() -> None:
    bad = {
        **GOOD,
        "observed": f"sha256:{B}",
        "outcome": "mismatch",
        "reason": "changed",
        "at": "1970-01-01T01:00:00+01:00",
    }
    lost = {k: v for k, v in GOOD.items() if k not in ("expected", "observed")} | {"outcome": "inconclusive"}
    delta = projected(ours("check", {"rows": [GOOD, bad, lost]}))
    node = f"sha256:{A}"
    assert kinds(delta) == {KEY: "signer", node: "artifact"}
    assert edges(delta) == []
    assert claims(delta) == []
    assert delta.checks == (
        CheckResult(node, "s3://b/k", "sha256", node, node, "match", "", 1_500_000),
        CheckResult(node, "s3://b/k", "sha256", node, f"sha256:{B}", "mismatch", "changed", 0),
        CheckResult(node, "s3://b/k", "sha256", node, "", "inconclusive", "", 1_500_000),
    )


@pytest.mark.parametrize(
    ("change", "member"),
    [
        ({"digest": f"sha256:{B}"}, "digest"),
        ({"digest": A}, "digest"),
        ({"observed": f"sha256:{B}"}, "observed"),
        ({"observed": ""}, "observed"),
        ({"outcome": "mismatch"}, "observed"),
        ({"outcome": "mismatch", "observed": ""}, "observed"),
        ({"outcome": "fine"}, "outcome"),
        ({"location": ""}, "location"),
        ({"location": "x" * 2001}, "location"),
        ({"method": ""}, "method"),
        ({"at": "2026-01-01"}, "at"),
        ({"at": ""}, "at"),
    ],
)
def test_a_row_that_contradicts_itself_or_says_nothing(change: dict[str, Any], member: str) -> None:
    with pytest.raises(MalformedError) as caught:
        projected(ours("check", {"rows": [GOOD, {**GOOD, **change}]}))
    assert caught.value.where == f"$.predicate.rows[1].{member}"


def test_a_check_has_1_to_1_000_rows() -> None:
    assert len(projected(ours("check", {"rows": [GOOD] * 1_000})).checks) == 1_000
    with pytest.raises(TooLargeError) as caught:
        projected(ours("check", {"rows": [GOOD] * 1_001}))
    assert caught.value.limit == 1_000
    with pytest.raises(MalformedError):
        projected(ours("check", {"rows": []}))


FIRST, SECOND = generate_ed25519(b"1" * 32), generate_ed25519(b"2" * 32)
SCOPES = Scopes(False, (f"{OURS}model:v1",), ("https://ci.example",), ("model-*",), ("model",))


def _registration(name: str, key: Any = FIRST) -> Registration:
    return Registration(key.public, name, SCOPES, 0, None, 1, 5, "pipeline")


def _decided(payload: bytes) -> statement.Statement:
    return statement.parse("application/vnd.in-toto+json", payload)


def test_registered_keys_become_signer_nodes_with_names() -> None:
    told = _decided(decisions.build_register_key("os:ada", 0, _registration("CI")))
    delta = projected(told)
    node = f"key:{FIRST.public.key_id}"
    assert kinds(delta) == {KEY: "signer", node: "signer"}
    assert edges(delta) == []
    assert claims(delta) == [
        (node, "attested", decisions.DECISION_TYPE),
        (node, "detail", "Registered as: pipeline"),
        (node, "name", "CI"),
    ]
    assert predicates.claimed(told, delta).kinds == frozenset()
    assert predicates.describe(told) == (
        ("Decision", "register-key"),
        ("Person", "os:ada"),
        ("Decided", "1970-01-01T00:00:00.000000Z"),
        ("Key", f"CI, ed25519, {FIRST.public.key_id}"),
        (
            "May say",
            f"statements: {OURS}model:v1; builders: https://ci.example; subjects: model-*; kinds: model",
        ),
        ("From", "1970-01-01T00:00:00.000000Z"),
    )


def test_the_bootstrap_names_all_keys_of_the_platform() -> None:
    keys = [_registration("log"), _registration("platform", SECOND)]
    delta = projected(_decided(decisions.build_bootstrap("os:ada", 0, "example/log", keys)))
    names = {(node, value) for node, kind, value in claims(delta) if kind == "name"}
    assert names == {(f"key:{FIRST.public.key_id}", "log"), (f"key:{SECOND.public.key_id}", "platform")}


def test_a_revocation_is_shown_on_the_key() -> None:
    revocation = Revocation(FIRST.public.key_id, 7, "left the company", True, 9)
    told = _decided(decisions.build_revoke_key("os:ada", 0, revocation, "CI"))
    assert claims(projected(told)) == [
        (f"key:{FIRST.public.key_id}", "attested", decisions.DECISION_TYPE),
        (f"key:{FIRST.public.key_id}", "detail", "Revoked: left the company"),
    ]
    assert ("Reason", "left the company") in predicates.describe(told)
    assert ("Compromised", "yes") in predicates.describe(told)


def test_a_decision_about_other_things_makes_no_nodes() -> None:
    payload = decisions.build("tea-break", "os:ada", 0, body={"x": 1}, subjects=[("a", {"sha256": A})])
    assert kinds(projected(_decided(payload))) == {KEY: "signer"}


def test_a_decision_with_a_wrong_body_is_malformed() -> None:
    body: dict[str, object] = {"keyId": A, "publicKey": "none"}
    payload = decisions.build(
        "register-key", "os:ada", 0, body=copy.copy(body), subjects=[("a", {"sha256": A})]
    )
    with pytest.raises(MalformedError):
        projected(_decided(payload))


@pytest.mark.parametrize(("scopes", "words"), [(Scopes(any=True), "anything"), (Scopes(), "nothing")])
def test_a_keys_scopes_in_words(scopes: Scopes, words: str) -> None:
    registration = Registration(FIRST.public, "CI", scopes, None, None, 1, 5, "pipeline")
    told = _decided(decisions.build_register_key("os:ada", 0, registration))
    assert ("May say", words) in predicates.describe(told)
