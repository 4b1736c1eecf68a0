"""What a key ring has against functionaries, by the moment at which their signature was there."""

from __future__ import annotations

from typing import Any

import pytest

from lineage.trust import identities, roots
from lineage.trust.keys import PublicKey, load_public
from lineage.trust.layouts import Report, read_evidence, verify_layout
from lineage.trust.layouts_belief import Belief
from lineage.trust.policy import ROOT_PREFIX, AdoptedRoot, KeyRing, Registration, Revocation, Scopes
from lineage.trust.verify import Outcome
from lineage.trust.x509_reading import spki
from tests import layouts as given
from tests.chains import Holder, authority, holder
from tests.layouts import CODE, NOW_US, PACKED, metablock, two_steps
from tests.unit.trust.test_layout_certificates import URI, asked, signed, start_us

DAY_US = 86_400_000_000
ANY = Scopes(any=True)


def registration(key: PublicKey | identities.Identity, **members: Any) -> Registration:
    known = {"not_before_us": None, "not_after_us": None, "index": 1, "registered_us": 0, **members}
    return Registration(key, "somebody", ANY, **known)


def revocation(signer: str, from_us: int = 0, **members: Any) -> Revocation:
    return Revocation(signer, from_us, "the laptop was stolen.", compromised=True, index=2, **members)


BOB = given.key("bob").public
KNOWN = KeyRing().register(registration(BOB))


def against(ring: KeyRing, at_us: int = NOW_US) -> str:
    return Belief(ring).against(BOB.key_id, (), at_us)


@pytest.mark.parametrize(
    ("ring", "said"),
    [
        (KeyRing(), ""),
        (KNOWN, ""),
        (KNOWN.revoke(revocation(given.key("carl").public.key_id)), ""),
        (KNOWN.revoke(revocation(BOB.key_id, NOW_US + 1)), ""),
        (KNOWN.revoke(revocation(BOB.key_id, NOW_US)), "the key is revoked as compromised from 2026-01-15"),
        (KeyRing().revoke(revocation(BOB.key_id)), "the key is revoked as compromised from 1970-01-01"),
        (KeyRing().register(registration(BOB, not_after_us=NOW_US)), ""),
        (KeyRing().register(registration(BOB, not_after_us=NOW_US - 1)), "the key ended at 2026-01-15"),
        (KeyRing().register(registration(BOB, not_before_us=NOW_US + 1)), "the key is not in force before"),
    ],
    ids=[
        "unknown",
        "known",
        "another",
        "later",
        "revoked",
        "revoked-unregistered",
        "last-moment",
        "ended",
        "not-yet",
    ],
)
def test_a_key_is_judged_by_when_its_signature_was_there(ring: KeyRing, said: str) -> None:
    found = against(ring)
    assert found.startswith(said)
    assert bool(found) == bool(said)
    assert not found.endswith("."), "it stands within a sentence"


def test_what_was_there_before_a_key_was_registered_is_not_judged_by_its_time_but_by_its_theft() -> None:
    later = registration(BOB, registered_us=NOW_US + DAY_US, not_before_us=NOW_US + DAY_US)
    ring = KeyRing().register(later)
    assert against(ring) == ""
    assert "is revoked" in against(ring.revoke(revocation(BOB.key_id)))


def judge(belief: Belief | None, *, received_us: int | None = None) -> Report:
    files = [(metablock(CODE, "bob"), "code"), (metablock(PACKED, "carl"), "packed")]
    evidence = [read_evidence(data, name, received_us=received_us) for data, name in files]
    layout, owner = metablock(two_steps(), "owner"), given.key("owner").public
    return verify_layout(layout, [owner], evidence, given.ARTIFACT, NOW_US, belief)


def test_a_layout_s_verdict_rests_on_nobody_who_is_believed_no_more() -> None:
    stolen = Belief(KNOWN.revoke(revocation(BOB.key_id, NOW_US - DAY_US)))
    report = judge(stolen)
    assert (judge(None).outcome, report.outcome) == (Outcome.VERIFIED, Outcome.REFUTED)
    assert report.steps[0].links[0].said == (
        "Not counted: the key is revoked as compromised from 2026-01-14T12:00:00.000000Z: "
        "the laptop was stolen."
    )
    assert [each.content["name"] for each in stolen.left_out] == ["write-code"]


def test_what_the_log_received_before_is_believed() -> None:
    belief = Belief(KNOWN.revoke(revocation(BOB.key_id, NOW_US - DAY_US)))
    assert judge(belief, received_us=NOW_US - DAY_US - 1).outcome is Outcome.VERIFIED
    assert belief.left_out == []


@pytest.fixture(scope="module")
def ca() -> Holder:
    return authority("root")


@pytest.fixture(scope="module")
def between(ca: Holder) -> Holder:
    return authority("between", ca)


@pytest.fixture(scope="module")
def builder(between: Holder) -> Holder:
    return holder("builder", between, uri=URI, days=30)


def knowing(ca: Holder, *subjects: str) -> tuple[KeyRing, list[str]]:
    """A ring that has adopted the root, with an identity a subject; their ids."""
    root = roots.load("x509", ca.pem)
    ring = KeyRing().adopt(AdoptedRoot(root, "our CA", 0, 0))
    issuer = identities.X509_ISSUER + root.root_id
    made = [identities.make(issuer, subject, root.root_id) for subject in subjects]
    for each in made:
        ring = ring.register(registration(each))
    return ring, [each.key_id for each in made]


def certified(ring: KeyRing, anchor: Holder, builder: Holder, *more: Holder) -> Report:
    evidence = [read_evidence(signed(builder, *more), "build.link")]
    at_us = start_us(builder) + 2 * DAY_US
    layout = metablock(asked(anchor), "owner")
    return verify_layout(layout, [given.key("owner").public], evidence, None, at_us, Belief(ring))


def test_a_certificate_is_its_identity_s(ca: Holder, between: Holder, builder: Holder) -> None:
    ring, [identity] = knowing(ca, URI)
    assert certified(ring, ca, builder, between).outcome is Outcome.VERIFIED
    report = certified(ring.revoke(revocation(identity)), ca, builder, between)
    assert report.outcome is Outcome.REFUTED
    assert "the key is revoked" in report.steps[0].links[0].said


def test_one_identity_that_is_believed_is_enough(ca: Holder, between: Holder, builder: Holder) -> None:
    ring, [one, several] = knowing(ca, URI, "spiffe://example.com/*")
    assert certified(ring.revoke(revocation(several)), ca, builder, between).outcome is Outcome.VERIFIED
    both = ring.revoke(revocation(several)).revoke(revocation(one))
    assert certified(both, ca, builder, between).outcome is Outcome.REFUTED


def test_an_identity_of_another_subject_says_nothing(ca: Holder, between: Holder, builder: Holder) -> None:
    ring, [other] = knowing(ca, "spiffe://example.com/other")
    assert certified(ring.revoke(revocation(other)), ca, builder, between).outcome is Outcome.VERIFIED


def test_a_revoked_root_vouches_for_nobody(ca: Holder, between: Holder, builder: Holder) -> None:
    ring, _ = knowing(ca)
    assert certified(ring, ca, builder, between).outcome is Outcome.VERIFIED
    stolen = ring.revoke(revocation(ROOT_PREFIX + roots.load("x509", ca.pem).root_id))
    report = certified(stolen, ca, builder, between)
    assert report.outcome is Outcome.REFUTED
    assert "the root of its certificate is revoked" in report.steps[0].links[0].said


def test_certificates_that_lead_nowhere_hide_no_identity(
    ca: Holder, between: Holder, builder: Holder
) -> None:
    """The layout's own authority is one between; a search that tries a stranger's first would run dry."""
    ring, [identity] = knowing(ca, URI)
    decoys = [authority("between") for _ in range(70)]
    report = certified(ring.revoke(revocation(identity)), between, builder, *decoys)
    assert report.outcome is Outcome.REFUTED
    assert "is revoked" in report.steps[0].links[0].said
    assert certified(ring, between, builder, *decoys).outcome is Outcome.VERIFIED


def test_a_certificate_s_key_that_is_registered_is_judged_by_its_registration(
    ca: Holder, between: Holder, builder: Holder
) -> None:
    ring, [identity] = knowing(ca, URI)
    key = load_public(spki(builder.certificate) or b"")
    stolen = ring.register(registration(key)).revoke(revocation(identity))
    assert certified(stolen, ca, builder, between).outcome is Outcome.VERIFIED
    ended = ring.register(registration(key, not_after_us=1))
    assert certified(ended, ca, builder, between).outcome is Outcome.REFUTED
