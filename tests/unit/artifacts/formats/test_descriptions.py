"""Descriptions: as JSON and back, and how many differences are told."""

from __future__ import annotations

import json

import pytest

from lineage.artifacts.formats import FORMATS, Description, Part, by_name, differences, from_json, to_json
from lineage.artifacts.formats.base import label
from lineage.errors import MalformedError

PART = Part("tensor", "a", "0" * 64, "dtype F32, shape 2")
WHOLE = Description(
    "gguf", {"metadata": "1" * 64}, (PART, Part("metadata", "k", "2" * 64)), {"name": "x"}, ("bad",)
)


def test_a_description_survives_json() -> None:
    assert from_json(to_json(WHOLE)) == WHOLE
    assert from_json(to_json(WHOLE).decode()) == WHOLE


@pytest.mark.parametrize(
    "change",
    [
        {"format": 1}, {"digests": []}, {"digests": {"a": 1}}, {"facts": None}, {"parts": {}},
        {"parts": [[1]]},
        {"parts": [["a", "b", "c"]]}, {"parts": [["a", "b", "0" * 64, 1]]}, {"unsafe": "x"}, {"unsafe": [1]},
        {"parts": [["a", "b", "0" * 64]] * 2}, {"more": 1},
    ],
    ids=lambda change: json.dumps(change)[:30],
)  # fmt: skip
def test_rubbish_is_malformed(change: dict[str, object]) -> None:
    with pytest.raises(MalformedError):
        from_json(json.dumps(json.loads(to_json(WHOLE)) | change))


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff", b"[" * 100_000])
def test_what_is_no_description(content: bytes) -> None:
    with pytest.raises(MalformedError):
        from_json(content)


def test_at_most_twenty_differences_are_told() -> None:
    many = [tuple(Part("tensor", str(n), c * 64) for n in range(50)) for c in "ab"]
    before, after = (Description("gguf", {}, parts, {}) for parts in many)
    said = differences(before, after)
    assert len(said) == 21
    assert said[-1] == "and 30 more"


def test_another_order_another_format_and_a_new_danger_are_told() -> None:
    other = Part("tensor", "b", "3" * 64)
    assert differences(Description("a", {}, (PART, other), {}), Description("a", {}, (other, PART), {})) == (
        "the tensors stand in another order",
    )
    assert differences(Description("a", {}, (), {}), Description("b", {}, (), {})) == (
        "the format was a, is b",
    )
    assert differences(Description("a", {}, (), {}), Description("a", {}, (), {}, ("it runs",))) == (
        "loading it became unsafe: it runs",
    )
    assert differences(WHOLE, WHOLE) == ()


def test_names_do_not_command_a_terminal() -> None:
    assert label("a\x1b[31m\n\u202eb") == "a\\u001b[31m\\u000a\\u202eb"
    assert len(label("x" * 1000)) == 121


def test_each_format_is_found_by_its_name() -> None:
    assert [by_name(form.name) for form in FORMATS] == list(FORMATS)
    assert by_name("none") is None
