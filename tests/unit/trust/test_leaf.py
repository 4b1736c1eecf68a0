from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.errors import MalformedError
from lineage.trust import leaf
from lineage.trust.leaf import Leaf, parse_rfc3339, rfc3339

A, B, C = "a" * 64, "b" * 64, "c" * 64
GOOD = Leaf("attestation", A, B, 1_700_000_000_123_456, (B, C), 7)
ENCODED = (
    b"lineage-entry/v1\nattestation\nsha256:" + A.encode() + b"\nsha256:" + B.encode() + b"\n"
    b"2023-11-14T22:13:20.123456Z\n" + B.encode() + b"," + C.encode() + b"\n7\n"
)

KEYS = st.lists(st.binary(min_size=32, max_size=32).map(bytes.hex), min_size=1, max_size=4, unique=True)
LEAVES = st.builds(
    Leaf,
    kind=st.sampled_from(leaf.KINDS),
    envelope_digest=st.binary(min_size=32, max_size=32).map(bytes.hex),
    statement_digest=st.binary(min_size=32, max_size=32).map(bytes.hex),
    received_us=st.integers(0, 4_000_000_000_000_000),
    key_ids=KEYS.map(lambda keys: tuple(sorted(keys))),
    policy_index=st.integers(-1, 2**62),
)


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"kind": "Attestation"}, "line 2"),
        ({"kind": "decision\n"}, "line 2"),
        ({"envelope_digest": A[:-1]}, "line 3"),
        ({"envelope_digest": A.upper()}, "line 3"),
        ({"envelope_digest": A + "\n"}, "line 3"),
        ({"statement_digest": "sha256:" + B}, "line 4"),
        ({"key_ids": ()}, "line 6"),
        ({"key_ids": ("x",)}, "line 6"),
        ({"key_ids": (C, B)}, "line 6"),
        ({"key_ids": (B, B)}, "line 6"),
        ({"key_ids": (f"{B},{C}",)}, "line 6"),
        ({"key_ids": (B, "")}, "line 6"),
        ({"envelope_digest": f"{A},{B}", "key_ids": (C,)}, "line 3"),
        ({"envelope_digest": f"{A},{B}", "key_ids": ()}, "line 3"),
        ({"envelope_digest": f"{A},{B}", "statement_digest": ""}, "line 3"),
        ({"statement_digest": f"{B},{C}", "key_ids": ()}, "line 4"),
        ({"policy_index": -2}, "line 7"),
    ],
)
def test_a_leaf_that_could_not_be_written(changes: dict[str, object], where: str) -> None:
    fields = {name: getattr(GOOD, name) for name in Leaf.__struct_fields__}
    with pytest.raises(MalformedError) as caught:
        Leaf(**{**fields, **changes})
    assert caught.value.where == where


@pytest.mark.parametrize(
    "data",
    [
        b"",
        ENCODED[:-1],
        ENCODED + b"\n",
        ENCODED + b"8\n",
        ENCODED.replace(b"\n", b"\r\n"),
        ENCODED.replace(b"v1", b"v2"),
        ENCODED.replace(b"attestation", b"statement"),
        ENCODED.replace(b"sha256:aa", b"aa"),
        ENCODED.replace(b"sha256:aa", b"SHA256:aa"),
        ENCODED.replace(b"sha256:aa", b"sha256:sha256:"),
        ENCODED.replace(b"T22", b" 22"),
        ENCODED.replace(b".123456Z", b".123456+00:00"),
        ENCODED.replace(b".123456Z", b".1234567Z"),
        ENCODED.replace(b".123456Z", b"Z"),
        ENCODED.replace(b"2023", b"2O23"),
        ENCODED.replace(b"\n7\n", b"\n07\n"),
        ENCODED.replace(b"\n7\n", b"\n-1\n"),
        ENCODED.replace(b"\n7\n", b"\n\n"),
        ENCODED.replace(b"\n7\n", b"\n+7\n"),
        ENCODED.replace(b"\n7\n", b"\n" + b"9" * 5_000 + b"\n"),
        ENCODED.replace(b",cc", b", cc"),
        ENCODED.replace(b"attestation", "attestatiön".encode()),
    ],
)
def test_parse_refuses_every_other_spelling(data: bytes) -> None:
    with pytest.raises(MalformedError):
        leaf.parse(data)


def test_exactly_these_bytes() -> None:
    assert GOOD.encode() == ENCODED
    assert leaf.parse(ENCODED) == GOOD


def test_entry_zero_has_a_dash() -> None:
    first = Leaf("decision", A, B, 0, (C,), -1)
    assert first.encode().endswith(b"\n-\n")
    assert leaf.parse(first.encode()) == first


@given(LEAVES)
def test_round_trip(value: Leaf) -> None:
    encoded = value.encode()
    assert encoded.count(b"\n") == 7
    assert leaf.parse(encoded) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-01-31",
        "2026-01-31T12:00:00",
        "2026-01-31T12:00Z",
        "2026-1-31T12:00:00Z",
        "2026-02-30T12:00:00Z",
        "2026-01-31T24:00:00Z",
        "2026-01-31T12:60:00Z",
        "2026-12-31T23:59:60Z",
        "2026-01-31T12:00:00.Z",
        "2026-01-31T12:00:00,5Z",
        "2026-01-31T12:00:00+0100",
        "2026-01-31T12:00:00+25:00",
        "2026-01-31T12:00:00Z\n",
        "\u0662026-01-31T12:00:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-23:59",
    ],
)
def test_no_such_time(text: str) -> None:
    with pytest.raises(MalformedError):
        parse_rfc3339(text)


@pytest.mark.parametrize(
    ("text", "us"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01t00:00:00z", 0),
        ("0001-01-01T00:00:00Z", -62_135_596_800_000_000),
        ("9999-12-31T23:59:59.999999999Z", 253_402_300_799_999_999),
        ("1970-01-01 00:00:01.5Z", 1_500_000),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1969-12-31T19:00:00-05:00", 0),
        ("1970-01-01T00:00:00.000001999Z", 1),
        ("1969-12-31T23:59:59.999999Z", -1),
        ("2025-12-17T23:57:40-05:00", 1_766_033_860_000_000),
    ],
)
def test_time(text: str, us: int) -> None:
    assert parse_rfc3339(text) == us


@given(st.datetimes(min_value=datetime(1, 1, 1), max_value=datetime(9999, 12, 31)))
def test_times_round_trip(moment: datetime) -> None:
    us = (moment.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert parse_rfc3339(rfc3339(us)) == us
    assert rfc3339(us) == f"{moment.isoformat(timespec='microseconds')}Z"


@pytest.mark.parametrize("us", [leaf._EARLIEST_US - 1, leaf._LATEST_US + 1, 10**30])
def test_a_time_outside_of_all_years(us: int) -> None:
    with pytest.raises(OverflowError):
        rfc3339(us)


def test_times_sort_as_text() -> None:
    assert rfc3339(-1) < rfc3339(0) < rfc3339(999_999) < rfc3339(1_000_000)
