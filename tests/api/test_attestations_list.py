"""GET /api/v1/attestations: filters, order, pages, moments."""

from __future__ import annotations

from typing import Any

import pytest

from tests import factories
from tests.conftest import Api

URL = "/api/v1/attestations"


def digests(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [row["digest"] for row in answer.json()["attestations"]]


@pytest.fixture
def sent(api: Api) -> list[dict[str, Any]]:
    """Receipts of: a generic statement by a first key, then provenance by a second."""
    first, second = factories.registered(), factories.registered()
    one = api.attest(first.envelope(factories.statement(factories.artifact("a.bin"))))
    two = api.attest(second.envelope(factories.provenance([factories.artifact("b.bin")])))
    return [one.json(), two.json()]


def test_newest_first_and_the_platform_s_own_too(api: Api, sent: list[dict[str, Any]]) -> None:
    rows = api.get(URL).json()["attestations"]
    assert [row["index"] for row in rows] == [4, 3, 2, 1, 0]
    assert [row["kind"] for row in rows] == ["attestation", "attestation", "decision", "decision", "decision"]
    assert [row["trust"] for row in rows] == ["signed", "signed", "asserted", "asserted", "asserted"]


@pytest.mark.parametrize("which", [0, 1])
def test_filters(api: Api, sent: list[dict[str, Any]], which: int) -> None:
    receipt = sent[which]
    subject = f"sha256:{receipt['subjects'][0]['digest']['sha256']}"
    for name, value in [
        ("subject", subject),
        ("predicate_type", receipt["predicate_type"]),
        ("signer", receipt["signers"][0]["key_id"]),
    ]:
        assert digests(api.get(URL, **{name: value})) == [receipt["digest"]]
    assert digests(api.get(URL, subject=subject, predicate_type="other")) == []
    assert digests(api.get(URL, subject="sha256:" + "0" * 64)) == []


def test_trust_follows_a_revocation(api: Api, sent: list[dict[str, Any]]) -> None:
    signer = sent[0]["signers"][0]["key_id"]
    assert len(digests(api.get(URL, trust="signed"))) == 2
    form = {"from": "2020-01-01T00:00:00Z", "reason": "lost"}
    assert api.post(f"/api/v1/keys/{signer}/revoke", form).status_code == 201
    assert digests(api.get(URL, trust="revoked")) == [sent[0]["digest"]]
    assert digests(api.get(URL, trust="signed")) == [sent[1]["digest"]]
    assert len(digests(api.get(URL, trust="signed", as_of=5))) == 2


def test_pages_cover_everything_once(api: Api, sent: list[dict[str, Any]]) -> None:
    seen: list[str] = []
    after = ""
    for _ in range(10):
        answer = api.get(URL, limit=2, after=after)
        seen += digests(answer)
        after = answer.json()["next"]
        if after is None:
            break
    assert seen == digests(api.get(URL))
    assert len(seen) == 5


def test_as_of_a_size(api: Api, sent: list[dict[str, Any]]) -> None:
    assert digests(api.get(URL, as_of=4)) == digests(api.get(URL))[1:]
    assert digests(api.get(URL, as_of=0)) == []


def test_as_of_a_time(api: Api, sent: list[dict[str, Any]]) -> None:
    received = api.get(sent[0]["links"]["self"]).json()["received_at"]
    assert digests(api.get(URL, as_of=received))[0] == sent[0]["digest"]
    assert digests(api.get(URL, as_of="2020-01-01")) == []
