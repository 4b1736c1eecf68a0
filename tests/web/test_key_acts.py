"""Pages on which operators register, replace and revoke signers: who may, and what is said of mistakes."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from lineage.services import keyring
from lineage.trust import endorsement
from tests import factories
from tests.factories import Signer


def pem(signer: Signer) -> str:
    return signer.private.public.pem().decode()


def filled(signer: Signer, **fields: Any) -> dict[str, Any]:
    return {"name": "trainer", "public_key": pem(signer), "predicate_types": factories.GENERIC} | fields


def registered(operator: Client) -> Signer:
    signer = factories.signer()
    assert operator.post("/keys/_new", filled(signer)).status_code == 302
    return signer


def words(answer: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def test_a_key_is_registered_replaced_and_revoked(operator: Client) -> None:
    old = registered(operator)
    text = words(operator.get(f"/keys/{old.key_id}"))
    assert "trainer" in text
    assert "Replace it" in text

    new = factories.signer()
    sent = {
        "public_key": pem(new),
        "endorsement": endorsement.build(old.private, new.private.public).decode(),
        "old_not_after": "2099-01-01T00:00:00Z",
    }
    answer = operator.post(f"/keys/{old.key_id}/rotate", sent)
    assert answer["Location"] == f"/keys/{new.key_id}"
    assert "It replaced" in words(operator.get(f"/keys/{new.key_id}"))

    gone = {"from_": "2020-01-01T00:00:00Z", "reason": "laptop stolen", "compromised": "on"}
    assert operator.post(f"/keys/{old.key_id}/revoke", gone).status_code == 302
    text = words(operator.get(f"/keys/{new.key_id}"))
    assert "the key that vouched for it: laptop stolen" in text
    assert "Replace it" not in text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"public_key": "no key"}, "not a public key"),
        ({"public_key": "-----BEGIN PRIVATE KEY-----\nAA\n-----END PRIVATE KEY-----"}, "not a public key"),
        ({"predicate_types": ""}, "at least one predicate type"),
        ({"anything": "on"}, "either that it may say anything, or what"),
        ({"not_after": "tomorrow"}, "RFC 3339"),
        (
            {"not_before": "2030-01-02T00:00:00Z", "not_after": "2030-01-01T00:00:00Z"},
            "ends before it begins",
        ),
        ({"name": ""}, "required"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_kept(operator: Client, fields: dict[str, str], said: str) -> None:
    signer = factories.signer()
    answer = operator.post("/keys/_new", filled(signer, **fields))
    assert answer.status_code == 422
    assert said in words(answer)
    assert signer.key_id not in keyring.current().keys


@pytest.mark.parametrize("path", ["/keys/_new", "/keys/_identity", "/roots"])
def test_others_may_not(officer: Client, path: str) -> None:
    sent = {"name": "x", "kind": "x509", "material": "x"}
    assert officer.post(path, sent).status_code == 403


def test_buttons_are_for_operators(operator: Client, officer: Client) -> None:
    signer = registered(operator)
    for path in ("/keys", f"/keys/{signer.key_id}", "/roots"):
        assert "button primary" not in officer.get(path).content.decode()
        assert "Revoke it" not in officer.get(path).content.decode()


def test_an_identity_needs_a_root_first(operator: Client) -> None:
    assert "No root of trust is adopted yet" in words(operator.get("/keys/_identity"))


def test_a_root_that_is_none(operator: Client) -> None:
    sent = {"name": "CA", "kind": "x509", "material": "no certificate"}
    answer = operator.post("/roots", sent)
    assert answer.status_code == 422
    assert not keyring.current().roots


def test_an_unknown_key(operator: Client) -> None:
    unknown = factories.signer().key_id
    for act in ("revoke", "rotate"):
        assert operator.get(f"/keys/{unknown}/{act}").status_code == 404
