"""What every page has in common: the moment, the headers, the errors."""

from __future__ import annotations

import re

import pytest
from django.test import Client, RequestFactory

from lineage.web import errors
from tests.web.installation import Installation
from tests.web.test_signing_in import PAGES

POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self'",
    "font-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}


def policy(header: str) -> dict[str, str]:
    return dict(part.strip().split(" ", 1) for part in header.split(";"))


def test_nothing_inline_and_nothing_from_elsewhere(installed: Installation, operator: Client) -> None:
    for path in (*PAGES, "/accounts/password/change/", "/nowhere"):
        answer = operator.get(path)
        assert policy(answer["Content-Security-Policy"]) == POLICY
        page = answer.content.decode()
        assert not re.search(r"<style|<script(?![^>]*\bsrc=)|\sstyle=|\son[a-z]+=|javascript:", page), path
        assert not re.search(r"""(?:src|href|action)=["'](?:https?:)?//""", page), path
        if path in PAGES:
            assert answer["Cache-Control"] == "private, no-cache"


def test_every_page_tells_its_moment(installed: Installation, operator: Client) -> None:
    for path in PAGES:
        page = operator.get(path).content.decode()
        assert "Now, 13 entries" in page, path
        assert "graph at 13 of 13" in page, path
        assert "Back to now" not in page, path


def test_every_page_shows_the_past_and_leads_back(installed: Installation, operator: Client) -> None:
    for path in PAGES:
        page = operator.get(path, {"as_of": "5", "q": "claims"}).content.decode()
        assert "5 entries</strong> of 13" in page, path
        assert f'<a href="{path}?q=claims">Back to now</a>' in page, path
        assert 'href="/models?as_of=5"' in page, "the navigation stays in the past"


def test_a_moment_that_is_none_is_told(installed: Installation, operator: Client) -> None:
    for moment in ("yesterday", "14", "-1", "1.5", "2999-01-01", "2026-13-01", "1e3", "\0"):
        for path in ("/", "/models", "/tokens"):
            answer = operator.get(path, {"as_of": moment})
            assert (path, moment, answer.status_code) == (path, moment, 400)
            page = answer.content.decode()
            assert "Not a moment" in page
            assert f'<a href="{path}">Back to now</a>' in page


TAKES_POST = ("/sources/_new", "/tokens", "/graph/cypher")


def test_other_methods_are_refused(operator: Client) -> None:
    for path in PAGES:
        for method in ("put", "delete", "patch", *(() if path in TAKES_POST else ("post",))):
            assert (path, method, getattr(operator, method)(path).status_code) == (path, method, 405)


@pytest.mark.parametrize("path", ["/nowhere", "/models/", "/keys/nothing/here", "/keys/" + "0" * 64])
def test_an_address_that_is_none_gets_a_page_in_the_same_look(operator: Client, path: str) -> None:
    answer = operator.get(path)
    assert answer.status_code == 404
    page = answer.content.decode()
    assert "There is no such thing here" in page
    assert 'aria-label="Main"' in page


def test_a_failure_inside_shows_a_page_without_needing_anything(rf: RequestFactory) -> None:
    answer = errors.server_error(rf.get("/"))
    assert answer.status_code == 500
    assert "Something went wrong inside the server" in answer.content.decode()


def test_a_failure_inside_never_shows_its_text(rf: RequestFactory) -> None:
    answer = errors.bad_request(rf.get("/"), ValueError("secret detail"))
    assert answer.status_code == 400
    assert "secret detail" not in answer.content.decode()


def test_names_from_outside_are_text_and_never_markup(installed: Installation, operator: Client) -> None:
    page = operator.get("/search", {"q": "<script>alert(1)</script>"}).content.decode()
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
