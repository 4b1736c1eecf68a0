"""Every bad input that the intake knows, what it is answered, and that nothing of it stays.

Run with `-s` (or look at the end of `-rA`) to see the list: input, status, problem, the sentence.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator

import pytest

from lineage.db.models import Claim, Edge, Entry, EntrySigner, EntrySubject, Envelope, LogHead, Node
from lineage.trust.dsse import INTOTO_PAYLOAD_TYPE
from tests import factories
from tests.conftest import Api
from tests.contract.bad_inputs import ENVELOPE, INPUTS, Bad, nested, payload_with, with_signatures
from tests.factories import Signer, artifact, pack, statement

SET = "application/x-ndjson"
TABLES = (Entry, Envelope, EntrySubject, EntrySigner, Node, Edge, Claim)


_answers: list[str] = []


@pytest.fixture(scope="module", autouse=True)
def printed() -> Iterator[None]:
    """Prints the list when all of it has been tried."""
    yield
    print("\n\nBad inputs and the problem that each got:")
    print("\n".join(sorted(_answers)))


def rows() -> dict[str, int]:
    return {table.__name__: table.objects.count() for table in TABLES} | {
        "size": LogHead.objects.get(pk=1).size
    }


@pytest.mark.parametrize("bad", INPUTS, ids=lambda bad: bad.name)
def test_a_bad_input_is_refused_counted_and_leaves_nothing(
    api: Api, graph: Callable[[], int], bad: Bad
) -> None:
    data = bad.make(factories.registered())
    graph()
    before, counted = rows(), api.get("/api/v1/refusals").json()["counts"]

    answer = api.post("/api/v1/attestations", data, ENVELOPE)

    graph()
    found = answer.json()
    sentence = f"{found['detail']} {found.get('where', '')}".strip()
    _answers.append(f"{found['status']}  {found['type'].rpartition(':')[2]:18}  {bad.name:42}  {sentence}")
    assert (answer.status_code, found["type"]) == (bad.status, f"urn:lineage:problem:{bad.slug}"), sentence
    assert answer["Content-Type"] == "application/problem+json"
    assert bad.says in sentence
    assert found.get("limit") == bad.limit
    assert rows() == before
    refusals = api.get("/api/v1/refusals").json()
    assert refusals["counts"].get(bad.slug, 0) == counted.get(bad.slug, 0) + 1
    assert refusals["refusals"][0]["slug"] == bad.slug
    assert refusals["refusals"][0]["token"].startswith("token:")


@pytest.mark.parametrize(
    "bad", [bad for bad in INPUTS if bad.name not in {"nothing at all"}], ids=lambda bad: bad.name
)
def test_a_bad_line_of_a_set_gets_the_same_problem(api: Api, bad: Bad) -> None:
    signer, other = factories.registered(), factories.registered()
    good = [other.envelope(statement()) for _ in range(2)]
    line = bad.make(signer)
    answer = api.post("/api/v1/attestations", b"\n".join([good[0], line, good[1]]), SET)
    found = [json.loads(text) for text in answer.content.splitlines()]
    assert [f.get("type", "receipt") for f in found] == [
        "receipt",
        f"urn:lineage:problem:{bad.slug}",
        "receipt",
    ]


def test_a_set_of_too_many_lines(api: Api) -> None:
    answer = api.post("/api/v1/attestations", b"{}\n" * 10_001, SET)
    assert (answer.status_code, answer.json()["limit"]) == (413, 10_000)


def test_a_set_of_too_many_bytes(api: Api) -> None:
    answer = api.post("/api/v1/attestations", b" " * ((64 << 20) + 1), SET)
    assert (answer.status_code, answer.json()["limit"]) == (413, 64 << 20)


GOOD: dict[str, Callable[[Signer], bytes]] = {
    "unknown members everywhere": lambda s: json.dumps(
        json.loads(s.envelope(statement(future=1, subject=[artifact("a", future=[1])]))) | {"future": {}}
    ).encode(),
    "no key id": lambda s: s.envelope(statement(), keyid=None),
    "an empty key id": lambda s: s.envelope(statement(), keyid=""),
    "a key id that nobody knows": lambda s: s.envelope(statement(), keyid="my laptop"),
    "statement v0.1": lambda s: s.envelope(statement(_type=factories.STATEMENT_V01)),
    "no predicate": lambda s: s.envelope({k: v for k, v in statement().items() if k != "predicate"}),
    "an unknown digest algorithm": lambda s: s.envelope(
        statement({"name": "a", "digest": {"sha256": "00" * 32, "tigerHash": "abc"}})
    ),
    "nesting 64": lambda s: s.envelope(payload_with(nested(63))),
    "32 signatures": with_signatures(32),
    "20,000 subjects": lambda s: s.envelope(statement(subject=[artifact("a", "00" * 32)] * 20_000)),
    "a payload type of its own": lambda s: s.envelope(
        statement(), payload_type="application/vnd.in-toto.provenance+json"
    ),
    "one good and one bad signature": lambda s: pack(
        p := factories.as_payload(statement()),
        INTOTO_PAYLOAD_TYPE,
        [s.signature(b"{}"), factories.registered().signature(p)],
    ),
    "one known and one unknown signer": lambda s: pack(
        p := factories.as_payload(statement()),
        INTOTO_PAYLOAD_TYPE,
        [factories.signer().signature(p), s.signature(p)],
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_looks_odd_and_is_accepted(api: Api, name: str) -> None:
    answer = api.post("/api/v1/attestations", GOOD[name](factories.registered()), ENVELOPE)
    assert answer.status_code == 201, answer.content


@pytest.mark.parametrize("url_safe", [False, True])
@pytest.mark.parametrize("padded", [False, True])
def test_every_spelling_of_base64_is_accepted(api: Api, url_safe: bool, padded: bool) -> None:
    def spell(text: str) -> str:
        encoded = base64.urlsafe_b64encode if url_safe else base64.b64encode
        spelled = encoded(base64.b64decode(text)).decode()
        return spelled if padded else spelled.rstrip("=")

    signer = factories.registered()
    for pad in range(3):
        envelope = json.loads(signer.envelope(statement(predicate={"pad": "ÿ?>" * 9 + "x" * pad})))
        envelope["payload"] = spell(envelope["payload"])
        envelope["signatures"][0]["sig"] = spell(envelope["signatures"][0]["sig"])
        answer = api.post("/api/v1/attestations", json.dumps(envelope).encode(), ENVELOPE)
        assert answer.status_code == 201, answer.content
