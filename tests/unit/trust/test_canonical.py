"""The canonical form of JSON: as RFC 8785 writes it, whichever way it is written, and what has none."""

from __future__ import annotations

import json
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from lineage.errors import MalformedError
from lineage.trust import canonical

EXAMPLE = {
    "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
    "string": "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/",
    "literals": [None, True, False],
}


def test_the_example_of_the_rfc() -> None:
    """Source: RFC 8785 section 3.2.2 and 3.2.3."""
    assert canonical.encode(EXAMPLE).decode() == (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )


def test_names_are_sorted_by_utf_16() -> None:
    """Source: RFC 8785 section 3.2.3."""
    names = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    written = json.loads(canonical.encode(dict.fromkeys(names, 0)))
    assert list(written) == ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]


SAFE = st.integers(-canonical.LARGEST, canonical.LARGEST)
TEXT = st.text(st.characters(codec="utf-8"), max_size=6)
VALUES = st.recursive(
    st.none() | st.booleans() | SAFE | TEXT | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_both_ways_of_writing_agree(value: Any) -> None:
    assert canonical.encode(value) == rfc8785.dumps(value)


@given(st.dictionaries(TEXT, SAFE | TEXT | st.lists(TEXT), max_size=5))
def test_the_short_way_agrees(value: Any) -> None:
    assert canonical.encode(value) == rfc8785.dumps(value)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=6),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
        max_leaves=20,
    )
)
def test_what_is_made_plain_has_a_canonical_form_that_survives_reading(value: Any) -> None:
    written = canonical.encode(canonical.plain(value))
    assert canonical.encode(json.loads(written)) == written


NESTED: list[Any] = []
for _ in range(100_000):
    NESTED = [NESTED]


@pytest.mark.parametrize(
    "value",
    [
        2**53,
        -(2**53),
        {"a": [2**60]},
        float("nan"),
        float("inf"),
        "\ud800",
        {"\udc00": 1},
        {1: 2},
        {"a": object()},
        NESTED,
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_has_no_canonical_form_is_malformed(value: Any) -> None:
    with pytest.raises(MalformedError):
        canonical.encode(value)


def test_plain_texts_and_numbers() -> None:
    assert canonical.plain([True, None, 2**53, -(2**53), 2**53 - 1, 1e16, -0.5, "a\0"]) == [
        True,
        None,
        "9007199254740992",
        "-9007199254740992",
        2**53 - 1,
        "1e+16",
        -0.5,
        "a\u2400",
    ]
