"""Each fuzz target over a fixed number of inputs from a fixed seed: the same in every run."""

from __future__ import annotations

import random

import pytest

from tests.fuzz import corpus, mutating
from tests.fuzz.target import Target, strict_json
from tests.fuzz.targets import TARGETS

each_target = pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)


@each_target
def test_what_falls_out_is_a_refusal(target: Target) -> None:
    chance = random.Random(20_260)  # the inputs are to be the same in every run
    seeds = target.seeds()
    accepted = 0
    for _ in range(target.inputs):
        data = mutating.mutated(chance.choice(seeds), seeds, chance)
        try:
            accepted += target.run(data)
        except BaseException as error:
            error.add_note(f"the input: {data!r}")
            raise
    assert 0 < accepted < target.inputs, "the changes reach neither only the shell nor nothing"


@each_target
def test_the_seeds_themselves_are_accepted(target: Target) -> None:
    assert [target.run(seed) for seed in target.seeds()] == [True] * len(target.seeds())


@each_target
def test_what_searches_kept_breaks_nothing(target: Target) -> None:
    for data in corpus.kept(target):
        target.run(data)


@pytest.mark.parametrize("target", [t for t in TARGETS if t.vectors], ids=lambda target: target.name)
def test_third_party_vectors_as_they_are(target: Target) -> None:
    found = corpus.vectors(target)
    if not found:
        pytest.skip("the third-party vectors are not here; set LINEAGE_VECTORS")
    assert sum(target.run(data) for data in found) > 0


def test_a_search_can_be_repeated() -> None:
    target = TARGETS[0]
    first, again = (
        [mutating.mutated(target.seeds()[0], target.seeds(), random.Random(n)) for n in range(50)]
        for _ in range(2)
    )
    assert first == again
    assert len(set(first)) > 40


@pytest.mark.parametrize("data", [b'{"a":1,"a":2}', b'{"a":NaN}', b"{} {}", b"\xff", b"'"])
def test_the_second_opinion_objects(data: bytes) -> None:
    with pytest.raises(AssertionError, match="accepted, though"):
        strict_json(data)


def test_a_target_tells_what_was_verified_without_a_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.fuzz import envelope, seeds

    monkeypatch.setattr(seeds, "SIGNED", frozenset())
    with pytest.raises(AssertionError, match="nobody signed"):
        envelope.run(seeds.envelopes()[0])
