"""GET /api/v1/refusals."""

from __future__ import annotations

from lineage.trust.digest import sha256_hex
from tests import factories
from tests.conftest import Api

URL = "/api/v1/refusals"


def test_what_an_operator_needs_to_mend_a_pipeline(api: Api) -> None:
    stranger = factories.signer()
    data = stranger.envelope(factories.statement(factories.artifact("a.bin")))
    api.attest(data)
    answer = api.get(URL).json()
    assert answer["counts"] == {"signer-unknown": 1}
    (row,) = answer["refusals"]
    assert row["digest"] == f"sha256:{sha256_hex(data)}"
    assert row["detail"]
    assert (row["predicate_type"], row["subjects"]) == (factories.GENERIC, ["a.bin"])
    assert row["key_hints"] == [stranger.key_id]


def test_filter_and_pages(api: Api) -> None:
    for body in (b"{", b"[", b"nothing"):
        api.attest(body)
    api.attest(factories.signer().envelope(factories.statement()))
    assert [row["slug"] for row in api.get(URL).json()["refusals"]] == ["signer-unknown", *["malformed"] * 3]
    assert len(api.get(URL, slug="malformed").json()["refusals"]) == 3
    first = api.get(URL, limit=3).json()
    second = api.get(URL, limit=3, after=first["next"]).json()
    assert [row["slug"] for row in second["refusals"]] == ["malformed"]
    assert second["next"] is None


def test_a_body_over_its_limit_is_counted_though_nobody_read_it(api: Api) -> None:
    api.attest(b" " * ((8 << 20) + 1))
    (row,) = api.get(URL).json()["refusals"]
    assert (row["slug"], row["digest"]) == ("too-large", "")


def test_requests_that_never_reached_the_intake_are_not_counted(api: Api) -> None:
    api.post("/api/v1/attestations", b"{}", "text/plain")
    api.attest(b"{}", "?wait=forever")
    assert api.get(URL).json() == {"counts": {}, "refusals": [], "next": None}
