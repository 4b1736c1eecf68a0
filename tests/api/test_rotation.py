"""POST /api/v1/keys/{id}/rotate: a key that vouches for its successor, and falls with it or not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lineage.services import keyring
from lineage.trust import endorsement
from lineage.trust.keys import load_private
from lineage.trust.leaf import rfc3339
from tests import factories
from tests.conftest import Api, problem
from tests.factories import Signer

URL = "/api/v1/keys"
SCOPES = {"predicate_types": [factories.GENERIC], "subjects": ["models/*"]}


def endorsed(old: Signer, new: Signer) -> Any:
    return json.loads(endorsement.build(old.private, new.private.public))


def pem(signer: Signer) -> str:
    return signer.private.public.pem().decode()


def registered(api: Api, **members: Any) -> Signer:
    signer = factories.signer()
    sent = {"name": "trainer", "public_key": pem(signer), "scopes": SCOPES} | members
    assert api.post(URL, sent).status_code == 201
    return signer


def rotated(api: Api, old: Signer, **members: Any) -> Signer:
    new = factories.signer()
    sent = {"public_key": pem(new), "endorsement": endorsed(old, new)} | members
    answer = api.post(f"{URL}/{old.key_id}/rotate", sent)
    assert answer.status_code == 201, answer.content
    return new


def test_the_new_key_may_say_what_the_old_one_may(api: Api) -> None:
    old = registered(api)
    new = rotated(api, old, old_not_after="2099-01-01T00:00:00Z")

    key = api.get(f"{URL}/{new.key_id}").json()
    assert (key["name"], key["vouched_by"], key["state"]) == ("trainer", old.key_id, "in-force")
    assert key["scopes"]["subjects"] == ["models/*"]
    before = api.get(f"{URL}/{old.key_id}").json()
    assert (before["state"], before["not_after"]) == ("in-force", "2099-01-01T00:00:00.000000Z")


def test_the_old_key_ends_a_week_from_now_where_nobody_says_when(api: Api) -> None:
    old = registered(api)
    rotated(api, old)
    assert api.get(f"{URL}/{old.key_id}").json()["not_after"] is not None


def test_an_earlier_end_of_the_old_key_stays(api: Api) -> None:
    old = registered(api, not_after="2090-01-01T00:00:00Z")
    rotated(api, old, old_not_after="2099-01-01T00:00:00Z")
    assert api.get(f"{URL}/{old.key_id}").json()["not_after"] == "2090-01-01T00:00:00.000000Z"


def test_a_key_stolen_before_takes_its_successors_with_it(api: Api) -> None:
    first = registered(api)
    second = rotated(api, first, old_not_after="2099-01-01T00:00:00Z")
    third = rotated(api, second, old_not_after="2099-01-01T00:00:00Z")

    stolen = {"from": "2020-01-01T00:00:00Z", "reason": "laptop stolen", "compromised": True}
    assert api.post(f"{URL}/{first.key_id}/revoke", stolen).status_code == 201

    states = [api.get(f"{URL}/{key.key_id}").json() for key in (first, second, third)]
    assert [key["state"] for key in states] == ["compromised"] * 3
    assert states[2]["state_reason"].endswith(
        "the key that vouched for it: the key that vouched for it: laptop stolen"
    )


def test_a_key_revoked_after_it_vouched_leaves_its_successor(api: Api) -> None:
    old = registered(api)
    new = rotated(api, old, old_not_after="2099-01-01T00:00:00Z")
    registration = keyring.current().keys[new.key_id]
    after = {"from": rfc3339(registration.registered_us + 1), "reason": "retired", "compromised": False}

    assert api.post(f"{URL}/{old.key_id}/revoke", after).status_code == 201

    assert api.get(f"{URL}/{new.key_id}").json()["state"] == "in-force"


def test_a_successor_is_not_registered_by_a_person_as_well(api: Api) -> None:
    """Otherwise whoever stole the old key could ask for what makes its successor stay."""
    old = registered(api)
    new = rotated(api, old)
    answer = api.post(URL, {"name": "again", "public_key": pem(new), "scopes": {"any": True}})
    assert problem(answer)[1] == "conflict"
    assert keyring.current().keys[new.key_id].vouched_by == old.key_id


@pytest.mark.parametrize("wrong", ["another-signer", "another-key", "altered", "not-an-envelope", "type"])
def test_an_endorsement_that_is_none(api: Api, wrong: str) -> None:
    old, stranger, new = registered(api), factories.signer(), factories.signer()
    sent = endorsed(old, new)
    if wrong == "another-signer":
        sent = endorsed(stranger, new)
    elif wrong == "another-key":
        sent = endorsed(old, stranger)
    elif wrong == "altered":
        sent["payload"] = endorsed(stranger, new)["payload"]
    elif wrong == "type":
        sent["payloadType"] = "application/vnd.in-toto+json"
    else:
        sent = {"endorsement": True}
    answer = api.post(f"{URL}/{old.key_id}/rotate", {"public_key": pem(new), "endorsement": sent})
    assert problem(answer)[1] == "malformed"
    assert new.key_id not in keyring.current().keys


def test_what_can_vouch_for_no_other(api: Api) -> None:
    old, new = registered(api), factories.signer()
    sent = {"public_key": pem(new), "endorsement": endorsed(old, new)}
    assert problem(api.post(f"{URL}/{factories.signer().key_id}/rotate", sent))[1] == "not-found"
    (platform,) = [key for key in api.get(URL).json()["keys"] if key["role"] == "platform"]
    assert problem(api.post(f"{URL}/{platform['key_id']}/rotate", sent))[1] == "conflict"

    gone = {"from": "2020-01-01T00:00:00Z", "reason": "lost", "compromised": False}
    api.post(f"{URL}/{old.key_id}/revoke", gone)
    assert problem(api.post(f"{URL}/{old.key_id}/rotate", sent))[1] == "malformed"


def test_a_key_is_not_its_own_successor(api: Api) -> None:
    old = registered(api)
    sent = {"public_key": pem(old), "endorsement": endorsed(old, old)}
    assert problem(api.post(f"{URL}/{old.key_id}/rotate", sent))[1] == "conflict"


def test_an_endorsement_is_read_back() -> None:
    old, new = factories.signer(), factories.signer()
    data = endorsement.build(load_private(old.private.to_pem()), new.private.public)
    endorsement.check(data, old.private.public, new.key_id)
