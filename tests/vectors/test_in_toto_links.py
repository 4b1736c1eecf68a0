"""Classic links and layouts that others signed: whose signature it is, and which file is a product."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import load_pem_public_key
from in_toto.exceptions import SignatureVerificationError
from in_toto.models.metadata import Metablock
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer._key import SSlibKey

from lineage.trust.keys import PublicKey, load_public
from lineage.trust.verify import Outcome, Verdict
from lineage.trust.verify_file import Given, verify_file
from tests.vectors import opinions

FAMILY = "in-toto"
SIGNED = (".link", ".layout")
APPLIES = {
    "test_verdict": lambda case: case["file"].endswith(SIGNED),
    "test_second_opinion": lambda case: case["file"].endswith(".link") and "keys" in case,
    "test_the_final_product_is_the_last_step_s": lambda case: case["file"].endswith(".tar.gz"),
}
DIFFERS: dict[str, str] = {}


def keys(vectors: Path, case: dict[str, Any]) -> tuple[PublicKey, ...]:
    names = case.get("keys") or ()
    found = [load_public((vectors / name).read_bytes()) for name in names]
    if "key_from" in case:
        file, pointer = case["key_from"].split(" ")
        layout = json.loads((vectors / file).read_text())
        start = pointer.rsplit("/", 1)[1].rstrip("*")
        found += [
            load_public(value["keyval"]["public"].encode())
            for key_id, value in layout["signed"]["keys"].items()
            if key_id.startswith(start)
        ]
    return tuple(found)


def judged(vectors: Path, case: dict[str, Any], artifact: dict[str, str] | None = None) -> Verdict:
    data = (vectors / case["file"]).read_bytes()
    return verify_file(data, Given(at_us=0, keys=keys(vectors, case), artifact=artifact))


def test_verdict(vectors: Path, case: dict[str, Any]) -> None:
    """Whether a layout has expired is for whoever checks a supply chain by it (test_in_toto_layouts)."""
    verdict = judged(vectors, case)
    if not case.get("keys") and "key_from" not in case:
        assert verdict.outcome is not Outcome.VERIFIED
    else:
        assert verdict.outcome.value == case["expect"], verdict.reasons


def second_opinion(vectors: Path, case: dict[str, Any]) -> str:
    metadata = Metablock.load(str(vectors / case["file"]))
    theirs = opinions.REFUSED
    for name in case["keys"]:
        key = SSlibKey.from_crypto(load_pem_public_key((vectors / name).read_bytes())).to_dict()
        for signature in metadata.signatures:
            try:
                metadata.verify_signature(key | {"keyid": signature["keyid"]})
            except (SignatureVerificationError, VerificationError):
                continue
            theirs = opinions.VERIFIED
    return theirs


def test_second_opinion(vectors: Path, case: dict[str, Any]) -> None:
    theirs = second_opinion(vectors, case)
    opinions.explain(case, opinions.of(judged(vectors, case)), theirs, DIFFERS)


def test_the_final_product_is_the_last_step_s(vectors: Path, case: dict[str, Any]) -> None:
    digest = hashlib.sha256((vectors / case["file"]).read_bytes()).hexdigest()
    link = {"file": "demo/package.2f89b927.link", "keys": ["demo/carl.pub"]}
    assert judged(vectors, link, {"sha256": digest}).outcome is Outcome.VERIFIED
    assert judged(vectors, link, {"sha256": "0" * 64}).outcome is Outcome.REFUTED
