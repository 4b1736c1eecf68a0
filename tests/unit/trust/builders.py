"""Statements, envelopes and key rings that the tests of trust are made of."""

from __future__ import annotations

import json
from typing import Any

from lineage.trust import dsse
from lineage.trust.keys import PrivateKey, PublicKey, generate_ed25519
from lineage.trust.policy import KeyRing, Registration, Scopes
from lineage.trust.statement import STATEMENT_V1

DIGEST = "ab" * 32
PREDICATE_TYPE = "https://slsa.dev/provenance/v1"


def key(number: int) -> PrivateKey:
    """A key that is the same in every run."""
    return generate_ed25519(bytes([number]) * 32)


def statement(**changes: Any) -> bytes:
    """A good statement with some members changed; None takes a member away."""
    document: dict[str, Any] = {
        "_type": STATEMENT_V1,
        "subject": [{"name": "model.bin", "digest": {"sha256": DIGEST}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {"a": 1},
        **changes,
    }
    return json.dumps({k: v for k, v in document.items() if v is not None}).encode()


def envelope(*signatures: dict[str, Any], payload: bytes | None = None, **changes: Any) -> bytes:
    """An envelope of JSON members as given; nothing is signed."""
    body = statement() if payload is None else payload
    document: dict[str, Any] = {
        "payloadType": dsse.INTOTO_PAYLOAD_TYPE,
        "payload": dsse.encode_base64(body),
        "signatures": list(signatures) or [{"keyid": "", "sig": "AAAA"}],
        **changes,
    }
    return json.dumps({k: v for k, v in document.items() if v is not None}).encode()


def signature(private: PrivateKey, payload: bytes, keyid: str = "") -> dict[str, str]:
    """One member of `signatures` over an in-toto payload."""
    made = private.sign(dsse.pae(dsse.INTOTO_PAYLOAD_TYPE, payload))
    return {"keyid": keyid, "sig": dsse.encode_base64(made)}


def registration(public: PublicKey, *, index: int = 0, **changes: Any) -> Registration:
    fields: dict[str, Any] = {
        "name": f"key {index}",
        "scopes": Scopes(any=True),
        "not_before_us": None,
        "not_after_us": None,
        "registered_us": 0,
        **changes,
    }
    return Registration(key=public, index=index, **fields)


def ring(*keys: PublicKey) -> KeyRing:
    result = KeyRing()
    for index, public in enumerate(keys):
        result = result.register(registration(public, index=index))
    return result
