"""Runs, machines, deployments, keys, suppliers and places."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from lineage.graph.model import EdgeType, NodeKind
from lineage.graph.status import KeyLife, Piece, Status, Trust, at
from tests.unit.graph.status_cases import (
    ARTIFACT,
    COPY,
    DAY_US,
    DEPLOYMENT,
    MACHINE,
    NOW_US,
    OTHER,
    PLATFORM,
    RUN,
    URI,
    A,
    B,
    Said,
    always,
    artifact,
    until,
)

UNVERIFIED = Status.UNVERIFIED
FOLDER = "dirHash:" + "5" * 64
VERIFIED = Piece(Status.VERIFIED, ())


def run(cutoffs: Mapping[str, int] | None = None) -> Said:
    return Said(RUN, NodeKind.RUN, cutoffs)


def deployment(cutoffs: Mapping[str, int] | None = None) -> Said:
    return Said(DEPLOYMENT, NodeKind.DEPLOYMENT, cutoffs)


# Runs


def test_a_signed_run_with_digested_inputs_and_outputs() -> None:
    assert run().attested().used(ARTIFACT).made(OTHER).status() == always(Status.VERIFIED)


@pytest.mark.parametrize(
    ("said", "reasons"),
    [
        (run(), ("no-attestation",)),
        (run().attested(trust=Trust.OBSERVED), ("observed-only",)),
        (run({A: 10}).attested(), ("signer-revoked",)),
        (run().attested().used(URI), ("input-undigested",)),
        (run().attested().made(URI), ("input-undigested",)),
        (run().attested(trust=Trust.OBSERVED).used(URI), ("input-undigested", "observed-only")),
    ],
)
def test_an_unverified_run(said: Said, reasons: tuple[str, ...]) -> None:
    assert said.status() == always(UNVERIFIED, *reasons)


def test_an_undigested_input_counts_while_anybody_who_says_so_is_believed() -> None:
    assert run({B: 5}).attested(A).used(URI, B).status() == always(Status.VERIFIED)
    said = run({B: 5}).attested(A).used(URI, B).used(URI, A, Trust.OBSERVED)
    assert said.status() == always(UNVERIFIED, "input-undigested")


def observed(cutoffs: Mapping[str, int] | None = None) -> Said:
    """A run that was seen to use something without a digest, and then signed."""
    return run(cutoffs).attested(B, Trust.OBSERVED, 5).used(URI, B, Trust.OBSERVED, 5).attested(A)


def test_what_was_seen_without_a_digest_is_answered_by_who_signs_its_digest() -> None:
    assert observed().status() == always(UNVERIFIED, "input-undigested")
    assert observed().used(ARTIFACT, A).digests(URI, A).status() == always(Status.VERIFIED)
    made = run().attested(A).made(URI, B, Trust.OBSERVED, 5)
    answered = made.made(ARTIFACT, A).digests(URI, A, direction=EdgeType.WAS_GENERATED_BY)
    assert answered.status() == always(Status.VERIFIED)


@pytest.mark.parametrize(
    ("said", "reasons"),
    [
        # who signed leaves it out, names another, or made it instead of using it
        (observed().used(ARTIFACT), ("input-undigested",)),
        (observed().digests("uri:" + "d" * 64), ("input-undigested",)),
        (observed().digests(URI, direction=EdgeType.WAS_GENERATED_BY), ("input-undigested",)),
        # a second thing was seen, which nobody digests
        (observed().digests(URI).used("uri:" + "d" * 64, B, Trust.OBSERVED), ("input-undigested",)),
        # nobody who signed says the digest, or not any more
        (observed().digests(URI, B, Trust.OBSERVED), ("input-undigested",)),
        (observed({A: 10}).attested(B).digests(URI, A), ("input-undigested",)),
        (observed({A: 10}).digests(URI, A), ("input-undigested", "signer-revoked")),
        # who signed names it without a digest too, or an operator does
        (observed().digests(URI).used(URI, A), ("input-undigested",)),
        (observed().digests(URI).used(URI, PLATFORM, Trust.ASSERTED), ("input-undigested",)),
    ],
)
def test_what_was_seen_without_a_digest_and_is_not_answered(said: Said, reasons: tuple[str, ...]) -> None:
    assert said.status() == always(UNVERIFIED, *reasons)


@pytest.mark.parametrize(
    "said",
    [
        run().attested().made(ARTIFACT).made(OTHER, B, Trust.OBSERVED),
        run().attested().used(ARTIFACT).used(OTHER, B, Trust.OBSERVED),
        run().attested().used(ARTIFACT).used(ARTIFACT, B, Trust.OBSERVED).used(OTHER, B, Trust.OBSERVED),
    ],
)
def test_a_run_of_which_more_was_observed_than_signed(said: Said) -> None:
    said.attested(B, Trust.OBSERVED)
    assert said.status() == always(Status.FAILED, "observed-differs")


@pytest.mark.parametrize(
    "said",
    [
        # a digest that was only heard of
        run().attested().used(ARTIFACT).used(OTHER, B, Trust.OBSERVED).digests(OTHER, B, Trust.OBSERVED),
        # the same, or less than was signed
        run().attested().made(ARTIFACT).made(ARTIFACT, B, Trust.OBSERVED),
        run().attested().used(ARTIFACT).used(OTHER).used(OTHER, B, Trust.OBSERVED),
        # who signed named nothing that could be compared
        run().attested().made(OTHER, B, Trust.OBSERVED),
        run().attested().made(FOLDER).made(OTHER, B, Trust.OBSERVED),
        run().attested().used(ARTIFACT).made(OTHER, B, Trust.OBSERVED),
        # the observation is not believed
        run({B: 5}).attested().made(ARTIFACT).made(OTHER, B, Trust.OBSERVED),
    ],
)
def test_a_run_of_which_nothing_else_was_observed(said: Said) -> None:
    assert said.status() == always(Status.VERIFIED)


def test_what_only_observations_say_of_a_run_does_not_differ_from_itself() -> None:
    said = run({A: 5}).attested(A).made(ARTIFACT, A).made(OTHER, B, Trust.OBSERVED)
    assert said.status() == always(UNVERIFIED, "signer-revoked")


# Machines


def test_a_machine_has_no_evidence_yet() -> None:
    machine = Said(MACHINE, NodeKind.HARDWARE).attested()
    assert machine.status() == always(UNVERIFIED, "no-evidence")


@pytest.mark.parametrize("trust", [None, Trust.OBSERVED, Trust.ASSERTED])
def test_a_machine_that_is_only_named(trust: Trust | None) -> None:
    machine = Said(MACHINE, NodeKind.HARDWARE)
    if trust:
        machine.attested(trust=trust)
    assert machine.status() == always(UNVERIFIED, "asserted-only")


def test_a_machine_whose_signer_is_revoked() -> None:
    machine = Said(MACHINE, NodeKind.HARDWARE, {A: 10}).attested()
    assert machine.status() == always(UNVERIFIED, "asserted-only")


# Deployments


def test_a_deployment_of_something_verified() -> None:
    said = deployment().attested().used(ARTIFACT)
    assert said.status({ARTIFACT: always(Status.VERIFIED)}) == always(Status.VERIFIED)


@pytest.mark.parametrize(
    "state",
    [
        always(Status.FAILED, "copy-mismatch"),
        always(UNVERIFIED, "never-checked", "no-attestation"),
        until(NOW_US, VERIFIED, Piece(Status.EXPIRED, ("check-overdue",))),
    ],
)
def test_a_deployment_is_as_its_artifact_at_every_moment(state: tuple[Piece, ...]) -> None:
    assert deployment().attested().used(ARTIFACT).status({ARTIFACT: state}) == state


def test_pieces_of_several_artifacts_are_merged() -> None:
    said = deployment().attested().used(ARTIFACT).used(OTHER)
    pieces = said.status(
        {
            ARTIFACT: artifact().attested().at(COPY).checked("match", NOW_US).status(),
            OTHER: always(UNVERIFIED, "observed-only"),
        }
    )
    assert pieces == until(
        NOW_US + 7 * DAY_US, Piece(UNVERIFIED, ("observed-only",)), Piece(Status.EXPIRED, ("check-overdue",))
    )


def test_an_unsigned_deployment_tells_its_own_and_its_artifacts_reasons() -> None:
    said = deployment().attested(trust=Trust.OBSERVED).used(ARTIFACT, trust=Trust.OBSERVED)
    pieces = said.status({ARTIFACT: always(UNVERIFIED, "no-attestation")})
    assert pieces == always(UNVERIFIED, "no-attestation", "observed-only")
    assert said.status({ARTIFACT: always(Status.FAILED, "copy-mismatch")}) == always(
        Status.FAILED, "copy-mismatch"
    )


def test_a_deployment_whose_signer_is_revoked_deploys_nothing_that_is_believed() -> None:
    said = deployment({A: 10}).attested().used(ARTIFACT)
    assert said.status({ARTIFACT: always(Status.FAILED, "copy-mismatch")}) == always(
        UNVERIFIED, "signer-revoked"
    )


# Keys, suppliers, places


def key(life: KeyLife | None) -> tuple[Piece, ...]:
    said = Said(PLATFORM, NodeKind.SIGNER)
    said.facts.life = life
    return said.status()


def test_a_registered_key_is_in_force() -> None:
    assert key(KeyLife()) == always(Status.VERIFIED)


def test_a_key_that_nobody_registered() -> None:
    assert key(None) == always(UNVERIFIED, "asserted-only")


def test_a_key_before_within_and_after_its_window() -> None:
    pieces = key(KeyLife(not_before_us=100, not_after_us=200))
    early, ended = Piece(UNVERIFIED, ("not-yet-valid",)), Piece(Status.EXPIRED, ("key-ended",))
    for moment, expected in ((99, early), (100, VERIFIED), (200, VERIFIED), (201, ended)):
        assert (at(pieces, moment).status, at(pieces, moment).reasons) == (expected.status, expected.reasons)


def test_a_compromised_key_fails_from_its_moment_on() -> None:
    pieces = key(KeyLife(compromised_us=NOW_US))
    assert pieces == until(NOW_US, VERIFIED, Piece(Status.FAILED, ("key-compromised",)))


def test_a_key_revoked_for_another_reason_has_ended() -> None:
    assert key(KeyLife(ended_us=NOW_US)) == until(NOW_US, VERIFIED, Piece(Status.EXPIRED, ("key-ended",)))


def test_compromise_outranks_every_end() -> None:
    pieces = key(KeyLife(not_before_us=50, not_after_us=150, ended_us=120, compromised_us=180))
    assert [(p.status, p.reasons, p.from_us) for p in pieces] == [
        (UNVERIFIED, ("not-yet-valid",), 0),
        (Status.VERIFIED, (), 50),
        (Status.EXPIRED, ("key-ended",), 120),
        (Status.FAILED, ("key-compromised",), 180),
    ]


@pytest.mark.parametrize("kind", [NodeKind.SUPPLIER, NodeKind.PLACE])
def test_suppliers_and_places_are_only_asserted(kind: NodeKind) -> None:
    assert Said(f"{kind}:" + "8" * 64, kind).attested().status() == always(UNVERIFIED, "asserted-only")
