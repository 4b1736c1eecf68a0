"""The figures of a running check."""

from __future__ import annotations

from lineage.services.check_progress import Meter
from lineage.services.copies import Copy

A, B, C = (Copy("sha256:aa", f"file:///{name}", "folder", "full") for name in "abc")


def test_copies_are_counted_where_they_are_of_many_artifacts() -> None:
    meter = Meter(in_bytes=False)
    meter.total = 3
    meter.begin(A)
    meter.sized(A, 100)
    meter.hashed(A, 50)
    assert meter.figures() == (0, 3, "file:///a; 50 bytes read")
    meter.looked(A)
    assert meter.figures()[:2] == (1, 3)


def test_bytes_are_counted_where_all_are_of_one() -> None:
    meter = Meter(in_bytes=True)
    meter.total = 3
    meter.begin(A)
    assert meter.figures() == (0, 0, "file:///a")  # how much it is nobody has said yet
    meter.sized(A, 100)
    meter.hashed(A, 40)
    meter.begin(B)
    meter.sized(B, 100)
    meter.hashed(B, 10)
    assert meter.figures()[:2] == (50, 300)
    meter.looked(A)
    assert meter.figures()[:2] == (110, 300)
    meter.looked(B)
    meter.looked(C)  # it could not even be opened
    assert meter.figures()[:2] == (300, 300)


def test_a_copy_of_another_size_moves_the_bar_no_further_than_its_end() -> None:
    meter = Meter(in_bytes=True)
    meter.total = 2
    for copy, size in ((A, 100), (B, 10)):
        meter.begin(copy)
        meter.sized(copy, size)
        meter.hashed(copy, size)
    assert meter.figures()[:2] == (110, 200)


def test_what_is_read_again_is_no_progress_and_is_told() -> None:
    meter = Meter(in_bytes=True)
    meter.total = 1
    meter.begin(A)
    meter.sized(A, 100)
    meter.hashed(A, 120)
    done, total, words = meter.figures()
    assert (done, total) == (100, 100)
    assert words == "file:///a; 120 bytes read; all of it is read, and what is in it is looked at"
