"""Envelopes: what is accepted is one strict JSON text, and nothing verifies that nobody signed."""

from __future__ import annotations

import base64

from lineage.trust import dsse, verify
from lineage.trust.policy import KeyRing, Registration, Scopes
from tests.fuzz import seeds
from tests.fuzz.target import REFUSALS, Target, strict_json


def _ring() -> KeyRing:
    ring = KeyRing()
    for index, key in enumerate(seeds.KEYS):
        ring = ring.register(Registration(key.public, f"k{index}", Scopes(any=True), None, None, index, 0))
    return ring


RING = _ring()


def run(data: bytes) -> bool:
    try:
        envelope = dsse.parse(data)
    except REFUSALS:
        return False
    same_document(envelope, strict_json(data))
    nothing_forged(envelope)
    return True


def same_document(envelope: dsse.Envelope, told: object) -> None:
    """A plain JSON reader sees the same envelope."""
    assert isinstance(told, dict)
    assert told["payloadType"] == envelope.payload_type != ""
    assert _bytes(told["payload"]) == envelope.payload != b""
    assert 1 <= len(envelope.signatures) <= dsse.MAX_SIGNATURES
    assert [_bytes(s["sig"]) for s in told["signatures"]] == [s.sig for s in envelope.signatures]
    assert [s.get("keyid") or "" for s in told["signatures"]] == [s.keyid for s in envelope.signatures]


def nothing_forged(envelope: dsse.Envelope) -> None:
    found = verify.verify_envelope(envelope, RING.candidates)
    assert len(found.outcomes) == len(envelope.signatures)
    assert len({key.key_id for key in found.verified}) == len(found.verified) <= len(seeds.KEYS)
    if found.verified:
        signed = (envelope.payload_type, envelope.payload)
        assert signed in seeds.SIGNED, "verified, though nobody signed it"


def _bytes(text: str) -> bytes:
    return base64.b64decode(
        text.replace("-", "+").replace("_", "/").rstrip("=") + "=" * (-len(text.rstrip("=")) % 4)
    )


TARGET = Target(
    name="envelope",
    run=run,
    seeds=seeds.envelopes,
    vectors=("dsse", "slsa"),
)
