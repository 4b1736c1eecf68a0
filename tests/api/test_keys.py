"""GET|POST /api/v1/keys, /keys/{id}, POST /keys/{id}/revoke."""

from __future__ import annotations

from typing import Any

import pytest

from tests import factories
from tests.conftest import Api, problem

URL = "/api/v1/keys"
SCOPES = {"predicate_types": [factories.SLSA_V1], "builders": [factories.BUILDER], "subjects": ["models/*"]}


def form(**members: Any) -> dict[str, Any]:
    pem = factories.signer().private.public.pem().decode()
    return {"name": factories.fresh("ci"), "public_key": pem, "scopes": {"any": True}} | members


def test_register_and_read(api: Api) -> None:
    signer = factories.signer()
    pem = signer.private.public.pem().decode()
    sent = form(public_key=pem, scopes=SCOPES, not_after="2030-01-01T00:00:00+01:00")

    answer = api.post(URL, sent)

    assert answer.status_code == 201, answer.content
    assert answer["Location"] == f"{URL}/{signer.key_id}"
    assert answer.json()["key_id"] == signer.key_id
    decision = answer.json()["decision"]
    assert (decision["trust"], decision["index"]) == ("asserted", 1)
    key = api.get(answer["Location"]).json()
    assert key["name"] == sent["name"]
    assert key["scopes"] == SCOPES | {"any": False, "kinds": []}
    assert (key["role"], key["algorithm"], key["state"]) == ("pipeline", "ed25519", "in-force")
    assert (key["not_before"], key["not_after"]) == (None, "2029-12-31T23:00:00.000000Z")
    assert (key["index"], key["signed"], key["revocations"]) == (1, 0, [])
    assert api.get(decision["links"]["self"]).json()["payload"]["predicate"]["person"].startswith("token:")


def test_the_list_has_the_platform_s_own(api: Api) -> None:
    api.post(URL, form())
    answer = api.get(URL).json()
    assert answer["tree_size"] == 2
    assert sorted(key["role"] for key in answer["keys"]) == [
        "collector",
        "log",
        "pipeline",
        "platform",
        "reverifier",
    ]


@pytest.mark.parametrize(
    ("members", "where"),
    [
        ({"public_key": "no key"}, ""),
        ({"public_key": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}, ""),
        ({"name": ""}, ""),
        ({"name": "two\nlines"}, ""),
        ({"name": 7}, "$.name"),
        ({"scopes": {}}, ""),
        ({"scopes": {"any": "yes"}}, "$.scopes.any"),
        ({"scopes": {"predicate_type": ["x"]}}, "$.scopes"),
        ({"scope": {}}, ""),
        ({"not_before": "yesterday"}, "$.not_before"),
        ({"not_before": "2030-01-02T00:00:00Z", "not_after": "2030-01-01T00:00:00Z"}, ""),
        ({"ecdsa_encoding": "pem"}, "$.ecdsa_encoding"),
    ],
)
def test_forms_that_are_wrong(api: Api, members: dict[str, Any], where: str) -> None:
    answer = api.post(URL, form(**members))
    assert problem(answer) == (400, "malformed")
    assert answer.json().get("where", "") == where or not where
    assert api.get(URL).json()["tree_size"] == 1


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"name": "a", "name": "b"}', b"\xff"])
def test_bodies_that_are_no_form(api: Api, body: bytes) -> None:
    answer = api.http.post(URL, body, content_type="application/json", CONTENT_TYPE="application/json")
    assert problem(answer) == (400, "malformed")


def test_a_body_of_another_type_or_too_large(api: Api) -> None:
    assert problem(api.post(URL, b"{}", "text/plain")) == (415, "unsupported-media-type")
    assert problem(api.post(URL, b" " * ((1 << 20) + 1))) == (413, "too-large")


def test_a_known_key(api: Api) -> None:
    sent = form()
    assert api.post(URL, sent).status_code == 201
    assert problem(api.post(URL, sent | {"name": "again"})) == (409, "conflict")


def test_revoke(api: Api) -> None:
    signer = factories.registered()
    api.attest(signer.envelope(factories.statement()))
    path = f"{URL}/{signer.key_id}"
    sent = {"from": "2026-01-01T00:00:00Z", "reason": "laptop stolen", "compromised": True}

    answer = api.post(f"{path}/revoke", sent)

    assert answer.status_code == 201, answer.content
    key = api.get(path).json()
    assert (key["state"], key["signed"]) == ("compromised", 1)
    assert key["revocations"] == [
        {"from": "2026-01-01T00:00:00.000000Z", "reason": "laptop stolen", "compromised": True, "index": 3}
    ]
    assert api.get(path, as_of=3).json()["state"] == "in-force"
    assert problem(api.attest(signer.envelope(factories.statement()))) == (422, "key-not-valid")
    assert problem(api.post(f"{path}/revoke", sent)) == (409, "conflict")


@pytest.mark.parametrize(
    "members",
    [{"from": "now"}, {"from": None}, {"reason": ""}, {"reason": 1}, {"compromised": "no"}, {"x": 1}],
)
def test_revocations_that_are_wrong(api: Api, members: dict[str, Any]) -> None:
    signer = factories.registered()
    sent = {"from": "2026-01-01T00:00:00Z", "reason": "lost"} | members
    assert problem(api.post(f"{URL}/{signer.key_id}/revoke", sent)) == (400, "malformed")


def test_a_platform_key_is_not_revoked(api: Api) -> None:
    key = next(key for key in api.get(URL).json()["keys"] if key["role"] == "platform")
    sent = {"from": "2026-01-01T00:00:00Z", "reason": "lost"}
    assert problem(api.post(f"{URL}/{key['key_id']}/revoke", sent)) == (409, "conflict")


def test_malformed_and_unknown_ids(api: Api) -> None:
    sent = {"from": "2026-01-01T00:00:00Z", "reason": "lost"}
    for text in ("x", "AB" * 32, "sha256:" + "0" * 64, "0" * 63):
        assert problem(api.get(f"{URL}/{text}")) == (400, "malformed")
        assert problem(api.post(f"{URL}/{text}/revoke", sent)) == (400, "malformed")
    assert problem(api.get(f"{URL}/{'0' * 64}")) == (404, "not-found")
    assert problem(api.post(f"{URL}/{'0' * 64}/revoke", sent)) == (404, "not-found")


def test_as_of_before_the_key_was_known(api: Api) -> None:
    signer = factories.registered()
    assert problem(api.get(f"{URL}/{signer.key_id}", as_of=1)) == (404, "not-found")
    assert api.get(f"{URL}/{signer.key_id}", as_of=2).status_code == 200
    assert len(api.get(URL, as_of=1).json()["keys"]) == 4


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01"])
def test_a_moment_outside_the_years_1_to_9999_is_malformed(api: Api, moment: str) -> None:
    sent = {"from": moment, "reason": "lost"}
    known = factories.registered().key_id
    assert problem(api.post(f"{URL}/{known}/revoke", sent)) == (400, "malformed")
    assert problem(api.post(URL, form(not_before=moment))) == (400, "malformed")
