"""What holds of every key ring, whatever was registered, vouched for, adopted and revoked in it.

Scopes only ever narrow, a revocation only ever takes away, and what is derived of a set of decisions does not
depend on the order in which independent ones came.
"""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase
from itertools import permutations
from types import MappingProxyType

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from lineage.trust import dsse, identities
from lineage.trust.keys import generate_ed25519
from lineage.trust.policy import (
    ROOT_PREFIX,
    AdoptedRoot,
    Claimed,
    KeyRing,
    Registration,
    Revocation,
    Scopes,
)
from lineage.trust.roots import Root
from lineage.trust.verify import verify_envelope

from .builders import key, signature, statement

PRIVATE = tuple(key(number) for number in range(1, 7))
PUBLIC = tuple(private.public for private in PRIVATE)
ROOTS = tuple(Root(letter * 64, "x509", b"PEM") for letter in "ab")
IDENTITIES = tuple(
    identities.make("https://issuer.example", f"ci-{number}", ROOTS[number % 2].root_id)
    for number in range(4)
)
TYPES = ("https://slsa.dev/provenance/v1", "urn:lineage:predicate:model:v1")
WORDS = st.sampled_from(("a", "b", "models/*", "[ab]?", "*", "models/x", ""))
TIMES = st.integers(0, 20)

scopes = st.builds(
    Scopes,
    any=st.sampled_from((False, False, False, True)),
    predicate_types=st.lists(st.sampled_from(TYPES), max_size=2).map(tuple),
    builders=st.lists(WORDS, max_size=2).map(tuple),
    subjects=st.lists(WORDS, max_size=2).map(tuple),
    kinds=st.lists(st.sampled_from(("artifact", "model", "run", "hardware")), max_size=2).map(tuple),
)
claims = st.builds(
    Claimed,
    predicate_type=st.sampled_from((*TYPES, "")),
    subject_names=st.lists(WORDS, max_size=3).map(tuple),
    builders=st.frozensets(WORDS, max_size=2),
    kinds=st.frozensets(st.sampled_from(("artifact", "model", "run", "hardware")), max_size=3),
)


@st.composite
def rings(draw: st.DrawFn) -> KeyRing:
    """Chains of vouching, identities of two roots, and any number of revocations of any of them."""
    ring = KeyRing()
    for index, public in enumerate(PUBLIC[: draw(st.integers(1, len(PUBLIC)))]):
        earlier = ["", *(before.key_id for before in PUBLIC[:index])]
        ring = ring.register(
            Registration(
                public, f"k{index}", draw(scopes), draw(st.none() | TIMES), draw(st.none() | TIMES),
                index, index * 2, vouched_by=draw(st.sampled_from(earlier)),
            )
        )  # fmt: skip
    for number, root in enumerate(ROOTS):
        ring = ring.adopt(AdoptedRoot(root, "root", 10 + number, 0))
    for number, identity in enumerate(IDENTITIES):
        ring = ring.register(Registration(identity, "ci", draw(scopes), None, None, 20 + number, 3))
    for revocation in draw(st.lists(revocations(), max_size=4)):
        ring = ring.revoke(revocation)
    return ring


@st.composite
def revocations(draw: st.DrawFn) -> Revocation:
    ids = [public.key_id for public in PUBLIC] + [one.key_id for one in IDENTITIES]
    ids += [ROOT_PREFIX + root.root_id for root in ROOTS]
    return Revocation(
        draw(st.sampled_from(ids)), draw(TIMES), "why", draw(st.booleans()), draw(st.integers(30, 60))
    )


def believed(ring: KeyRing) -> set[tuple[str, int]]:
    """Which signer is in force at which moment."""
    return {(signer, at) for signer in ring.keys for at in range(22) if ring.in_force(signer, at) is None}


@given(rings(), claims, st.data())
def test_fewer_claims_are_never_refused(ring: KeyRing, claimed: Claimed, data: st.DataObject) -> None:
    fewer = msgspec.structs.replace(
        claimed,
        subject_names=tuple(name for name in claimed.subject_names if data.draw(st.booleans())),
        builders=frozenset(b for b in claimed.builders if data.draw(st.booleans())),
        kinds=frozenset(k for k in claimed.kinds if data.draw(st.booleans())),
    )
    for signer in ring.keys:
        if ring.may(signer, claimed) is None:
            assert ring.may(signer, fewer) is None


@given(scopes, claims, st.data())
def test_what_a_scope_leaves_out_is_not_allowed_by_another(
    wide: Scopes, claimed: Claimed, data: st.DataObject
) -> None:
    """Fewer types or builders allow less; so do subjects and kinds, as long as some are left."""
    narrow = replace(
        wide,
        any=False,
        predicate_types=tuple(t for t in wide.predicate_types if data.draw(st.booleans())),
        builders=tuple(b for b in wide.builders if data.draw(st.booleans())),
        subjects=wide.subjects[: data.draw(st.integers(1, 2))],
        kinds=wide.kinds[: data.draw(st.integers(1, 2))],
    )

    def may(limits: Scopes) -> bool:
        ring = KeyRing().register(Registration(PUBLIC[0], "k", limits, None, None, 0, 0))
        return ring.may(PUBLIC[0].key_id, claimed) is None

    assert may(wide) or not may(narrow)
    assert not may(replace(narrow, predicate_types=()))


@given(rings(), claims)
def test_scopes_do_not_depend_on_the_order_of_what_they_list(ring: KeyRing, claimed: Claimed) -> None:
    turned = ring
    for registration in ring.keys.values():
        told = registration.scopes
        back = replace(
            told,
            predicate_types=told.predicate_types[::-1],
            builders=told.builders[::-1],
            subjects=told.subjects[::-1],
            kinds=told.kinds[::-1],
        )
        turned = turned.register(replace(registration, scopes=back))
    again = msgspec.structs.replace(claimed, subject_names=claimed.subject_names[::-1])
    for signer in ring.keys:
        assert (ring.may(signer, claimed) is None) == (turned.may(signer, again) is None)


@given(rings(), revocations())
def test_a_revocation_never_widens(ring: KeyRing, revocation: Revocation) -> None:
    after = ring.revoke(revocation)
    assert believed(after) <= believed(ring)
    for signer, moment in ((signer, ring.revoked_from(signer)) for signer in ring.keys):
        later = after.revoked_from(signer)
        assert moment is None or (later is not None and later <= moment)
    assert set(ring.effective) <= set(after.effective)


@given(rings(), st.data())
def test_a_revocation_is_the_same_told_earlier_or_later(ring: KeyRing, data: st.DataObject) -> None:
    told = data.draw(st.lists(revocations(), min_size=1, max_size=3))
    found = []
    for order in permutations(told):
        turned = ring
        for revocation in order:
            turned = turned.revoke(revocation)
        found.append((believed(turned), {s: frozenset(r) for s, r in turned.effective.items()}))
    assert all(one == found[0] for one in found)


@given(rings())
def test_who_was_vouched_for_falls_with_the_chain(ring: KeyRing) -> None:
    """Stated anew: a signer is not believed where a voucher of its chain was not when it vouched."""
    for signer, registration in ring.keys.items():
        link = registration
        while (voucher := ring.keys.get(link.vouched_by)) is not None:
            own = [r.from_us for r in ring.revocations.get(voucher.key.key_id, ())]
            if any(moment <= link.registered_us for moment in own):
                assert ring.in_force(signer, max(registration.registered_us, 0)) is not None
            link = voucher


@given(rings(), st.sampled_from(ROOTS), TIMES)
def test_identities_fall_with_their_root_and_no_others(ring: KeyRing, root: Root, from_us: int) -> None:
    after = ring.revoke(Revocation(ROOT_PREFIX + root.root_id, from_us, "broken", True, 70))
    lost = {signer for signer, _ in believed(ring) - believed(after)}
    assert lost <= {one.key_id for one in IDENTITIES if one.root == root.root_id}
    assert not {
        (one.key_id, at) for one in IDENTITIES if one.root == root.root_id for at in range(from_us, 22)
    } & (believed(after))


@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=6),
    st.lists(st.sampled_from(("", "unknown", "own", "other")), min_size=6, max_size=6),
    st.permutations(range(6)),
)
def test_a_threshold_counts_distinct_keys(signers: list[int], hints: list[str], order: list[int]) -> None:
    """However often a key signed, under whatever name, and in whatever order the signatures stand."""
    payload = statement()
    made = []
    for number, hint in zip(signers, hints, strict=False):
        named = {"own": PUBLIC[number].key_id, "other": PUBLIC[(number + 1) % 4].key_id}.get(hint, hint)
        made.append(
            dsse.Signature(named, dsse.decode_base64(signature(PRIVATE[number], payload)["sig"], where=""))
        )
    ring = KeyRing()
    for index, public in enumerate(PUBLIC[:3]):  # the fourth signs, and nobody knows it
        ring = ring.register(Registration(public, "k", Scopes(any=True), None, None, index, 0))
    known = {PUBLIC[number].key_id for number in signers if number < 3}
    turned = [made[i] for i in order if i < len(made)]
    for signatures in (made, turned, made + made[:1]):
        envelope = dsse.Envelope(dsse.INTOTO_PAYLOAD_TYPE, payload, tuple(signatures))
        found = verify_envelope(envelope, ring.candidates)
        assert [one.key_id for one in found.verified] == list(
            dict.fromkeys(one.key_id for one in found.verified)
        )
        assert {one.key_id for one in found.verified} == known
        assert len(found.outcomes) == len(signatures)
        assert {o.key_id for o in found.outcomes if o.outcome == "verified"} == known
        other = dsse.Envelope(dsse.INTOTO_PAYLOAD_TYPE, payload + b" ", tuple(signatures))
        assert verify_envelope(other, ring.candidates).verified == ()


def test_a_key_that_is_replaced_each_day_for_years() -> None:
    """The chain of vouchers is longer than functions may call themselves."""
    days = 1_200
    ring, old = KeyRing(), ""
    own = {}
    for day in range(days):
        public = generate_ed25519(day.to_bytes(32, "big")).public
        own[public.key_id] = Registration(public, "k", Scopes(any=True), None, None, day, day, vouched_by=old)
        old = public.key_id
    first = next(iter(own))
    ring = replace(ring, keys=MappingProxyType(own)).revoke(Revocation(first, 0, "stolen", True, days))
    assert ring.in_force(old, days) is not None
    assert len(ring.effective) == days


ODD = st.text(st.sampled_from("ab*?[]!-^\\|().\n\0é"), max_size=8)


@given(st.lists(ODD, min_size=1, max_size=4), st.lists(ODD, min_size=1, max_size=3))
def test_globs_over_names_mean_what_they_mean_by_themselves(globs: list[str], names: list[str]) -> None:
    said = Claimed(TYPES[0], tuple(names))
    registration = Registration(
        PUBLIC[0], "k", Scopes(predicate_types=TYPES[:1], subjects=tuple(globs)), None, None, 1, 0
    )
    allowed = KeyRing().register(registration).may(PUBLIC[0].key_id, said) is None
    assert allowed == all(any(fnmatchcase(name, glob) for glob in globs) for name in names)
