from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.trust import dsse, verify
from lineage.trust.keys import PublicKey, generate_ed25519, load_public
from lineage.trust.verify import Outcome, SignatureOutcome, verify_envelope, verify_file_envelope

from .builders import DIGEST, envelope, key, ring, signature, statement
from .native_keys import ALGORITHMS, private

PAYLOAD = statement()
ONE, TWO, THREE = (key(n).public for n in (1, 2, 3))


def signed(*made: tuple[int, str], payload: bytes = PAYLOAD) -> dsse.Envelope:
    """An envelope signed by key number n under a key id, for each pair."""
    return dsse.parse(envelope(*(signature(key(n), payload, keyid) for n, keyid in made), payload=payload))


def test_nobody_known_signed() -> None:
    result = verify_envelope(signed((1, ""), (1, "kms://x")), ring(TWO, THREE).candidates)
    assert result.verified == ()
    assert [o.outcome for o in result.outcomes] == ["unknown", "unknown"]
    assert verify_envelope(signed((1, "")), ring().candidates).verified == ()


def test_a_named_key_that_did_not_sign_is_refuted() -> None:
    result = verify_envelope(signed((1, TWO.key_id)), ring(TWO, THREE).candidates)
    assert result.outcomes == (SignatureOutcome(TWO.key_id, "refuted", TWO.key_id),)
    assert result.verified == ()


def test_a_wrong_key_id_is_legal() -> None:
    """It is a hint that nothing authenticates: the key that did sign is found all the same."""
    result = verify_envelope(signed((1, TWO.key_id)), ring(ONE, TWO).candidates)
    assert result.outcomes == (SignatureOutcome(TWO.key_id, "verified", ONE.key_id),)
    assert result.verified == (ONE,)


@pytest.mark.parametrize("keyid", ["", "unknown", *sorted(ONE.hints)])
def test_every_name_of_a_key_finds_it(keyid: str) -> None:
    assert verify_envelope(signed((1, keyid)), ring(ONE, TWO).candidates).verified == (ONE,)


def test_one_key_counts_once_under_however_many_names() -> None:
    names = ["", "unknown", *sorted(ONE.hints)]
    result = verify_envelope(signed(*((1, name) for name in names)), ring(ONE, TWO).candidates)
    assert result.verified == (ONE,)
    assert [o.outcome for o in result.outcomes] == ["verified"] * len(names)


def test_one_key_loaded_twice_counts_once() -> None:
    result = verify_envelope(signed((1, ""), (1, "")), lambda _: [load_public(ONE.spki)])
    assert result.verified == (ONE,)


def test_one_key_in_two_encodings_counts_once() -> None:
    public = private("ecdsa-p256").public
    both = [load_public(public.spki, "raw"), public]
    made = [signature(private("ecdsa-p256"), PAYLOAD) for _ in range(2)]
    result = verify_envelope(dsse.parse(envelope(*made, payload=PAYLOAD)), lambda _: both)
    assert len(result.verified) == 1


def test_two_keys_count_twice_in_the_order_of_signatures() -> None:
    result = verify_envelope(signed((2, ""), (1, ONE.key_id), (2, TWO.key_id)), ring(ONE, TWO).candidates)
    assert result.verified == (TWO, ONE)


def test_one_good_and_one_bad() -> None:
    bad = {"keyid": TWO.key_id, "sig": signature(key(3), PAYLOAD)["sig"]}
    read = dsse.parse(envelope(bad, signature(key(1), PAYLOAD), payload=PAYLOAD))
    result = verify_envelope(read, ring(ONE, TWO).candidates)
    assert result.verified == (ONE,)
    assert [o.outcome for o in result.outcomes] == ["refuted", "verified"]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_payload_type_is_signed_too(algorithm: str) -> None:
    signer = private(algorithm)
    data = dsse.sign(dsse.INTOTO_PAYLOAD_TYPE, PAYLOAD, signer)
    keys = ring(signer.public)
    assert verify_envelope(dsse.parse(data), keys.candidates).verified == (signer.public,)
    other = data.replace(b"vnd.in-toto+json", b"vnd.in-toto.x+json")
    assert verify_envelope(dsse.parse(other), keys.candidates).verified == ()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_key_is_found_among_all_algorithms(algorithm: str) -> None:
    keys = ring(*(private(a).public for a in ALGORITHMS))
    read = dsse.parse(envelope(signature(private(algorithm), PAYLOAD), payload=PAYLOAD))
    assert verify_envelope(read, keys.candidates).verified == (private(algorithm).public,)


@given(st.integers(0, len(PAYLOAD) - 1), st.integers(1, 255))
def test_no_changed_byte_of_a_payload_passes(at: int, change: int) -> None:
    good = signed((1, ""))
    damaged = bytearray(PAYLOAD)
    damaged[at] ^= change
    changed = dsse.Envelope(good.payload_type, bytes(damaged), good.signatures)
    assert verify_envelope(changed, ring(ONE).candidates).verified == ()


class Counting:
    """Candidates that count how many verifications really happen."""

    def __init__(self, keys: list[PublicKey], monkeypatch: pytest.MonkeyPatch) -> None:
        self.keys, self.count = keys, 0
        real = PublicKey.verify

        def counted(public: PublicKey, message: bytes, made: bytes) -> bool:
            self.count += 1
            return real(public, message, made)

        monkeypatch.setattr(PublicKey, "verify", counted)

    def __call__(self, hint: str) -> list[PublicKey]:
        return [k for k in self.keys if hint in k.hints] or self.keys


STRANGERS = [generate_ed25519(bytes([200, i]) * 16).public for i in range(100)]


def test_trials_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    candidates = Counting([*STRANGERS, ONE], monkeypatch)
    result = verify_envelope(signed(*[(1, "")] * 32), candidates)
    assert candidates.count == 64
    assert result.exhausted
    assert result.verified == ()
    assert [o.outcome for o in result.outcomes] == ["unknown"] * 32


def test_named_keys_are_tried_before_the_budget_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    candidates = Counting([*STRANGERS, ONE, TWO], monkeypatch)
    result = verify_envelope(signed((3, ""), (3, "x"), (1, ONE.key_id), (2, TWO.key_id)), candidates)
    assert result.verified == (ONE, TWO)
    assert candidates.count == 64
    assert result.exhausted


def test_a_named_key_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    candidates = Counting([ONE, TWO], monkeypatch)
    result = verify_envelope(signed((3, ONE.key_id)), candidates)
    assert candidates.count == 2
    assert not result.exhausted
    assert result.outcomes[0].outcome == "refuted"


def test_keys_that_can_not_have_made_it_cost_no_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    candidates = Counting([private(a).public for a in ALGORITHMS if a != "ed25519"], monkeypatch)
    assert verify_envelope(signed((1, "")), candidates).verified == ()
    assert candidates.count == 0


def test_another_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    candidates = Counting([TWO, ONE], monkeypatch)
    result = verify_envelope(signed((1, "")), candidates, max_trials=1)
    assert (result.verified, result.exhausted, candidates.count) == ((), True, 1)


def judge(
    data: bytes, keys: list[PublicKey] | None = None, artifact: Mapping[str, str] | None = None
) -> verify.Verdict:
    return verify_file_envelope(data, [ONE] if keys is None else keys, artifact, at_us=0)


def one(payload: bytes = PAYLOAD, payload_type: str = dsse.INTOTO_PAYLOAD_TYPE) -> bytes:
    return dsse.sign(payload_type, payload, key(1))


def test_file_malformed() -> None:
    verdict = judge(b"{}")
    assert verdict.outcome is Outcome.REFUTED
    assert verdict.facts == {"malformed": True}


def test_file_over_a_limit_was_not_checked() -> None:
    verdict = judge(envelope(*[signature(key(1), PAYLOAD)] * 33, payload=PAYLOAD))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "32" in verdict.reasons[0]


def test_file_without_a_key() -> None:
    verdict = judge(one(), keys=[])
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "No key" in verdict.reasons[0]


def test_file_by_another_key() -> None:
    verdict = judge(one(), keys=[TWO])
    assert verdict.outcome is Outcome.REFUTED
    assert verdict.facts["signers"] == []


def test_file_verified() -> None:
    verdict = judge(one(), keys=[TWO, ONE])
    assert verdict.outcome is Outcome.VERIFIED
    assert verdict.reasons == ("The envelope is signed by a given key.",)
    assert verdict.facts == {
        "verified_at": "1970-01-01T00:00:00.000000Z",
        "payload_type": dsse.INTOTO_PAYLOAD_TYPE,
        "statement": "sha256:" + hashlib.sha256(PAYLOAD).hexdigest(),
        "signatures": [{"keyid": ONE.key_id, "outcome": "verified", "key_id": ONE.key_id}],
        "signers": [ONE.key_id],
        "predicate_type": "https://slsa.dev/provenance/v1",
        "subjects": [{"name": "model.bin", "digest": {"sha256": DIGEST}}],
    }
    assert json.dumps(verdict.facts)


def test_file_with_many_keys_has_no_limit_of_trials() -> None:
    assert judge(one(), keys=[*STRANGERS, ONE]).outcome is Outcome.VERIFIED


def test_file_with_a_bad_signature_beside_a_good_one() -> None:
    bad = {"keyid": TWO.key_id, "sig": signature(key(3), PAYLOAD)["sig"]}
    data = envelope(bad, signature(key(1), PAYLOAD), payload=PAYLOAD)
    verdict = judge(data, keys=[ONE, TWO])
    assert verdict.outcome is Outcome.VERIFIED
    assert verdict.reasons[1] == "1 further signatures name a given key and fail under it."


@pytest.mark.parametrize(
    ("artifact", "outcome"),
    [
        ({"sha256": DIGEST}, Outcome.VERIFIED),
        ({"sha256": "cd" * 32}, Outcome.REFUTED),
        ({"sha512": "ab" * 64}, Outcome.INCONCLUSIVE),
        ({}, Outcome.INCONCLUSIVE),
    ],
)
def test_file_and_artifact(artifact: dict[str, str], outcome: Outcome) -> None:
    verdict = judge(one(), artifact=artifact)
    assert verdict.outcome is outcome
    assert verdict.facts["matched"] == (["model.bin"] if outcome is Outcome.VERIFIED else [])


def test_file_of_another_payload_type() -> None:
    data = one(b"hello", "text/plain")
    assert judge(data).outcome is Outcome.VERIFIED
    assert "was not read" in judge(data).reasons[0]
    assert judge(data, artifact={"sha256": DIGEST}).outcome is Outcome.INCONCLUSIVE


def test_file_signed_but_no_statement() -> None:
    verdict = judge(one(b"{}"))
    assert verdict.outcome is Outcome.REFUTED
    assert verdict.facts["malformed"] is True
    many = [{"name": "x", "digest": {"sha256": DIGEST}}] * 20_001
    assert judge(one(statement(subject=many))).outcome is Outcome.INCONCLUSIVE


def test_import_is_light() -> None:
    """The command line starts with it: no Django, no certificates, no network."""
    code = "import sys; import lineage.trust.verify; print(*sys.modules)"
    loaded = set(
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, check=True, text=True
        ).stdout.split()
    )
    assert "lineage.trust.keys" in loaded
    assert not loaded & {
        "django",
        "cryptography.x509",
        "urllib3",
        "socket",
        "ssl",
        "asyncio",
        "http",
        "logging",
    }


def test_a_bad_signature_that_names_a_key_does_not_use_up_the_trials_of_a_good_one() -> None:
    ring = [*STRANGERS, TWO, ONE]
    bad = {"keyid": TWO.key_id, "sig": signature(key(3), PAYLOAD)["sig"]}
    good = {"keyid": "unknown", "sig": signature(key(1), PAYLOAD)["sig"]}
    parsed = dsse.parse(envelope(bad, good, payload=PAYLOAD))

    def candidates(hint: str) -> list[PublicKey]:
        return [k for k in ring if hint in k.hints] or ring

    found = verify_envelope(parsed, candidates, max_trials=len(ring) + 1)
    assert [k.key_id for k in found.verified] == [ONE.key_id]
    assert [outcome.outcome for outcome in found.outcomes] == ["refuted", "verified"]
