"""What a small statement claims at most, told by its builder alone, is no less than what all of it claims."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from lineage import predicates
from lineage.errors import MalformedError
from lineage.predicates.base import FEW_BRACKETS, FEW_BYTES, SMALL_BYTES, PredicateType
from lineage.predicates.delta import MAX_CLAIMS, MAX_EDGES
from lineage.trust import statement
from lineage.trust.digest import LENGTHS
from lineage.trust.statement import Statement
from tests.unit.predicates.making import example, parsed, projected
from tests.unit.predicates.test_limits import changed, spots

SPEAKERS = [each for each in predicates.PREDICATES if each.speaks_for]
each_speaker = pytest.mark.parametrize("predicate", SPEAKERS, ids=lambda predicate: predicate.slug)
VALUES: tuple[Any, ...] = (
    None,
    "",
    "https://other.example\n",
    7,
    [],
    {},
    [{}],
    {"id": "https://other.example"},
    {"id": ""},
)
OLD_NAMES = {"runDetails": "run_details", "buildDefinition": "build_definition", "builder": "\\u0062uilder"}


def covers(told: Statement) -> bool:
    """Whether what it claims at most is known. A refusal for too much of anything comes out of it."""
    most = predicates.claimed_at_most(told)
    try:
        whole = predicates.claimed(told, projected(told))
    except MalformedError:
        return most is not None
    if most is not None:
        assert (most.predicate_type, most.subject_names) == (whole.predicate_type, whole.subject_names)
        assert most.builders >= whole.builders
        assert not most.kinds
    return most is not None


def variants(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield document
    for path, _ in spots(document):
        for value in VALUES:
            yield changed(document, path, value)
        holder = gone = copy.deepcopy(document)
        for step in path[:-1]:
            holder = holder[step]
        del holder[path[-1]]
        yield gone


@each_speaker
def test_whatever_a_member_is_changed_to(predicate: PredicateType) -> None:
    document, known = example(predicate.example or ""), 0
    for variant in variants(document):
        text = json.dumps(variant)
        for old, new in (("", ""), *OLD_NAMES.items()):
            try:
                told = statement.parse("application/vnd.in-toto+json", text.replace(old, new).encode())
            except MalformedError:
                continue
            known += covers(told)
    assert covers(parsed(document))
    assert known > 100


@each_speaker
def test_the_builder_alone_is_told(predicate: PredicateType) -> None:
    document = example(predicate.example or "")
    place = ("runDetails", "builder") if predicate.slug == "slsa-provenance" else ("builder",)
    for builder in ("https://a.example", "é\0"):
        told = parsed(changed(document, ("predicate", *place), {"id": builder}))
        most = predicates.claimed_at_most(told)
        assert most is not None
        assert most.builders == {builder} == predicates.claimed(told, projected(told)).builders


def test_what_is_not_small_or_has_no_one_builder_is_read_whole() -> None:
    document = example("training-run.json")
    for parameters, known in (
        ({"text": "x" * SMALL_BYTES}, True),
        ({"text": "x" * FEW_BYTES}, False),
        ({"text": "x" * SMALL_BYTES, "[" * FEW_BRACKETS: 1}, False),
        ({str(number): [] for number in range(FEW_BRACKETS)}, True),
        ({str(number): [] for number in range(FEW_BRACKETS)} | {"text": "x" * SMALL_BYTES}, False),
    ):
        padded = parsed(changed(document, ("predicate", "parameters"), parameters))
        assert covers(padded) == known
    assert predicates.claimed_at_most(parsed(document | {"predicateType": "https://a.example"})) is None
    assert predicates.claimed_at_most(parsed(example("dataset.json"))) is None


def compact(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


@each_speaker
@pytest.mark.parametrize("share", [0.01, 0.4, 0.65])
def test_so_little_is_never_too_much(predicate: PredicateType, share: float) -> None:
    """Subjects take their share of it; then lists of the least items that there are, each as long as fits."""
    document = example(predicate.example or "")
    subject = {"name": "a", "digest": {"a": "b"}}
    alike = [subject] * max(1, int(share * SMALL_BYTES / (len(compact(subject)) + 1)))
    lists = [(path, items) for path, items in spots(document["predicate"]) if isinstance(items, list)]
    read = 0
    for path, items in lists:
        bare = changed(document | {"subject": alike}, ("predicate", *path), [])
        room = SMALL_BYTES - len(compact(bare))
        for item in ({"name": "a"}, {"name": "a", "role": "log"}, {"name": "a", "value": 1}, items[0]):
            many = [item] * (room // (len(compact(item)) + 1))
            data = compact(changed(bare, ("predicate", *path), many))
            assert SMALL_BYTES - 300 < len(data) <= SMALL_BYTES
            told = statement.parse("application/vnd.in-toto+json", data)
            covers(told)
            with contextlib.suppress(MalformedError):
                delta = projected(told)
                read += 1
                assert len(delta.edges) < MAX_EDGES / 2
                assert len(delta.claims) < MAX_CLAIMS / 2
    assert read


@each_speaker
@pytest.mark.parametrize("share", [0.01, 0.4, 0.65])
def test_so_few_things_are_never_too_many(predicate: PredicateType, share: float) -> None:
    """As above, in as many bytes as few things may have, so that each has several digests."""
    document = changed(example(predicate.example or ""), ("predicate", "outputs"), [])  # which name subjects
    digests = {algorithm: "0" * LENGTHS[algorithm] for algorithm in ("sha256", "sha384", "sha512")}
    subject = {"name": "a", "digest": digests}
    alike = [subject] * max(1, int(share * FEW_BRACKETS / 2))
    read = 0
    for path, items in spots(document["predicate"]):
        if not isinstance(items, list):
            continue
        bare = changed(document | {"subject": alike}, ("predicate", *path), [])
        room = FEW_BRACKETS - sum(map(compact(bare).count, (b"{", b"[")))
        for item in (subject, {"name": "a", "role": "log"}, {"name": "a", "value": 1}, *items[:1]):
            data = compact(changed(bare, ("predicate", *path), [item] * (room // compact(item).count(b"{"))))
            assert len(data) < FEW_BYTES - 10
            told = statement.parse(
                "application/vnd.in-toto+json",
                data[:-1] + b',"more":"%b"}' % (b"x" * (FEW_BYTES - len(data) - 10)),
            )
            assert len(told.payload) == FEW_BYTES
            covers(told)
            with contextlib.suppress(MalformedError):
                delta = projected(told)
                read += 1
                assert len(delta.edges) < MAX_EDGES / 2
                assert len(delta.claims) < MAX_CLAIMS / 2
    assert read
