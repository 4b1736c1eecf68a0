"""DSSE envelopes that other projects signed, and securesystemslib as the second opinion."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from securesystemslib.dsse import Envelope as OtherEnvelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer._key import SSlibKey

from lineage.errors import MalformedError
from lineage.trust import dsse, statement, verify
from lineage.trust.keys import EcdsaEncoding, PublicKey, load_public

FAMILY = "dsse"
APPLIES = {
    # Only where there is a payload that can be read.
    "test_facts": lambda case: case["expect"] != "malformed" and case.get("facts", {}).get("payload_bytes"),
    "test_which_signature": lambda case: "signature_index" in case,
    "test_without_pae_the_trap_would_spring": lambda case: "trap" in case,
    # securesystemslib starts from decoded JSON, and one file is none.
    "test_securesystemslib_agrees": lambda case: case["why"] != "not JSON",
}


def envelope_bytes(vectors: Path, case: dict[str, Any]) -> bytes:
    """The file as it is; where the envelope sits inside a larger document, its value written again."""
    data: bytes = (vectors / case["file"]).read_bytes()
    if "pointer" not in case or (case["expect"] == "malformed" and not _is_json(data)):
        return data
    value = json.loads(data)
    for part in case["pointer"].strip("/").split("/"):
        value = value[int(part)] if isinstance(value, list) else value[part]
    return json.dumps(value).encode()


def _is_json(data: bytes) -> bool:
    try:
        json.loads(data)
    except ValueError:
        return False
    return True


def public_keys(vectors: Path, case: dict[str, Any]) -> list[PublicKey]:
    encoding: EcdsaEncoding = "raw" if case.get("encoding") == "raw r||s" else "der"
    return [load_public((vectors / name).read_bytes(), encoding) for name in case["keys"]]


def test_verdict(vectors: Path, case: dict[str, Any]) -> None:
    """Malformed and refuted both mean never verified; an empty payload is refused while it is read."""
    verdict = verify.verify_file_envelope(
        envelope_bytes(vectors, case), public_keys(vectors, case), None, at_us=0
    )
    expected = "verified" if case["expect"] == "verified" else "refuted"
    assert verdict.outcome == expected, verdict.reasons
    if case["expect"] == "malformed":
        assert verdict.facts == {"malformed": True}


def test_facts(vectors: Path, case: dict[str, Any]) -> None:
    facts = case["facts"]
    envelope = dsse.parse(envelope_bytes(vectors, case))
    assert hashlib.sha256(envelope.payload).hexdigest() == facts["payload_sha256"]
    assert len(envelope.payload) == facts["payload_bytes"]
    assert envelope.payload_type == facts["payloadType"]
    assert len(envelope.signatures) == facts["signatures"]
    if facts.get("predicateType"):
        read = statement.parse(envelope.payload_type, envelope.payload)
        assert read.type == facts["_type"]
        assert read.predicate_type == facts["predicateType"]
        assert len(read.subjects) == facts["subjects"]
        assert read.subjects[0].name == facts["first_subject"]["name"]
        assert read.subjects[0].digests == facts["first_subject"]["digest"]


def test_which_signature(vectors: Path, case: dict[str, Any]) -> None:
    keys = public_keys(vectors, case)
    result = verify.verify_envelope(dsse.parse(envelope_bytes(vectors, case)), lambda _: keys)
    good = [i for i, outcome in enumerate(result.outcomes) if outcome.outcome == "verified"]
    assert good == [case["signature_index"]]
    assert result.verified == (keys[0],)


def test_without_pae_the_trap_would_spring(vectors: Path, case: dict[str, Any]) -> None:
    """The bare payload is what these keys signed: the refusal is PAE's doing, not a broken key's."""
    envelope = dsse.parse(envelope_bytes(vectors, case))
    (key,) = public_keys(vectors, case)
    signature = envelope.signatures[0].sig
    assert key.verify(envelope.payload, signature)
    assert not key.verify(dsse.pae(envelope.payload_type, envelope.payload), signature)


OTHER_DIFFERS = {
    "dsse-protocol.json": "it has no key id, and its signature is r and s, where only DER is taken",
    "slsa/gke-gce-pre.bcid-vsa.jsonl": "its signature is r and s, where only DER is taken",
}
"""Where securesystemslib answers otherwise, and why."""


def _second_opinion(data: bytes, keys: list[Path]) -> str:
    document = json.loads(data)
    for signature in document.get("signatures", []):
        signature.setdefault("keyid", "")  # it raises KeyError without one
    try:
        envelope = OtherEnvelope.from_dict(document)
        public = [SSlibKey.from_crypto(load_pem_public_key(path.read_bytes())) for path in keys]
        # It knows keys by id only, so each signature is tried under each key.
        for signature in envelope.signatures.values():
            for key in public:
                signature.keyid = key.keyid
                alone = OtherEnvelope(envelope.payload, envelope.payload_type, {key.keyid: signature})
                try:
                    alone.verify([key], 1)
                except VerificationError:
                    continue
                return "verified"
    except (KeyError, ValueError, TypeError):
        return "malformed"
    return "refuted"


def test_securesystemslib_agrees(vectors: Path, case: dict[str, Any]) -> None:
    data = envelope_bytes(vectors, case)
    theirs = _second_opinion(data, [vectors / name for name in case["keys"]])
    ours = verify.verify_file_envelope(data, public_keys(vectors, case), None, at_us=0).outcome.value
    if case["file"] in OTHER_DIFFERS:
        assert (ours, theirs) == ("verified", "refuted"), OTHER_DIFFERS[case["file"]]
    else:
        assert (ours == "verified") == (theirs == "verified")


def test_protocol_example(vectors: Path) -> None:
    envelope = dsse.parse((vectors / "dsse-protocol.json").read_bytes())
    message = dsse.pae(envelope.payload_type, envelope.payload)
    assert message == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    as_der = load_public((vectors / "keys/dsse-protocol.pem").read_bytes())
    assert not as_der.verify(message, envelope.signatures[0].sig)


@pytest.mark.parametrize(
    ("envelope", "key"),
    [
        ("archivista/build.attestation.json", "witness-testpub.pem"),  # SHA-256 of the PEM
        ("archivista/fail.attestation.json", "witness-failkey-public.pem"),
        ("in-toto/write-code.776a00e2.link", "in-toto-demo-bob.pub"),  # in-toto's id
        ("keylime/runtime-policy-test-signed.json", "keylime-runtime-policy.pub"),  # securesystemslib's id
    ],
)
def test_key_id_in_the_wild_is_a_hint(vectors: Path, envelope: str, key: str) -> None:
    keyid = dsse.parse((vectors / envelope).read_bytes()).signatures[0].keyid
    assert keyid in load_public((vectors / "keys" / key).read_bytes()).hints


def test_link_is_about_its_products(vectors: Path) -> None:
    envelope = dsse.parse((vectors / "in-toto/write-code.776a00e2.link").read_bytes())
    link = statement.parse(envelope.payload_type, envelope.payload)
    assert (link.type, link.predicate_type) == ("link", "link")
    assert [s.name for s in link.subjects] == sorted(json.loads(envelope.payload)["products"])
    assert link.predicate == envelope.payload


def test_witness_policy_is_kept_whole(vectors: Path) -> None:
    envelope = dsse.parse((vectors / "archivista/policy-signed.json").read_bytes())
    policy = statement.parse(envelope.payload_type, envelope.payload)
    assert policy.predicate_type == statement.WITNESS_POLICY
    assert policy.subjects == ()


def test_foreign_payload_type_is_no_attestation(vectors: Path) -> None:
    envelope = dsse.parse((vectors / "keylime/runtime-policy-test-signed.json").read_bytes())
    with pytest.raises(MalformedError, match="payload type"):
        statement.parse(envelope.payload_type, envelope.payload)
