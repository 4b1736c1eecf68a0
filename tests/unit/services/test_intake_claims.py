"""Whether signers may say something does not depend on how much of it was read to tell."""

from __future__ import annotations

from functools import lru_cache

from hypothesis import given
from hypothesis import strategies as st

from lineage.errors import LineageError
from lineage.services import intake
from lineage.trust.policy import KeyRing, Registration, Revocation, Scopes
from lineage.trust.statement import Statement
from tests.unit.predicates.making import example, made, parsed
from tests.unit.predicates.test_limits import changed
from tests.unit.trust.builders import key

FIRST, SECOND = key(1).public, key(2).public
BUILDER = "https://ci.example"
RUN, BUILD = "urn:lineage:predicate:training-run:v1", "https://slsa.dev/provenance/v1"
TYPES = (RUN, BUILD, "urn:lineage:predicate:dataset:v1")

scopes = st.builds(
    Scopes,
    any=st.sampled_from((False, False, False, True)),
    predicate_types=st.lists(st.sampled_from(TYPES), max_size=3).map(tuple),
    builders=st.lists(st.sampled_from((BUILDER, "https://other.example")), max_size=2).map(tuple),
    subjects=st.lists(st.sampled_from(("a.bin", "model*", "*")), max_size=2).map(tuple),
    kinds=st.lists(st.sampled_from(("artifact", "model", "run", "dataset")), max_size=2).map(tuple),
)


@lru_cache
def statements() -> tuple[Statement, ...]:
    told = []
    for name, place in (
        ("training-run.json", ("builder",)),
        ("slsa-provenance.json", ("runDetails", "builder")),
    ):
        for builder in ({"id": BUILDER}, {"id": "https://third.example"}, {"id": BUILDER + "\n"}, {}):
            told.append(parsed(changed(example(name), ("predicate", *place), builder)))
    return (*told, parsed(example("dataset.json")), made(RUN, {"activity": "training"}), made(BUILD, {}))


def ring(first: Scopes, second: Scopes, revoked: bool) -> KeyRing:
    made = KeyRing()
    for index, (public, scope) in enumerate(((FIRST, first), (SECOND, second)), 1):
        made = made.register(Registration(public, public.key_id[:4], scope, 5, 50, index, 0))
    return made.revoke(Revocation(FIRST.key_id, 20, "lost", False, 3)) if revoked else made


@given(
    told=st.sampled_from(range(11)),
    first=scopes,
    second=scopes,
    revoked=st.booleans(),
    at_us=st.sampled_from((0, 10, 30, 60)),
    signers=st.sampled_from(((FIRST.key_id,), (SECOND.key_id,), (FIRST.key_id, SECOND.key_id))),
)
def test_the_verdict_is_the_same(
    told: int, first: Scopes, second: Scopes, revoked: bool, at_us: int, signers: tuple[str, ...]
) -> None:
    under, parsed = ring(first, second, revoked), statements()[told]

    def verdict(claimed: object) -> str:
        try:
            intake.judge(claimed, signers, under, at_us)  # type: ignore[arg-type]
        except LineageError as error:
            return f"{type(error).__name__}: {error.message}"
        return ""

    assert verdict(intake.claims_under(under, parsed, signers)) == verdict(intake.claims(parsed, signers))


def test_what_is_read_is_as_little_as_scopes_allow() -> None:
    run = statements()[0]
    narrow = Scopes(predicate_types=(RUN,), builders=(BUILDER,))
    of_kinds = Scopes(predicate_types=(RUN,), builders=(BUILDER,), kinds=("artifact", "run"))
    for scope, little in ((narrow, True), (Scopes(any=True), True), (of_kinds, False), (Scopes(), False)):
        claimed = intake.claims_under(ring(scope, scope, False), run, (FIRST.key_id,))
        assert (claimed.kinds == frozenset()) is little
