"""Sigstore bundles of which one part can't be read: the answer is a verdict, and never verified."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lineage.trust import roots
from lineage.trust.certified import certified
from lineage.trust.opened import open_signed
from lineage.trust.verify import Outcome
from lineage.trust.verify_file import Given, verify_file

FAMILY = "sigstore"
ISSUER = bytes.fromhex("060a2b0601040183bf300101")
OTHER = bytes.fromhex("060a2b0601040183bf300102")
VERSION = (b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x0a")

Change = Callable[[bytes], bytes]
CERTIFICATE: dict[str, Change] = {
    "an extension twice": lambda der: der.replace(OTHER, ISSUER),
    "a version that there is not": lambda der: der.replace(*VERSION),
    "an early end": lambda der: der[:-1],
    "nothing": lambda der: b"",
}
TIMESTAMP: dict[str, Change] = {
    "no response": lambda der: b"\x30\x00",
    "a certificate in it": lambda der: der.replace(*VERSION),
    "an early end": lambda der: der[:-1],
    "nothing": lambda der: b"",
}


def changed(holder: dict[str, Any], member: str, change: Change) -> None:
    old = base64.b64decode(holder[member])
    assert change(old) != old
    holder[member] = base64.b64encode(change(old)).decode()


def judged(vectors: Path, bundle: dict[str, Any], root: str) -> Outcome:
    digest = hashlib.sha256((vectors / "a.txt").read_bytes()).hexdigest()
    known = roots.load("sigstore", (vectors / root).read_bytes())
    given = Given(at_us=0, roots=(known,), identity="*", artifact={"sha256": digest})
    return verify_file(json.dumps(bundle).encode(), given).outcome


@pytest.mark.parametrize("why", CERTIFICATE)
@pytest.mark.parametrize("name", ["happy-path-v0.3", "rekor2-happy-path"])
def test_a_certificate(vectors: Path, name: str, why: str) -> None:
    bundle = json.loads((vectors / f"{name}.sigstore.json").read_text())
    root = "roots/rekor2-staging.json" if "rekor2" in name else "roots/public-good.json"
    assert judged(vectors, bundle, root) is Outcome.VERIFIED
    changed(bundle["verificationMaterial"]["certificate"], "rawBytes", CERTIFICATE[why])
    assert judged(vectors, bundle, root) is not Outcome.VERIFIED


@pytest.mark.parametrize("why", TIMESTAMP)
def test_a_timestamp(vectors: Path, why: str) -> None:
    name = "rekor2-timestamp-with-embedded-cert.sigstore.json"
    bundle = json.loads((vectors / name).read_text())
    (stamp,) = bundle["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"]
    changed(stamp, "signedTimestamp", TIMESTAMP[why])
    assert judged(vectors, bundle, "roots/rekor2-staging.json") is not Outcome.VERIFIED


def test_a_timestamp_changes_nothing_where_a_log_s_promise_proves_the_time(vectors: Path) -> None:
    bundle = json.loads((vectors / "intoto-with-custom-trust-root.sigstore.json").read_text())
    root = vectors / "roots" / "intoto-expired-certificate_fail.json"
    known = roots.load("sigstore", root.read_bytes())
    before = certified(open_signed(json.dumps(bundle).encode()), [known])
    assert [each.proved_by for each in before.certified] == ["rekor"]
    (stamp,) = bundle["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"]
    changed(stamp, "signedTimestamp", TIMESTAMP["no response"])
    assert certified(open_signed(json.dumps(bundle).encode()), [known]) == before
