"""Operators make and revoke API keys; the secret is on one page once."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from lineage.db.models import ApiToken, User
from lineage.errors import UnauthenticatedError
from lineage.services import token_uses, tokens

SECRET = re.compile(r"lin_[0-9a-f]{8}_[A-Za-z0-9_-]{43}")


def make(client: Client, **fields: Any) -> Any:
    return client.post("/tokens", {"name": "training-ci", "scopes": ["attest", "read"], **fields})


def test_the_secret_is_shown_once_and_works(operator: Client) -> None:
    answer = make(operator)
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    [secret] = set(SECRET.findall(answer.content.decode()))
    token = tokens.authenticate(secret)
    assert (token.name, token.scopes, token.expires_at) == ("training-ci", "attest read", None)
    assert token.created_by.startswith("operator-")
    again = operator.get("/tokens").content.decode()
    assert not SECRET.search(again)
    assert f"lin_{token.prefix}" in again


def test_a_last_day_is_meant_whole(operator: Client) -> None:
    day = (datetime.now(UTC) + timedelta(days=3)).date()
    make(operator, expires=day.isoformat())
    end = ApiToken.objects.get().expires_at
    assert end == datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"name": ""}, "This field is required."),
        ({"name": "   "}, "This field is required."),
        ({"name": "x" * 201}, "at most 200 characters"),
        ({"scopes": []}, "Choose at least one."),
        ({"scopes": ["root"]}, "not one of the available choices"),
        ({"expires": "2020-01-01"}, "This day is over."),
        ({"expires": "soon"}, "Enter a valid date."),
        ({"expires": "9999-12-31"}, "This day is too far away."),
    ],
)
def test_a_wrong_field_is_told_beside_it(operator: Client, fields: dict[str, Any], complaint: str) -> None:
    answer = make(operator, **fields)
    assert answer.status_code == 422
    assert complaint in answer.content.decode()
    assert not ApiToken.objects.exists()


def test_a_revoked_key_stays_listed_and_opens_nothing(operator: Client) -> None:
    [secret] = set(SECRET.findall(make(operator).content.decode()))
    prefix = ApiToken.objects.get().prefix
    answer = operator.post(f"/tokens/{prefix}/revoke")
    assert (answer.status_code, answer["Location"]) == (302, "/tokens")
    page = operator.get("/tokens").content.decode()
    assert "is revoked." in page
    assert "revoked <time" in page
    with pytest.raises(UnauthenticatedError):
        tokens.authenticate(secret)


def test_what_is_no_key_or_revoked_already_is_told(operator: Client) -> None:
    assert operator.post("/tokens/ffffffff/revoke").status_code == 404
    make(operator)
    prefix = ApiToken.objects.get().prefix
    operator.post(f"/tokens/{prefix}/revoke")
    assert operator.post(f"/tokens/{prefix}/revoke").status_code == 409
    assert operator.get(f"/tokens/{prefix}/revoke").status_code == 405


def test_a_form_from_another_site_is_refused(operator: Client) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = operator.cookies
    assert make(strict).status_code == 403
    assert not ApiToken.objects.exists()


def test_a_rotated_key_is_listed_with_its_successor_and_both_work(operator: Client) -> None:
    [old] = set(SECRET.findall(make(operator).content.decode()))
    prefix = ApiToken.objects.get().prefix
    answer = operator.post(f"/tokens/{prefix}/rotate", {"overlap": "24"})
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    page = answer.content.decode()
    [new] = set(SECRET.findall(page))
    assert new != old
    assert f"in place of <code>lin_{prefix}</code>" in page
    assert "rotated, ends by itself" in page
    assert tokens.authenticate(old).prefix == prefix
    assert tokens.authenticate(new).replaces == prefix
    assert operator.post(f"/tokens/{prefix}/rotate", {"overlap": "24"}).status_code == 409


def test_how_long_the_old_secret_works_is_one_of_the_choices(operator: Client) -> None:
    make(operator)
    prefix = ApiToken.objects.get().prefix
    for overlap in ("", "9999", "-1"):
        assert operator.post(f"/tokens/{prefix}/rotate", {"overlap": overlap}).status_code == 400
    assert operator.get(f"/tokens/{prefix}/rotate").status_code == 405
    assert operator.post("/tokens/ffffffff/rotate", {"overlap": "0"}).status_code == 404
    assert ApiToken.objects.count() == 1


def test_the_last_use_is_shown(operator: Client) -> None:
    [secret] = set(SECRET.findall(make(operator).content.decode()))
    assert "not yet" in operator.get("/tokens").content.decode()
    tokens.authenticate(secret)
    token_uses.write()
    assert "not yet" not in operator.get("/tokens").content.decode()


def test_only_operators_rotate(officer: Client, operator: Client) -> None:
    make(operator)
    prefix = ApiToken.objects.get().prefix
    assert officer.post(f"/tokens/{prefix}/rotate", {"overlap": "24"}).status_code == 403
    assert ApiToken.objects.count() == 1


def test_who_made_a_key_ends_it_and_nobody_else_but_operators(operator: Client, person: Any) -> None:
    make(operator)
    make(operator)
    first, second = ApiToken.objects.order_by("pk").values_list("prefix", flat=True)
    stranger = person("officer")
    assert f"lin_{first}" not in stranger.get("/tokens").content.decode()
    for act in ("revoke", "rotate"):
        answer = stranger.post(f"/tokens/{first}/{act}", {"overlap": "0"})
        assert answer.status_code == 403
        assert "ended by who made it" in answer.content.decode()
    User.objects.filter(role="operator").update(role="auditor")  # the one who made them
    page = operator.get("/tokens").content.decode()
    assert f"lin_{first}" in page
    assert "Make the key" not in page
    assert make(operator).status_code == 403
    assert operator.post(f"/tokens/{first}/revoke").status_code == 302
    another = person("operator")
    assert another.post(f"/tokens/{second}/revoke").status_code == 302
    assert not ApiToken.objects.filter(revoked_at=None).exists()
