from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.trust.policy import Claimed, KeyRing, Revocation, Scopes

from .builders import key, registration, ring

ONE, TWO, THREE = (key(n).public for n in (1, 2, 3))
TYPE = "https://slsa.dev/provenance/v1"


def may(scopes: Scopes, claimed: Claimed) -> str | None:
    return KeyRing().register(registration(ONE, scopes=scopes)).may(ONE.key_id, claimed)


@pytest.mark.parametrize(
    ("scopes", "claimed", "says"),
    [
        (Scopes(), Claimed(TYPE), "predicate type"),
        (Scopes(), Claimed(""), "predicate type"),
        (Scopes(builders=("b",), subjects=("*",), kinds=("model",)), Claimed(TYPE), "predicate type"),
        (Scopes(predicate_types=(TYPE,)), Claimed(TYPE + "/"), "predicate type"),
        (Scopes(predicate_types=(TYPE,)), Claimed(TYPE.upper()), "predicate type"),
        (Scopes(predicate_types=("https://slsa.dev/*",)), Claimed(TYPE), "predicate type"),
        (Scopes(predicate_types=(TYPE,)), Claimed(TYPE, builders=frozenset({"b"})), "builder b"),
        (
            Scopes(predicate_types=(TYPE,), builders=("b",)),
            Claimed(TYPE, builders=frozenset({"b", "c"})),
            "builder c",
        ),
        (
            Scopes(predicate_types=(TYPE,), builders=("*",)),
            Claimed(TYPE, builders=frozenset({"b"})),
            "builder",
        ),
        (Scopes(predicate_types=(TYPE,), subjects=("m-*",)), Claimed(TYPE, ("m-1", "x")), "subject 'x'"),
        (Scopes(predicate_types=(TYPE,), subjects=("m-*",)), Claimed(TYPE, ("M-1",)), "subject 'M-1'"),
        (Scopes(predicate_types=(TYPE,), subjects=("m-*",)), Claimed(TYPE, ("",)), "subject ''"),
        (Scopes(predicate_types=(TYPE,), subjects=("m",)), Claimed(TYPE, ("m\n",)), "subject"),
        (
            Scopes(predicate_types=(TYPE,), kinds=("model",)),
            Claimed(TYPE, kinds=frozenset({"dataset"})),
            "kind",
        ),
        (
            Scopes(predicate_types=(TYPE,), kinds=("model",)),
            Claimed(TYPE, kinds=frozenset({"model", "run"})),
            "kind run",
        ),
        (
            Scopes(predicate_types=(TYPE,), kinds=("artifact",)),
            Claimed(TYPE, kinds=frozenset({"run"})),
            "kind",
        ),
        (
            Scopes(predicate_types=(TYPE,), kinds=("artifact",)),
            Claimed(TYPE, kinds=frozenset({"hardware"})),
            "kind",
        ),
        (
            Scopes(predicate_types=(TYPE,), kinds=("model",)),
            Claimed(TYPE, kinds=frozenset({"artifact"})),
            "kind",
        ),
    ],
)
def test_may_not(scopes: Scopes, claimed: Claimed, says: str) -> None:
    reason = may(scopes, claimed)
    assert reason is not None
    assert says in reason
    assert reason.startswith("The key may not")
    assert reason.endswith(".")


@pytest.mark.parametrize(
    ("scopes", "claimed"),
    [
        (Scopes(any=True), Claimed(TYPE, ("x",), frozenset({"b"}), frozenset({"run"}))),
        (Scopes(any=True, subjects=("m",)), Claimed(TYPE, ("x",))),
        (Scopes(predicate_types=(TYPE,)), Claimed(TYPE, ("x", ""), kinds=frozenset({"run", "model"}))),
        (
            Scopes(predicate_types=("other", TYPE), builders=("b", "c")),
            Claimed(TYPE, builders=frozenset({"b", "c"})),
        ),
        (Scopes(predicate_types=(TYPE,), subjects=("m-*", "[ab]?")), Claimed(TYPE, ("m-", "m-/x/y", "a1"))),
        (Scopes(predicate_types=(TYPE,), subjects=("m-*",)), Claimed(TYPE)),
        (
            Scopes(predicate_types=(TYPE,), kinds=("artifact",)),
            Claimed(TYPE, kinds=frozenset({"artifact", "model", "dataset"})),
        ),
        (
            Scopes(predicate_types=(TYPE,), kinds=("run", "model")),
            Claimed(TYPE, kinds=frozenset({"run", "model"})),
        ),
    ],
)
def test_may(scopes: Scopes, claimed: Claimed) -> None:
    assert may(scopes, claimed) is None


def test_an_unknown_key_may_nothing() -> None:
    assert KeyRing().may(ONE.key_id, Claimed(TYPE)) == "The key is not registered."
    assert KeyRing().in_force(ONE.key_id, 0) == "The key is not registered."
    assert KeyRing().revoked_from(ONE.key_id) is None


@given(
    st.sets(st.sampled_from("abc")),
    st.sets(st.sampled_from("abc")),
    st.sets(st.sampled_from("abc")),
    st.sets(st.sampled_from("abc")),
)
def test_more_claims_never_help(
    scope_builders: set[str], builders: set[str], scope_kinds: set[str], kinds: set[str]
) -> None:
    scopes = Scopes(predicate_types=(TYPE,), builders=tuple(scope_builders), kinds=tuple(scope_kinds))
    whole = may(scopes, Claimed(TYPE, builders=frozenset(builders), kinds=frozenset(kinds)))
    if whole is None:
        for kind in kinds:
            assert (
                may(scopes, Claimed(TYPE, builders=frozenset(builders), kinds=frozenset(kinds - {kind})))
                is None
            )
    assert (whole is None) == (builders <= scope_builders and (not scope_kinds or kinds <= scope_kinds))


def test_window_has_both_ends_inside() -> None:
    keys = KeyRing().register(registration(ONE, not_before_us=10, not_after_us=20))
    assert keys.in_force(ONE.key_id, 9) == "The key is not in force before 1970-01-01T00:00:00.000010Z."
    assert keys.in_force(ONE.key_id, 10) is None
    assert keys.in_force(ONE.key_id, 20) is None
    assert keys.in_force(ONE.key_id, 21) == "The key ended at 1970-01-01T00:00:00.000020Z."
    assert ring(ONE).in_force(ONE.key_id, -(10**15)) is None
    assert ring(ONE).in_force(ONE.key_id, 10**16) is None


def revocation(from_us: int, *, compromised: bool = False, index: int = 5, reason: str = "why") -> Revocation:
    return Revocation(ONE.key_id, from_us, reason, compromised, index)


def test_revocation_counts_from_its_moment() -> None:
    keys = ring(ONE, TWO).revoke(revocation(10))
    assert keys.in_force(ONE.key_id, 9) is None
    assert keys.in_force(ONE.key_id, 10) == "The key is revoked from 1970-01-01T00:00:00.000010Z: why"
    assert keys.in_force(TWO.key_id, 10) is None
    assert keys.revoked_from(ONE.key_id) == 10
    assert keys.policy_index == 5


def test_a_later_revocation_does_not_shorten_an_earlier_one() -> None:
    keys = ring(ONE).revoke(revocation(10)).revoke(revocation(30, compromised=True, index=9, reason="stolen"))
    assert keys.revoked_from(ONE.key_id) == 10
    assert keys.in_force(ONE.key_id, 20) == "The key is revoked from 1970-01-01T00:00:00.000010Z: why"
    reason = keys.in_force(ONE.key_id, 30)
    assert reason == "The key is revoked as compromised from 1970-01-01T00:00:00.000010Z: why"


def test_an_earlier_moment_told_later_counts() -> None:
    keys = ring(ONE).revoke(revocation(30)).revoke(revocation(10, index=9, reason="since then"))
    assert keys.revoked_from(ONE.key_id) == 10
    assert keys.in_force(ONE.key_id, 30) == "The key is revoked from 1970-01-01T00:00:00.000010Z: since then"


def test_registering_again_brings_no_key_back_to_life() -> None:
    keys = ring(ONE).revoke(revocation(10)).register(registration(ONE, index=8, name="again"))
    assert keys.in_force(ONE.key_id, 10) is not None
    assert keys.keys[ONE.key_id].name == "again"
    assert keys.policy_index == 8


def test_a_key_can_be_revoked_before_it_is_known() -> None:
    keys = KeyRing().revoke(revocation(10)).register(registration(ONE, index=8))
    assert keys.in_force(ONE.key_id, 10) is not None


def test_rings_never_change() -> None:
    before = ring(ONE)
    assert before.candidates("") == (ONE,)
    after = before.register(registration(TWO, index=7)).revoke(revocation(0))
    assert list(before.keys) == [ONE.key_id]
    assert before.revocations == {}
    assert before.policy_index == 0
    assert before.candidates("") == (ONE,)
    assert after.candidates("") == (TWO, ONE)
    with pytest.raises(TypeError):
        after.keys[THREE.key_id] = registration(THREE)  # type: ignore[index]


def test_policy_index_is_the_newest_decision() -> None:
    assert KeyRing().policy_index == -1
    keys = KeyRing().register(registration(ONE, index=9)).register(registration(TWO, index=3))
    assert keys.policy_index == 9


def test_candidates_by_hint_else_all_newest_first() -> None:
    keys = ring(ONE, TWO, THREE)
    for hint in TWO.hints:
        assert keys.candidates(hint) == (TWO,)
    assert keys.candidates("") == (THREE, TWO, ONE)
    assert keys.candidates("kms://unknown") == (THREE, TWO, ONE)
    assert KeyRing().candidates("") == ()


def test_newest_is_by_registration_again() -> None:
    keys = ring(ONE, TWO).register(registration(ONE, index=9))
    assert keys.candidates("") == (ONE, TWO)


def test_keys_of_one_decision_have_an_order() -> None:
    keys = KeyRing()
    for public in (ONE, TWO, THREE):
        keys = keys.register(registration(public, index=0))
    assert [k.key_id for k in keys.candidates("")] == sorted(k.key_id for k in (ONE, TWO, THREE))
