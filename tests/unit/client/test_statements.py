"""The statement that is built, and where materials go."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lineage.client import attest, build_statement, parse_predicate
from lineage.errors import MalformedError, TooLargeError
from lineage.predicates import PREDICATES
from lineage.trust import dsse, statement
from lineage.trust.keys import generate_ed25519
from lineage.trust.statement import ResourceDescriptor

SLSA = "https://slsa.dev/provenance/v1"
OTHER = "https://example.org/unknown/v1"
SUBJECT = ResourceDescriptor(name="m", digests={"sha256": "a" * 64})


def built(predicate_type: str, predicate: dict[str, Any], *materials: str) -> Any:
    payload = build_statement(
        subjects=[SUBJECT], predicate_type=predicate_type, predicate=predicate, materials=materials
    )
    return json.loads(payload)


def test_the_envelope_is_signed_and_holds_the_statement(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x")
    key = generate_ed25519(b"k" * 32)
    envelope = dsse.parse(
        attest(key=key, subjects=[tmp_path / "f"], predicate_type=OTHER, predicate={"n": 2**60, "ä": 1.5})
    )
    signed = dsse.pae(envelope.payload_type, envelope.payload)
    assert key.public.verify(signed, envelope.signatures[0].sig)
    read = statement.parse(envelope.payload_type, envelope.payload)
    assert (read.predicate_type, read.subjects[0].name) == (OTHER, "f")
    assert json.loads(read.predicate) == {"n": 2**60, "ä": 1.5}


def test_materials_go_where_slsa_keeps_them_and_what_was_there_stays() -> None:
    there = {"uri": "urn:there"}
    made = built(
        SLSA, {"buildDefinition": {"buildType": "urn:b", "resolvedDependencies": [there]}}, "urn:new"
    )
    definition = made["predicate"]["buildDefinition"]
    assert definition == {"buildType": "urn:b", "resolvedDependencies": [there, {"uri": "urn:new"}]}


@pytest.mark.parametrize("predicate", [p for p in PREDICATES if p.materials], ids=lambda p: p.slug)
def test_every_type_that_lists_materials_gets_them_there(predicate: Any) -> None:
    inner = built(predicate.uris[0], {}, "urn:new")["predicate"]
    for member in predicate.materials:
        inner = inner[member]
    assert inner == [{"uri": "urn:new"}]


def test_the_given_predicate_is_not_changed() -> None:
    predicate: dict[str, Any] = {"buildDefinition": {"resolvedDependencies": []}}
    built(SLSA, predicate, "urn:new")
    assert predicate == {"buildDefinition": {"resolvedDependencies": []}}


@pytest.mark.parametrize(
    "predicate", [{"buildDefinition": 1}, {"buildDefinition": {"resolvedDependencies": {}}}]
)
def test_materials_never_replace_something_else(predicate: dict[str, Any]) -> None:
    with pytest.raises(MalformedError, match="something else there"):
        built(SLSA, predicate, "urn:new")


def test_an_unknown_type_has_no_place_for_materials_but_may_do_without() -> None:
    with pytest.raises(MalformedError, match="no place"):
        built(OTHER, {}, "urn:new")
    assert built(OTHER, {})["predicate"] == {}


def test_what_a_server_would_refuse_is_refused_here() -> None:
    with pytest.raises(MalformedError, match="no subject"):
        build_statement(subjects=[], predicate_type=OTHER)
    with pytest.raises(MalformedError, match="digest"):
        build_statement(subjects=["urn:undigested"], predicate_type=OTHER)
    for value in (float("nan"), object(), "\ud800"):
        with pytest.raises(MalformedError):
            build_statement(subjects=[SUBJECT], predicate_type=OTHER, predicate={"x": value})


@pytest.mark.parametrize("data", [b"", b"[]", b"1", b'{"a":1,"a":2}', b'{"a":NaN}', b"\xff{}"])
def test_a_predicate_file_is_one_strict_json_object(data: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_predicate(data)


def test_a_predicate_file_keeps_its_numbers() -> None:
    assert parse_predicate(b'{"a": 123456789012345678901234567890, "b": 0.1}') == {
        "a": 123456789012345678901234567890,
        "b": 0.1,
    }
    with pytest.raises(TooLargeError):
        parse_predicate(b'{"a":' * 65 + b"1" + b"}" * 65)
