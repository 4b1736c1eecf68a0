"""The bad inputs that the intake knows: how each is made, and the problem that it is answered with.

A row is `name: (how it is made, with a key that may say anything; words of the problem's sentence or place)`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lineage.services import platform_keys
from lineage.services.clock import now_us
from lineage.trust import decisions
from lineage.trust.keys import PrivateKey
from lineage.trust.policy import Registration, Scopes
from tests import factories
from tests.factories import Signer, artifact, pack, provenance, statement

ENVELOPE = "application/vnd.in-toto+json"
HOUR_US = 3_600_000_000

Make = Callable[[Signer], bytes]


@dataclass(frozen=True)
class Bad:
    """One bad input and its answer; `limit` is the limit that a too large one is told."""

    name: str
    make: Make
    status: int
    slug: str
    says: str
    limit: int | None = None


def tampered(change: Callable[[dict[str, Any]], None]) -> Make:
    """A good envelope, changed after it was signed."""

    def make(signer: Signer) -> bytes:
        envelope = json.loads(signer.envelope(statement()))
        change(envelope)
        return json.dumps(envelope).encode()

    return make


def signed(**members: Any) -> Make:
    """A statement with other members, signed as it is."""
    return lambda signer: signer.envelope(statement(**members))


def raw(payload: bytes) -> Make:
    """Signed bytes that are no statement."""
    return lambda signer: signer.envelope(payload)


def scoped(scopes: Scopes, said: dict[str, Any]) -> Make:
    """Said by a key that may say less."""
    return lambda signer: factories.registered(scopes).envelope(said)


def with_signatures(count: int) -> Make:
    def make(signer: Signer) -> bytes:
        payload = factories.as_payload(statement())
        return pack(payload, ENVELOPE, [signer.signature(payload)] * count)

    return make


def altered_signature(signer: Signer) -> bytes:
    envelope = json.loads(signer.envelope(statement()))
    signature = bytearray(base64.b64decode(envelope["signatures"][0]["sig"]))
    signature[10] ^= 1
    envelope["signatures"][0]["sig"] = base64.b64encode(bytes(signature)).decode()
    return json.dumps(envelope).encode()


def altered_payload(signer: Signer) -> bytes:
    envelope = json.loads(signer.envelope(statement(artifact("good.bin"))))
    payload = base64.b64decode(envelope["payload"]).replace(b"good.bin", b"evil.bin")
    envelope["payload"] = base64.b64encode(payload).decode()
    return json.dumps(envelope).encode()


def revoked(signer: Signer) -> bytes:
    factories.revoke(signer)
    return signer.envelope(statement())


def expired(signer: Signer) -> bytes:
    return factories.registered(not_after_us=now_us() - HOUR_US).envelope(statement())


def not_yet(signer: Signer) -> bytes:
    return factories.registered(not_before_us=now_us() + HOUR_US).envelope(statement())


def by_the_platform(role: str) -> Make:
    def make(signer: Signer) -> bytes:
        key = platform_keys.load().by_role()[role]
        assert isinstance(key, PrivateKey)
        return Signer(key, role).envelope(statement())

    return make


def nested(depth: int) -> bytes:
    return b'{"a":' * (depth - 1) + b"1" + b"}" * (depth - 1)


def payload_with(predicate: bytes) -> bytes:
    """A statement whose predicate is this text, so that it need not be what Python would write."""
    return factories.as_payload(statement(predicate="@")).replace(b'"@"', predicate)


def materials(count: int) -> bytes:
    return factories.as_payload(provenance([artifact("a")], [artifact("m", "00" * 32)] * count))


def many_digests(signer: Signer) -> bytes:
    """One subject with a digest more than a statement may have, none of a known algorithm."""
    digests = {f"a{number}": "" for number in range(100_001)}
    return signer.envelope(statement({"name": "a", "digest": digests}))


def each_to_each(signer: Signer) -> bytes:
    """500 subjects, each derived from each of 500 base models: 250,000 edges in less than 100 KB."""
    subjects = [artifact(f"s{number}") for number in range(500)]
    bases = [artifact(f"b{number}") for number in range(500)]
    model = {"name": "m", "baseModels": bases}
    return signer.envelope(statement(*subjects, predicate_type=MODEL, predicate=model))


def each_means_all(signer: Signer) -> bytes:
    """600 outputs, each of which means 600 subjects of one name: 360,000 claims."""
    subjects = [artifact("same", f"{number:064x}") for number in range(600)]
    run = {
        "builder": {"id": factories.BUILDER},
        "activity": "training",
        "outputs": [{"role": "model", "name": "same"}] * 600,
    }
    return signer.envelope(statement(*subjects, predicate_type=TRAINING["predicateType"], predicate=run))


def long_texts(signer: Signer) -> bytes:
    """A description of 1,900 characters, claimed of each of 18,000 subjects: 34 million characters."""
    subjects = [artifact("a", f"{number:064x}") for number in range(18_000)]
    model = {"name": "m", "description": "x" * 1_900}
    return signer.envelope(statement(*subjects, predicate_type=MODEL, predicate=model))


def decided(signer: Signer) -> bytes:
    """A pipeline that may say anything says what only a person may: that a further key is registered."""
    new = factories.signer("forged").private.public
    registration = Registration(new, "forged", factories.ANY, None, None, -1, 0)
    return signer.envelope(decisions.build_register_key("ceo@example.com", now_us(), registration))


def too_long(signer: Signer) -> bytes:
    return signer.envelope(statement(predicate={"pad": "x" * (8 << 20)}))


MODEL = "urn:lineage:predicate:model:v1"
TRAINING = statement(predicate_type="urn:lineage:predicate:training-run:v1")
NARROW = Scopes(predicate_types=(factories.SLSA_V1,), builders=("https://example.com/other",))
BUILT = provenance([artifact("models/a.bin")])
BY_SUBJECT = Scopes(predicate_types=(factories.SLSA_V1,), builders=(factories.BUILDER,), subjects=("data/*",))
BY_KIND = Scopes(predicate_types=(factories.SLSA_V1,), builders=(factories.BUILDER,), kinds=("dataset",))

MALFORMED: dict[str, tuple[Make, str]] = {
    "nothing at all": (lambda _: b" ", "JSON"),
    "not JSON": (lambda _: b"this is not JSON", "JSON"),
    "not UTF-8": (lambda _: b'{"payload": "\xff"}', "UTF-8"),
    "a byte order mark": (lambda s: b"\xef\xbb\xbf" + s.envelope(statement()), "byte order"),
    "truncated": (lambda s: s.envelope(statement())[:-20], "JSON"),
    "JSON, but no object": (lambda _: b"[1, 2]", "envelope"),
    "a bare statement": (lambda _: factories.as_payload(statement()), "envelope"),
    "duplicate keys in the envelope": (
        lambda s: s.envelope(statement())[:-1] + b', "payload": ""}',
        "payload",
    ),
    "NaN in the envelope": (lambda _: b'{"payload": NaN}', "NaN"),
    "no payload": (tampered(lambda e: e.pop("payload")), "payload"),
    "an empty payload": (tampered(lambda e: e.update(payload="")), "payload"),
    "no payload type": (tampered(lambda e: e.pop("payloadType")), "payloadType"),
    "wrong payload type": (lambda s: s.envelope(statement(), payload_type="text/plain"), "payload type"),
    "no signatures member": (tampered(lambda e: e.pop("signatures")), "signatures"),
    "no signature": (with_signatures(0), "no signature"),
    "bad base64 in the payload": (tampered(lambda e: e.update(payload="a*b=")), "base64"),
    "mixed base64 alphabets": (tampered(lambda e: e.update(payload="ab-/")), "base64"),
    "bad base64 in a signature": (tampered(lambda e: e["signatures"][0].update(sig="%%%")), "base64"),
    "an empty signature": (tampered(lambda e: e["signatures"][0].update(sig="")), "signature"),
    "a payload that is not JSON": (raw(b"plain words"), "JSON"),
    "a truncated payload": (raw(factories.as_payload(statement())[:-2]), "JSON"),
    "duplicate keys in the payload": (raw(payload_with(b'{"a": 1, "a": 2}')), "twice"),
    "NaN in the payload": (raw(payload_with(b"NaN")), "NaN"),
    "Infinity in the payload": (raw(payload_with(b"-Infinity")), "Infinity"),
    "a lone surrogate in the payload": (raw(payload_with(b'"\\ud800"')), "surrogate"),
    "another statement type": (signed(_type="https://in-toto.io/Statement/v9"), "_type"),
    "no predicate type": (signed(predicateType=""), "predicateType"),
    "no subject": (signed(subject=[]), "subject"),
    "an empty digest set": (signed(subject=[{"name": "a", "digest": {}}]), "digest"),
    "a subject without digest": (signed(subject=[{"name": "a"}]), "digest"),
    "digest of the wrong length": (signed(subject=[artifact("a", "abcd")]), "sha256"),
    "digest that is not hex": (signed(subject=[artifact("a", "zz" * 32)]), "sha256"),
}
TOO_LARGE: dict[str, tuple[Make, int]] = {
    "33 signatures": (with_signatures(33), 32),
    "nesting 65": (raw(payload_with(nested(65))), 64),
    "nesting 65 in the envelope": (lambda _: nested(66), 64),
    "20,001 subjects": (signed(subject=[artifact("a", "00" * 32)] * 20_001), 20_000),
    "20,001 materials": (raw(materials(20_001)), 20_000),
    "an envelope over 8 MiB": (too_long, 8 << 20),
    "100,001 digests of subjects": (many_digests, 100_000),
    "250,000 edges": (each_to_each, 200_000),
    "360,000 claims": (each_means_all, 300_000),
    "34 million characters of claims": (long_texts, 32 << 20),
}
SIGNER_UNKNOWN: dict[str, tuple[Make, str]] = {
    "unknown key": (lambda _: factories.signer().envelope(statement()), "registered"),
    "unknown key without key id": (
        lambda _: factories.signer().envelope(statement(), keyid=None),
        "registered",
    ),
}
SIGNATURE_REFUTED: dict[str, tuple[Make, str]] = {
    "a key id that names another key": (
        lambda s: factories.signer().envelope(statement(), keyid=s.key_id),
        "does not verify",
    ),
    "altered payload": (altered_payload, "does not verify"),
    "altered signature": (altered_signature, "does not verify"),
    "altered payload type": (
        tampered(lambda e: e.update(payloadType="application/vnd.in-toto.x+json")),
        "does not verify",
    ),
}
KEY_NOT_VALID: dict[str, tuple[Make, str]] = {
    "revoked key": (revoked, "revoked"),
    "expired key": (expired, "ended"),
    "key not yet in force": (not_yet, "not in force"),
}
NOT_ALLOWED: dict[str, tuple[Make, str]] = {
    "predicate that the key may not say": (scoped(NARROW, TRAINING), "predicate type"),
    "builder that the key may not speak for": (scoped(NARROW, BUILT), factories.BUILDER),
    "subject that the key may not name": (scoped(BY_SUBJECT, BUILT), "models/a.bin"),
    "kind that the key may not name": (scoped(BY_KIND, BUILT), "kind"),
    "a decision by a pipeline": (decided, "Decisions"),
} | {
    f"a statement under the platform's {role} key": (by_the_platform(role), role)
    for role in platform_keys.ROLES
}

INPUTS = [
    *(Bad(name, make, 400, "malformed", says) for name, (make, says) in MALFORMED.items()),
    *(Bad(name, make, 413, "too-large", "", limit) for name, (make, limit) in TOO_LARGE.items()),
    *(Bad(name, make, 422, "signer-unknown", says) for name, (make, says) in SIGNER_UNKNOWN.items()),
    *(Bad(name, make, 422, "signature-refuted", says) for name, (make, says) in SIGNATURE_REFUTED.items()),
    *(Bad(name, make, 422, "key-not-valid", says) for name, (make, says) in KEY_NOT_VALID.items()),
    *(Bad(name, make, 422, "not-allowed", says) for name, (make, says) in NOT_ALLOWED.items()),
]
