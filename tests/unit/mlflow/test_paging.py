"""Listings of things that come and go while they are listed: MLflow's page token is an offset."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.mlflow import paging
from lineage.mlflow.errors import SourceError
from lineage.mlflow.paging import Found


class Shelf:
    """Runs by value and name, listed as MLflow lists them; `between` happens after each page."""

    def __init__(self, values: list[int], page: int, between: Callable[[Shelf, int], None]) -> None:
        self.runs = {f"r{number}": value for number, value in enumerate(values)}
        self.page, self.between, self.asked = page, between, 0

    def search(self, least: int, token: str) -> tuple[list[Found], str]:
        self.asked += 1
        there = sorted((value, name) for name, value in self.runs.items() if value >= least)
        offset = int(token or 0)
        shown = there[offset : offset + self.page]
        more = str(offset + self.page) if len(there) > offset + self.page else ""
        self.between(self, self.asked)
        return [{"id": name, "value": value} for value, name in shown], more

    def listed(self, since: int = 0) -> list[str]:
        pages = paging.from_value(
            self.search, since, lambda run: int(run["value"]), lambda run: str(run["id"]), self.page
        )
        return [str(run["id"]) for page in pages for run in page]


def nothing(_shelf: Shelf, _asked: int) -> None: ...


@given(st.lists(st.integers(0, 8), max_size=40), st.integers(2, 7), st.integers(0, 9))
def test_everything_is_given_once_in_order(values: list[int], page: int, since: int) -> None:
    shelf = Shelf(values, page, nothing)
    found = shelf.listed(since)
    assert sorted(found) == sorted(name for name, value in shelf.runs.items() if value >= since)
    assert [shelf.runs[name] for name in found] == sorted(shelf.runs[name] for name in found)


@given(st.lists(st.integers(0, 1000), max_size=40, unique=True), st.integers(2, 7), st.data())
def test_what_goes_between_two_pages_hides_nothing(values: list[int], page: int, data: Any) -> None:
    gone: set[str] = set()

    def remove(shelf: Shelf, _asked: int) -> None:
        if shelf.runs and data.draw(st.booleans()):
            name = data.draw(st.sampled_from(sorted(shelf.runs)))
            gone.add(name)
            del shelf.runs[name]

    shelf = Shelf(values, page, remove)
    found = shelf.listed()
    assert set(found) >= set(shelf.runs) - gone
    assert len(found) == len(set(found))


def test_what_is_followed_by_token_alone_would_be_hidden() -> None:
    """That the shelf above is as treacherous as MLflow."""

    def remove(shelf: Shelf, _asked: int) -> None:
        shelf.runs.pop("r0", None)

    shelf = Shelf(list(range(6)), 2, remove)
    seen, token = [], ""
    while True:
        found, token = shelf.search(0, token)
        seen += [run["id"] for run in found]
        if not token:
            break
    assert "r2" not in seen
    assert "r2" in Shelf(list(range(6)), 2, remove).listed()


def test_what_moves_on_is_given_again() -> None:
    def end_again(shelf: Shelf, asked: int) -> None:
        if asked == 1:
            shelf.runs["r0"] = 100

    assert Shelf([1, 2, 3, 4, 5], 2, end_again).listed().count("r0") == 2


def test_a_listing_without_end_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "MAX_PAGES", 50)
    with pytest.raises(SourceError) as caught:
        list(paging.by_token(lambda _: {"runs": [{}], "next_page_token": "again"}, "runs"))
    assert caught.value.trouble == "bad-answer"
    with pytest.raises(SourceError):
        list(paging.from_value(lambda *_: ([{"id": "r"}], "again"), 0, lambda _: 0, lambda _: "r"))


@pytest.mark.parametrize("odd", [{"runs": {}}, {"runs": [1]}, {"runs": "x"}, {"runs": None}])
def test_what_is_no_list_of_objects_is_a_bad_answer(odd: Found) -> None:
    with pytest.raises(SourceError) as caught:
        paging.listed(odd, "runs")
    assert caught.value.trouble == "bad-answer"


def test_what_goes_hides_none_of_the_same_value() -> None:
    """Where only the token leads on: the listing is looked at until that shows no news."""

    def remove(shelf: Shelf, asked: int) -> None:
        if asked in {2, 4}:
            shelf.runs.pop(f"r{asked}", None)

    shelf = Shelf([5] * 9, 2, remove)
    found = shelf.listed()
    assert set(found) >= set(shelf.runs)
    assert len(found) == len(set(found))


def by_token(shelf: Shelf) -> list[str]:
    def call(token: str) -> Found:
        runs, more = shelf.search(0, token)
        return {"runs": runs, "next_page_token": more}

    return [
        str(run["id"]) for page in paging.by_token(call, "runs", lambda run: str(run["id"])) for run in page
    ]


def test_a_listing_by_token_is_followed_until_there_is_no_news() -> None:
    def remove(shelf: Shelf, asked: int) -> None:
        if asked in {1, 3}:
            shelf.runs.pop(f"r{asked}", None)

    shelf = Shelf(list(range(9)), 2, remove)
    found = by_token(shelf)
    assert set(found) >= set(shelf.runs)
    assert len(found) == len(set(found))


@pytest.mark.parametrize(("count", "asked"), [(0, 1), (2, 1), (3, 4)])
def test_only_a_listing_of_several_pages_is_followed_again(count: int, asked: int) -> None:
    shelf = Shelf(list(range(count)), 2, nothing)
    assert len(by_token(shelf)) == count
    assert shelf.asked == asked


def test_what_is_not_there_is_no_empty_listing() -> None:
    with pytest.raises(SourceError) as caught:
        list(paging.by_token(lambda _: None, "files"))
    assert caught.value.trouble == "bad-answer"
