"""Artifacts: attested by whom, of which origin, named without a digest. Copies have a file of their own."""

from __future__ import annotations

import pytest

from lineage.graph.model import Claim, ClaimKind, Edge, EdgeType, NodeKind
from lineage.graph.status import Facts, Status, Trust
from tests.unit.graph.status_cases import ARTIFACT, RUN, RUN2, URI, A, B, Said, always, artifact

UNVERIFIED = Status.UNVERIFIED


def test_a_signed_attestation_verifies_it() -> None:
    assert artifact().attested().status() == always(Status.VERIFIED)


def test_mentioned_only_is_no_attestation() -> None:
    assert artifact().status() == always(UNVERIFIED, "no-attestation")


def test_other_claims_attest_nothing() -> None:
    said = artifact()
    assert not said.facts.add_claim(Claim(ARTIFACT, ClaimKind.NAME, "m"), A, Trust.SIGNED, 1)
    assert said.status() == always(UNVERIFIED, "no-attestation")


@pytest.mark.parametrize(
    ("trusts", "expected"),
    [
        ([Trust.OBSERVED], ("observed-only",)),
        ([Trust.ASSERTED], ("no-attestation",)),
        ([Trust.OBSERVED, Trust.ASSERTED], ("observed-only",)),
    ],
)
def test_without_a_signature_of_a_pipeline(trusts: list[Trust], expected: tuple[str, ...]) -> None:
    said = artifact()
    for trust in trusts:
        said.attested(trust=trust)
    assert said.status() == always(UNVERIFIED, *expected)


def test_revocation_covers_its_cutoff_and_later_but_nothing_earlier() -> None:
    for cutoff, expected in ((9, ("signer-revoked",)), (10, ("signer-revoked",)), (11, ())):
        status = Status.UNVERIFIED if expected else Status.VERIFIED
        assert artifact(cutoffs={A: cutoff}).attested(index=10).status() == always(status, *expected)


def test_the_first_saying_of_a_signer_counts_in_whatever_order_it_is_loaded() -> None:
    assert artifact(cutoffs={A: 10}).attested(index=20).attested(index=9).status() == always(Status.VERIFIED)


def test_one_signer_that_is_believed_is_enough() -> None:
    assert artifact(cutoffs={A: 0}).attested(A).attested(B).status() == always(Status.VERIFIED)


def test_an_observation_is_no_replacement_for_a_revoked_signature() -> None:
    said = artifact(cutoffs={A: 0}).attested(A).attested(B, Trust.OBSERVED)
    assert said.status() == always(UNVERIFIED, "signer-revoked")


def test_an_observer_can_be_revoked_too() -> None:
    assert artifact(cutoffs={A: 0}).attested(A, Trust.OBSERVED).status() == always(
        UNVERIFIED, "signer-revoked"
    )


def test_two_signers_that_name_two_runs_contest_the_origin() -> None:
    said = artifact().attested().made_by(RUN, A).made_by(RUN2, B)
    assert said.status() == always(UNVERIFIED, "contested-origin")


@pytest.mark.parametrize(
    "said",
    [
        artifact().attested().made_by(RUN, A).made_by(RUN, B),
        artifact().attested().made_by(RUN, A).made_by(RUN2, A),
        artifact().attested().made_by(RUN, A).made_by(RUN2, B, Trust.OBSERVED),
        artifact(cutoffs={B: 5}).attested().made_by(RUN, A).made_by(RUN2, B),
    ],
    ids=["same run", "same signer", "only one signed", "other one revoked"],
)
def test_an_origin_that_nobody_contests(said: Said) -> None:
    assert said.status() == always(Status.VERIFIED)


def test_a_signer_of_both_runs_and_another_of_one_still_contest() -> None:
    said = artifact().attested().made_by(RUN, A).made_by(RUN2, A).made_by(RUN, B)
    assert said.status() == always(UNVERIFIED, "contested-origin")


def test_contested_and_unattested_are_both_told() -> None:
    said = artifact(cutoffs={A: 10}).attested(A, index=10).made_by(RUN, A, index=9).made_by(RUN2, B)
    assert said.status() == always(UNVERIFIED, "contested-origin", "signer-revoked")


def test_what_is_only_named_is_never_verified() -> None:
    assert artifact(URI).attested().status() == always(UNVERIFIED, "uri-only")
    assert artifact(URI).status() == always(UNVERIFIED, "no-attestation", "uri-only")


def test_a_name_has_no_bytes_to_check() -> None:
    said = artifact(URI).attested().at("file:///srv/models/m.bin").checked("mismatch", 5)
    assert said.status() == always(UNVERIFIED, "uri-only")


def test_an_artifact_that_comes_out_of_every_run_keeps_two_origins_a_signer() -> None:
    facts = Facts("sha256:empty", NodeKind.ARTIFACT, {})
    for number in range(50):
        edge = Edge("sha256:empty", EdgeType.WAS_GENERATED_BY, f"run:{number}")
        facts.add_edge(edge, "key:one", "signed", number)
    assert set(facts.origins) == {"run:0", "run:1"}
    assert facts.add_edge(Edge("sha256:empty", EdgeType.WAS_GENERATED_BY, "run:7"), "key:two", "signed", 60)
    assert set(facts.origins) == {"run:0", "run:1", "run:7"}
