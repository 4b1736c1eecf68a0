"""The high-water file's form: one spelling, and nothing else is read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.errors import MalformedError, TooLargeError
from lineage.trust import checkpoint, high_water
from lineage.trust.keys import generate_ed25519

KEY = generate_ed25519()
NOTE = checkpoint.sign(checkpoint.Checkpoint("example.com/log", 57, bytes(range(32))), KEY)
SINCE = 1_767_225_600_000_000


def made() -> bytes:
    return high_water.of_note(NOTE, since_us=SINCE, from_size=3).encode()


def test_what_is_written_is_read() -> None:
    found = high_water.parse(made())
    assert found.named == ("example.com/log", 57, bytes(range(32)))
    assert (found.note, found.since_us, found.from_size) == (NOTE, SINCE, 3)


def test_any_client_finds_the_note_in_it() -> None:
    _, _, note = made().partition(b"\n\n")
    assert checkpoint.verify(note, checkpoint.verifier_key("example.com/log", KEY.public)).size == 57


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"lineage-high-water 1", b"lineage-high-water 2"),
        (b"since 2026", b"since 2026 "),
        (b".000000Z", b".000000z"),
        (b".000000Z", b"+00:00Z0"),
        (b"2026-01-01", b"2026-02-30"),
        (b"from 3\n", b"from 03\n"),
        (b"from 3\n", b"from 0\n"),
        (b"from 3\n", b"from 9999999999999999999\n"),
        (b"from 3\n\n", b"from 3\n"),
        (b"\n57\n", b"\n0\n"),
        (b"\n57\n", b"\n057\n"),
        (b"example.com/log\n57", b"57"),
    ],
)
def test_another_spelling_is_none(before: bytes, after: bytes) -> None:
    assert before in made()
    with pytest.raises(MalformedError):
        high_water.parse(made().replace(before, after, 1))


def test_it_has_a_limit() -> None:
    with pytest.raises(TooLargeError):
        high_water.parse(made() + b"x" * high_water.MAX_BYTES)


@given(st.integers(0, len(made()) - 1))
def test_cut_off_it_is_never_the_same(length: int) -> None:
    with pytest.raises(MalformedError):
        high_water.parse(made()[:length])


@given(st.binary(max_size=400) | st.builds(lambda tail: made()[:60] + tail, st.binary(max_size=400)))
def test_of_strangers_bytes_nothing_else_is_raised(data: bytes) -> None:
    try:
        found = high_water.parse(data)
    except MalformedError:
        return
    assert found.encode() == data
