"""Certificates inside envelopes: nobody is certified for what nobody signed, and by no other root."""

from __future__ import annotations

from functools import cache

from lineage.trust import roots
from lineage.trust.certified import certified
from lineage.trust.opened import open_signed
from tests.fuzz import seeds
from tests.fuzz.target import REFUSALS, Target


@cache
def known() -> roots.Root:
    return roots.load("x509", seeds.chain()[1].encode())


def run(data: bytes) -> bool:
    try:
        opened = open_signed(data)
        found = certified(opened, (known(),))
    except REFUSALS:
        return False
    if found.certified:
        signed = (opened.envelope.payload_type, opened.envelope.payload)
        assert signed in seeds.SIGNED, "certified, though nobody signed it"
    for one in found.certified:
        assert (one.key_id, one.subject) == (seeds.KEYS[1].public.key_id, "signer@example.com")
        assert one.root_id == known().root_id
        assert one.valid_from_us <= one.valid_to_us
    return True


def made() -> tuple[bytes, ...]:
    return seeds.certified_envelope(), *seeds.bundles()[:2]


TARGET = Target(
    name="certificate-chain",
    run=run,
    seeds=made,
    vectors=("dsse", "sigstore"),
)
