"""Links as payloads of envelopes: a step, its materials and its products."""

from __future__ import annotations

from collections.abc import Sequence

from lineage.trust import statement as statements
from lineage.trust.dsse import INTOTO_PAYLOAD_TYPE
from tests.fuzz import seeds, statement
from tests.fuzz.target import REFUSALS, Target, strict_json


def run(data: bytes) -> bool:
    try:
        told = statements.parse(INTOTO_PAYLOAD_TYPE, data)
    except REFUSALS:
        return False
    document = strict_json(data)
    assert document["_type"] == told.type
    if told.type == statements.LINK:
        products = document.get("products") or {}
        assert [subject.name for subject in told.subjects] == sorted(products)
        assert told.predicate_type == statements.LINK
    return statement.judged(told)


def made() -> Sequence[bytes]:
    attested = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "foo.tar.gz", "digest": {"sha256": "cd" * 32}}],
        "predicateType": "https://in-toto.io/attestation/link/v0.3",
        "predicate": {
            "name": "package",
            "command": ["tar"],
            "materials": [{"digest": {"sha256": seeds.DIGEST}}],
        },
    }
    bare = {"_type": "link", "name": "check", "command": [], "materials": {}, "products": {}}
    return [seeds.text(seeds.LINK), seeds.text(attested), seeds.text(bare)]


TARGET = Target(
    name="link",
    run=run,
    seeds=made,
    vectors=("in-toto",),
    prepared=statement.payloads,
)
