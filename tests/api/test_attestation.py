"""GET /api/v1/attestations/{digest} and its /envelope."""

from __future__ import annotations

import hashlib

import pytest

from tests import factories
from tests.conftest import Api, problem

URL = "/api/v1/attestations"


def test_the_record_tells_what_was_verified(api: Api) -> None:
    signer = factories.registered(name="ci")
    statement = factories.statement(factories.artifact("a.bin"), predicate={"answer": 42})
    receipt = api.attest(signer.envelope(statement)).json()

    record = api.get(receipt["links"]["self"]).json()

    assert {name: record[name] for name in ("digest", "statement", "index", "trust")} == {
        name: receipt[name] for name in ("digest", "statement", "index", "trust")
    }
    assert record["payload"] == statement
    assert record["payload_type"] == "application/vnd.in-toto+json"
    (signature,) = record["signatures"]
    assert (signature["outcome"], signature["key"]["name"]) == ("verified", "ci")
    assert record["leaf"].splitlines()[:4] == [
        "lineage-entry/v1",
        "attestation",
        receipt["digest"],
        receipt["statement"],
    ]


def test_a_bad_signature_beside_a_good_one_is_shown(api: Api) -> None:
    good, bad = factories.registered(), factories.registered()
    statement = factories.statement()
    payload = factories.as_payload(statement)
    signatures = [bad.signature(b"{}") | {"keyid": bad.key_id}, good.signature(payload)]
    data = factories.pack(payload, "application/vnd.in-toto+json", signatures)
    answer = api.attest(data)
    assert answer.status_code == 201
    record = api.get(answer["Location"]).json()
    assert [signature["outcome"] for signature in record["signatures"]] == ["refuted", "verified"]


def test_entry_0_can_be_read_too(api: Api) -> None:
    first = api.get(URL, as_of=1).json()["attestations"][0]
    record = api.get(first["links"]["self"]).json()
    assert record["index"] == 0
    assert record["leaf"].endswith("\n-\n")


def test_as_of_before_it_was_known(api: Api) -> None:
    receipt = api.attest(factories.registered().envelope(factories.statement())).json()
    for path in (receipt["links"]["self"], receipt["links"]["envelope"]):
        assert problem(api.get(path, as_of=receipt["index"])) == (404, "not-found")
        assert api.get(path, as_of=receipt["index"] + 1).status_code == 200


@pytest.mark.parametrize("suffix", ["", "/envelope"])
def test_malformed_and_unknown_digests(api: Api, suffix: str) -> None:
    for text in ("x", "sha256:", "sha256:zz", "sha512:" + "0" * 128, "0" * 64, "sha256:" + "A" * 64):
        assert problem(api.get(f"{URL}/{text}{suffix}")) == (400, "malformed")
    assert problem(api.get(f"{URL}/sha256:{'0' * 64}{suffix}")) == (404, "not-found")


def test_the_envelope_is_the_bytes_that_its_digest_names(api: Api) -> None:
    receipt = api.attest(factories.registered().envelope(factories.statement())).json()
    answer = api.get(receipt["links"]["envelope"])
    assert answer["Content-Type"] == "application/vnd.dsse.envelope.v1+json"
    assert "sha256:" + hashlib.sha256(answer.content).hexdigest() == receipt["digest"]
    assert answer["Cache-Control"] == "private, no-cache", "its bytes may be erased"
