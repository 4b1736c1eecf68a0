"""The names of epochs, which of them a checkpoint carries, and what a verifier of another is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.errors import MalformedError, SignatureRefutedError
from lineage.trust import checkpoint, epoch_notes, epochs
from lineage.trust.checkpoint import Checkpoint
from lineage.trust.epochs import Began, Epoch, Lost

from .builders import key

LOG = "lineage/0123"
LOST = Lost(LOG, 9, b"\x01" * 32)
BEGUN = (Began(2, 5, LOST), Began(7, 12, LOST))
PINNED, OTHER = key(7), key(8)


def vkey(origin: str) -> str:
    return checkpoint.verifier_key(origin, PINNED.public)


def note(origin: str) -> bytes:
    return checkpoint.sign(Checkpoint(origin, 9, b"\x01" * 32), PINNED)


def test_a_checkpoint_goes_by_the_newest_epoch_whose_decision_it_covers() -> None:
    assert epochs.at(LOG, (), 5) == Epoch(1, LOG, 0)
    for size, number, since in [(1, 1, 0), (5, 1, 0), (6, 2, 5), (12, 2, 5), (13, 7, 12), (10**18, 7, 12)]:
        assert epochs.at(LOG, BEGUN, size) == Epoch(number, epochs.name(LOG, number), since)
    assert epochs.newest(LOG, BEGUN) == Epoch(7, f"{LOG}/epoch-7", 12)
    assert epochs.newest(LOG, ()) == Epoch(1, LOG, 0)


@given(st.integers(1, epochs.MAX_NUMBER), st.sampled_from([LOG, "a", "x/epoch-3", "log\nline"]))
def test_a_name_says_its_epoch_and_is_of_one_log_alone(number: int, log: str) -> None:
    made = epochs.name(log, number)
    assert epochs.number_of(log, made) == number
    assert epochs.number_of(log + "x", made) is None
    assert epochs.split(epochs.name(LOG, number)) == (LOG, number)
    checkpoint.check_name(epochs.name(LOG, number))


@pytest.mark.parametrize(
    "text",
    [
        *("/epoch-1", "/epoch-0", "/epoch-02", "/epoch-", "/epoch-2 ", "/epoch-1000000", "/epoch--2", "2"),
        *("/Epoch-2", "/epoch-2/epoch-3", "/epoch-\u0662"),
    ],
)
def test_what_only_looks_like_an_epoch_is_none(text: str) -> None:
    assert epochs.number_of(LOG, LOG + text) is None


def test_whoever_pinned_the_name_before_is_told_and_not_led_on() -> None:
    found = epoch_notes.other(note(f"{LOG}/epoch-3"), [checkpoint.verifier_key("a", OTHER.public), vkey(LOG)])
    assert found is not None
    assert (found.number, found.given) == (3, 1)
    assert found.verifier_key == vkey(f"{LOG}/epoch-3")
    assert "were lost" in found.sentence()
    assert found.sentence().endswith(found.verifier_key)
    back = epoch_notes.other(note(LOG), [vkey(f"{LOG}/epoch-3")])
    assert back is not None
    assert (back.number, back.given, back.verifier_key) == (1, 3, vkey(LOG))
    assert "among those that were lost" in back.sentence()


@pytest.mark.parametrize("origin", [LOG, f"{LOG}/epoch-2", "lineage/9999/epoch-3"])
def test_the_same_name_another_log_or_another_key_is_no_other_epoch(origin: str) -> None:
    assert epoch_notes.other(note(origin), [checkpoint.verifier_key(LOG, OTHER.public)]) is None
    assert epoch_notes.other(note("elsewhere/epoch-3"), [vkey(origin)]) is None
    assert epoch_notes.other(note(origin), [vkey(origin)]) is None


def test_a_forged_signature_under_another_epochs_name_is_refuted() -> None:
    made = note(f"{LOG}/epoch-3")
    forged = made.replace(b"\n9\n", b"\n8\n", 1)
    with pytest.raises(SignatureRefutedError):
        epoch_notes.other(forged, [vkey(LOG)])
    with pytest.raises(MalformedError):
        epoch_notes.other(b"no note", [vkey(LOG)])


def test_a_verified_checkpoint_tells_of_epochs_for_ever() -> None:
    assert epoch_notes.told(LOG, [vkey(LOG)]) == ()
    assert epoch_notes.told(LOG, [vkey(LOG), vkey("b/epoch-4")]) == ()
    (later,) = epoch_notes.told(f"{LOG}/epoch-2", [vkey(LOG), vkey(f"{LOG}/epoch-2")])
    assert "is in epoch 2" in later
    (earlier,) = epoch_notes.told(LOG, [vkey(LOG), vkey(f"{LOG}/epoch-2")])
    assert "was epoch 1" in earlier
