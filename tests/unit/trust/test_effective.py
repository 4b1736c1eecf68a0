"""What a revocation covers beyond whom it names: those that a key vouched for, and a root's identities."""

from __future__ import annotations

from dataclasses import replace

from lineage.trust.identities import Identity
from lineage.trust.policy import ROOT_PREFIX, KeyRing, Registration, Revocation, Scopes

from .builders import key, registration

ROOT = "a" * 64
ANN = Identity("https://issuer.example", "ann@example.com", ROOT)
FIRST, SECOND, THIRD = (key(n).public for n in (1, 2, 3))


def chain() -> KeyRing:
    """FIRST (at 10) vouched for SECOND (at 20), which vouched for THIRD (at 30)."""
    ring = KeyRing()
    for place, (public, voucher) in enumerate(
        ((FIRST, ""), (SECOND, FIRST.key_id), (THIRD, SECOND.key_id)), 1
    ):
        made = registration(public)
        ring = ring.register(
            replace(made, index=place, registered_us=place * 10, vouched_by=voucher, not_before_us=None)
        )
    return ring


def revoked(ring: KeyRing, signer: str, from_us: int, *, compromised: bool = True) -> KeyRing:
    return ring.revoke(Revocation(signer, from_us, "stolen", compromised, 9))


def test_nothing_is_revoked_by_itself() -> None:
    assert chain().effective == {}


def test_those_vouched_for_from_then_on_fall_from_their_registration_on() -> None:
    ring = revoked(chain(), FIRST.key_id, 20)
    assert ring.revoked_from(FIRST.key_id) == 20
    assert ring.revoked_from(SECOND.key_id) == 20
    assert ring.revoked_from(THIRD.key_id) == 30
    assert all(r.compromised for several in ring.effective.values() for r in several)
    assert ring.effective[THIRD.key_id][0].key_id == THIRD.key_id


def test_those_vouched_for_before_stay() -> None:
    ring = revoked(chain(), FIRST.key_id, 21)
    assert set(ring.effective) == {FIRST.key_id}
    ring = revoked(chain(), SECOND.key_id, 25)
    assert set(ring.effective) == {SECOND.key_id, THIRD.key_id}


def test_the_rest_of_a_chain_stays_where_its_link_was_revoked_later() -> None:
    ring = revoked(revoked(chain(), FIRST.key_id, 21), SECOND.key_id, 31)
    assert ring.revoked_from(THIRD.key_id) is None


def test_keys_that_vouch_for_each_other_keep_nobody_alive() -> None:
    ring = chain()
    again = replace(ring.keys[FIRST.key_id], index=4, registered_us=40, vouched_by=THIRD.key_id)
    ring = revoked(ring.register(again), THIRD.key_id, 0)
    assert ring.revoked_from(FIRST.key_id) == 40
    assert ring.revoked_from(SECOND.key_id) is None  # its voucher's newest registration came after it


def test_an_identity_falls_with_its_root_and_no_other() -> None:
    ring = KeyRing().register(Registration(ANN, "Ann", Scopes(any=True), None, None, 1, 10))
    other = replace(ANN, root="b" * 64, subject="bob@example.com")
    ring = ring.register(Registration(other, "Bob", Scopes(any=True), None, None, 2, 10))
    ring = revoked(ring, ROOT_PREFIX + ROOT, 50)
    assert ring.in_force(ANN.key_id, 49) is None
    assert "its root: stolen" in (ring.in_force(ANN.key_id, 50) or "")
    assert ring.in_force(other.key_id, 50) is None
    assert ring.identified(ANN.issuer, ANN.subject, ROOT) == (ANN.key_id,)


def test_a_revocation_of_nobody_known_is_kept() -> None:
    ring = revoked(KeyRing(), FIRST.key_id, 5)
    assert ring.revoked_from(FIRST.key_id) == 5
    assert ring.register(registration(FIRST)).revoked_from(FIRST.key_id) == 5
