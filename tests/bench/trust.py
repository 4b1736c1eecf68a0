"""Verification beside the cryptography that it can't do without: ratios of CPU time, best of many rounds.

Needs the third-party vectors for Sigstore (`LINEAGE_VECTORS`); without them that row says so.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from lineage.trust import certified, dsse, roots, verify
from lineage.trust.keys import PrivateKey, generate_ed25519, load_private
from lineage.trust.opened import open_signed
from lineage.trust.policy import Claimed, KeyRing, Registration, Scopes

DEFAULT = Path(__file__).parents[3] / "shared" / "vectors"
KEYS = 10_000
TRIES, ROUNDS = 100, 21
STATEMENT = b'{"_type": "https://in-toto.io/Statement/v1", "subject": []}' + b" " * 3000


class Table(Protocol):
    def add(self, name: str, value: float, unit: str, note: str = "") -> None: ...


def measure(table: Table) -> None:
    """Print each figure, its note a ratio to what is bare."""
    for name, key in _keys().items():
        _public_key(table, name, key)
    _scopes(table)
    _bundle(table)


def _best(function: Callable[[], object], tries: int = TRIES) -> float:
    """Microseconds of one call: the best round of several."""
    return _beside(tries, function)[0]


def _beside(tries: int, *functions: Callable[[], object]) -> list[float]:
    """Microseconds of one call of each, CPU time of this thread: the best of rounds that take turns."""
    rounds: list[list[float]] = [[] for _ in functions]
    for function in functions:
        function()
    for _ in range(ROUNDS):
        for function, found in zip(functions, rounds, strict=True):
            begin = time.thread_time()
            for _ in range(tries):
                function()
            found.append((time.thread_time() - begin) / tries * 1e6)
    return [min(found) for found in rounds]


def _keys() -> dict[str, PrivateKey]:
    def pem(native: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
        form = serialization.PrivateFormat.PKCS8
        return native.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())

    return {
        "Ed25519": generate_ed25519(),
        "ECDSA P-256": load_private(pem(ec.generate_private_key(ec.SECP256R1()))),
        "RSA-PSS 3072": load_private(pem(rsa.generate_private_key(65537, 3072))),
    }


def _bare(key: PrivateKey, message: bytes, signature: bytes) -> Callable[[], object]:
    native = serialization.load_der_public_key(key.public.spki)
    if isinstance(native, ed25519.Ed25519PublicKey):
        return lambda: native.verify(signature, message)
    if isinstance(native, ec.EllipticCurvePublicKey):
        return lambda: native.verify(signature, message, ec.ECDSA(hashes.SHA256()))
    assert isinstance(native, rsa.RSAPublicKey)
    scheme = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.AUTO)
    return lambda: native.verify(signature, message, scheme, hashes.SHA256())


def _public_key(table: Table, name: str, key: PrivateKey) -> None:
    envelope = dsse.parse(dsse.sign(dsse.INTOTO_PAYLOAD_TYPE, STATEMENT, key))
    ring = _ring([key])
    message = dsse.pae(envelope.payload_type, envelope.payload)
    bare, ours = _beside(
        TRIES,
        _bare(key, message, envelope.signatures[0].sig),
        lambda: verify.verify_envelope(envelope, ring.candidates),
    )
    table.add(f"trust: {name}, bare", bare, "µs")
    table.add("  an envelope by the key ring", ours, "µs", f"{ours / bare:.2f} of bare")


def _ring(keys: list[PrivateKey]) -> KeyRing:
    scopes = Scopes(predicate_types=("https://slsa.dev/provenance/v1",), subjects=("models/*",))
    found = {
        key.public.key_id: Registration(key.public, "key", scopes, None, None, place, place)
        for place, key in enumerate(keys)
    }
    ring = KeyRing(keys=MappingProxyType(found), policy_index=len(keys))
    ring.candidates("")
    ring.revoked_from("")
    return ring


def _scopes(table: Table) -> None:
    keys = [generate_ed25519() for _ in range(KEYS)]
    key = keys[KEYS // 2]
    small, large = _ring([key]), _ring(keys)
    claimed = Claimed("https://slsa.dev/provenance/v1", ("models/churn",))
    key_id = key.public.key_id

    def judged(ring: KeyRing) -> Callable[[], object]:
        return lambda: (ring.candidates(key_id), ring.in_force(key_id, 1), ring.may(key_id, claimed))

    one, many = _beside(3000, judged(small), judged(large))
    table.add("trust: who may say it, one key", one, "µs")
    table.add(f"  of {KEYS:,} keys", many, "µs", f"{many - one:+.2f} µs")
    data = json.loads(dsse.sign(dsse.INTOTO_PAYLOAD_TYPE, STATEMENT, key))
    data["signatures"][0]["keyid"] = ""
    envelope = dsse.parse(json.dumps(data).encode())
    unnamed = _best(lambda: verify.verify_envelope(envelope, large.candidates), 3)
    table.add(f"  an envelope without key id, {KEYS:,} keys", unnamed, "µs", f"{verify.MAX_TRIALS} trials")


def _bundle(table: Table) -> None:
    home = Path(os.environ.get("LINEAGE_VECTORS") or DEFAULT) / "slsa"
    file = home / "valid-v0.3.intoto.sigstore"
    if not file.exists():
        print(f"trust: a Sigstore bundle: skipped, no vectors at {home} (LINEAGE_VECTORS)")
        return
    root = roots.load("sigstore", (home / "roots" / "public-good.json").read_bytes())
    data = file.read_bytes()
    taken = _best(lambda: certified.certified(open_signed(data), [root]), 30)
    table.add("trust: a Sigstore bundle", taken / 1000, "ms")
