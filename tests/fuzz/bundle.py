"""Sigstore bundles: the envelope inside, and what a bundle of no known root may never prove."""

from __future__ import annotations

from functools import cache

from lineage.trust import roots
from lineage.trust.certified import certified
from lineage.trust.opened import open_signed
from tests.fuzz import envelope, seeds
from tests.fuzz.target import REFUSALS, Target, strict_json


@cache
def stranger() -> roots.Root:
    """A root that issued none of the certificates of the seeds, nor of the vectors."""
    return roots.load("x509", seeds.other_authority().encode())


def run(data: bytes) -> bool:
    try:
        opened = open_signed(data)
        found = certified(opened, (stranger(),))
    except REFUSALS:
        return False
    told = strict_json(data)
    envelope.same_document(opened.envelope, told if opened.bundle is None else told["dsseEnvelope"])
    envelope.nothing_forged(opened.envelope)
    if opened.bundle is not None:
        assert opened.bundle == data
        assert told["mediaType"].startswith("application/vnd.dev.sigstore.bundle")
    assert found.certified == (), "certified by a root that issued nothing"
    return True


TARGET = Target(
    name="bundle",
    run=run,
    seeds=seeds.bundles,
    vectors=("sigstore", "slsa"),
)
