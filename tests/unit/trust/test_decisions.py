from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.errors import LineageError, MalformedError, TooLargeError
from lineage.trust import decisions
from lineage.trust import statement as statements
from lineage.trust.decisions import Decision
from lineage.trust.dsse import INTOTO_PAYLOAD_TYPE
from lineage.trust.keys import load_public
from lineage.trust.policy import ROLES, KeyRing, Registration, Revocation, Role, Scopes

from .builders import key, registration, ring, statement
from .native_keys import private

ONE, TWO = key(1).public, key(2).public
NOW = 1_700_000_000_000_000


def read(payload: bytes) -> Decision:
    return decisions.parse(statements.parse(INTOTO_PAYLOAD_TYPE, payload))


def body_of(payload: bytes) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(payload)["predicate"]["body"]
    return body


def decision(action: str, body: Any) -> Decision:
    return Decision(action, "os:me", "2026-01-01T00:00:00Z", json.dumps(body).encode())


REGISTER = body_of(decisions.build_register_key("os:me", NOW, registration(ONE)))
REVOKE = body_of(decisions.build_revoke_key("os:me", NOW, Revocation(ONE.key_id, 0, "why", False, 0), "n"))


def predicate(**changes: Any) -> bytes:
    members = {"action": "a", "person": "p", "decidedAt": "2026-01-01T00:00:00Z", "body": {}, **changes}
    members = {k: v for k, v in members.items() if v is not ...}
    return statement(predicateType=decisions.DECISION_TYPE, predicate=members)


@pytest.mark.parametrize(
    "payload",
    [
        statement(),
        statement(predicateType=decisions.DECISION_TYPE, predicate=None),
        statement(predicateType=decisions.DECISION_TYPE, predicate={}),
        *(predicate(**{name: ...}) for name in ("action", "person", "decidedAt", "body")),
        *(predicate(**{name: 1}) for name in ("action", "person", "decidedAt", "body")),
        predicate(action=""),
        predicate(person=""),
        predicate(body=[]),
        predicate(body=None),
        predicate(decidedAt="yesterday"),
        predicate(decidedAt="2026-01-01"),
    ],
)
def test_no_decision(payload: bytes) -> None:
    with pytest.raises(MalformedError):
        read(payload)


def test_parse_takes_any_action() -> None:
    assert read(predicate(action="waive", body={"until": [1]}, later="x")) == Decision(
        "waive", "p", "2026-01-01T00:00:00Z", b'{"until": [1]}'
    )


def test_other_actions_leave_the_ring() -> None:
    before = ring(ONE)
    assert decisions.apply(before, decision("waive", {"x": 1}), 9, NOW) is before
    assert not decisions.changes_keys(decision("waive", {}))
    assert all(
        map(decisions.changes_keys, (decision(a, {}) for a in ("bootstrap", "register-key", "revoke-key")))
    )


def without(body: dict[str, Any], name: str) -> dict[str, Any]:
    return {k: v for k, v in body.items() if k != name}


@pytest.mark.parametrize(
    "body",
    [
        {},
        *(without(REGISTER, name) for name in ("keyId", "publicKey", "name", "role", "scopes")),
        {**REGISTER, "keyId": TWO.key_id},
        {**REGISTER, "keyId": ONE.key_id.upper()},
        {**REGISTER, "publicKey": "no key"},
        {**REGISTER, "publicKey": key(1).to_pem().decode()},
        {**REGISTER, "role": "root"},
        {**REGISTER, "scopes": []},
        {**REGISTER, "scopes": {"any": 1}},
        {**REGISTER, "scopes": {"predicateTypes": "x"}},
        {**REGISTER, "scopes": {"predicateTypes": [], "regions": ["eu"]}},  # a limit that nobody would keep
        {**REGISTER, "onlyOnSundays": True},
        {**REGISTER, "notBefore": "soon"},
        {**REGISTER, "notAfter": 5},
        {**REGISTER, "ecdsaEncoding": "p1363"},
        {**REGISTER, "ecdsaEncoding": "raw"},  # for an Ed25519 key
    ],
)
def test_register_refused(body: dict[str, Any]) -> None:
    with pytest.raises(MalformedError):
        decisions.apply(ring(TWO), decision("register-key", body), 3, NOW)


@pytest.mark.parametrize(
    "body",
    [
        {},
        *(without(REVOKE, name) for name in ("keyId", "from", "reason", "compromised")),
        {**REVOKE, "from": "soon"},
        {**REVOKE, "compromised": "no"},
        {**REVOKE, "until": "2026-01-01T00:00:00Z"},
    ],
)
def test_revoke_refused(body: dict[str, Any]) -> None:
    with pytest.raises(MalformedError):
        decisions.apply(ring(ONE), decision("revoke-key", body), 3, NOW)


def test_a_body_with_two_meanings_is_refused() -> None:
    body = json.dumps(REGISTER).replace('"name":', '"name": "other", "name":').encode()
    with pytest.raises(MalformedError, match="twice"):
        decisions.apply(KeyRing(), Decision("register-key", "p", "", body), 3, NOW)


def bootstrap(*keys: Registration) -> Decision:
    return read(decisions.build_bootstrap("os:me", NOW, "origin.example/1", keys))


def test_bootstrap_round_trip() -> None:
    roles: tuple[Role, ...] = ("log", "platform", "collector", "reverifier")
    keys = [
        registration(key(i).public, index=0, role=r, name=r, registered_us=7) for i, r in enumerate(roles, 1)
    ]
    found = bootstrap(*keys)
    assert (found.action, found.person, found.decided_at) == (
        "bootstrap",
        "os:me",
        "2023-11-14T22:13:20.000000Z",
    )
    assert decisions.origin(found) == "origin.example/1"
    applied = decisions.apply(KeyRing(), found, 0, 7)
    assert list(applied.keys.values()) == keys
    assert applied.policy_index == 0


def test_bootstrap_only_in_entry_zero() -> None:
    found = bootstrap(registration(ONE))
    with pytest.raises(MalformedError, match="Only entry 0"):
        decisions.apply(KeyRing(), found, 1, NOW)
    with pytest.raises(MalformedError, match="Only entry 0"):
        decisions.apply(ring(TWO), found, 0, NOW)
    with pytest.raises(MalformedError):
        decisions.apply(KeyRing(), decision("bootstrap", {"origin": "o", "keys": [], "more": 1}), 0, NOW)
    with pytest.raises(MalformedError, match="not the bootstrap"):
        decisions.origin(decision("revoke-key", REVOKE))


TEXTS = st.lists(st.text(max_size=10), max_size=3).map(tuple)
TIMES = st.none() | st.integers(0, 4_000_000_000_000_000)


@given(
    st.text(min_size=1, max_size=20),
    st.builds(Scopes, st.booleans(), TEXTS, TEXTS, TEXTS, TEXTS),
    TIMES,
    TIMES,
    st.sampled_from(["ed25519", "ecdsa-p256", "raw"]),
)
def test_register_round_trip(
    name: str, scopes: Scopes, not_before: int | None, not_after: int | None, kind: str
) -> None:
    public = private("ecdsa-p256" if kind == "raw" else kind).public
    if kind == "raw":
        public = load_public(public.spki, "raw")
    wanted = Registration(public, name, scopes, not_before, not_after, 5, NOW)
    payload = decisions.build_register_key("anna@example.com", NOW, wanted)
    assert json.loads(payload)["subject"] == [{"name": name, "digest": {"sha256": public.key_id}}]
    applied = decisions.apply(ring(ONE), read(payload), 5, NOW)
    assert applied.keys[public.key_id] == wanted
    assert applied.policy_index == 5


@pytest.mark.parametrize("role", [role for role in ROLES if role != "pipeline"])
def test_the_platforms_own_keys_are_not_registered_so(role: Role) -> None:
    wanted = Registration(private("ed25519").public, "mine", Scopes(), None, None, 5, NOW, role)
    found = read(decisions.build_register_key("anna@example.com", NOW, wanted))
    with pytest.raises(MalformedError, match="own keys"):
        decisions.apply(ring(ONE), found, 5, NOW)
    body = {"keyId": TWO.key_id, "from": "2026-01-01T00:00:00Z", "reason": "r", "compromised": True}
    known = ring(ONE).register(Registration(TWO, "own", Scopes(), None, None, 0, 0, role))
    with pytest.raises(MalformedError, match="own keys"):
        decisions.apply(known, decision("revoke-key", body), 5, NOW)


def test_registered_without_scopes_is_allowed_nothing() -> None:
    body = {**REGISTER, "scopes": {}}
    applied = decisions.apply(ring(TWO), decision("register-key", body), 5, NOW)
    assert applied.keys[ONE.key_id].scopes == Scopes()


@pytest.mark.parametrize("compromised", [True, False])
def test_revoke_round_trip(compromised: bool) -> None:
    wanted = Revocation(ONE.key_id, NOW - 5, "lost \u2028 laptop", compromised, 6)
    payload = decisions.build_revoke_key("os:me", NOW, wanted, "build key")
    assert json.loads(payload)["subject"] == [{"name": "build key", "digest": {"sha256": ONE.key_id}}]
    applied = decisions.apply(ring(ONE), read(payload), 6, NOW)
    assert applied.revocations == {ONE.key_id: (wanted,)}
    assert applied.policy_index == 6


def test_build_any_decision() -> None:
    payload = decisions.build("waive", "p", 0, body={"a": [1]}, subjects=[("x", {"sha256": "ab" * 32})])
    assert read(payload) == Decision("waive", "p", "1970-01-01T00:00:00.000000Z", b'{"a":[1]}')


@given(st.sampled_from(["bootstrap", "register-key", "revoke-key"]), st.binary(max_size=40))
def test_apply_raises_nothing_else(action: str, body: bytes) -> None:
    with pytest.raises(LineageError) as caught:
        decisions.apply(KeyRing(), Decision(action, "p", "", body), 0, 0)
    assert isinstance(caught.value, MalformedError | TooLargeError)
