"""Signed layouts, and links as evidence: no verdict but for what the owner signed, and never an exception."""

from __future__ import annotations

from functools import cache

from lineage.trust import layouts_metadata
from lineage.trust.layouts import Evidence, verify_layout
from lineage.trust.verify import Outcome
from tests import layouts
from tests.fuzz.target import REFUSALS, Target, strict_json


@cache
def signed() -> frozenset[bytes]:
    """The messages that the owner of the layouts signed."""
    return frozenset(layouts_metadata.read(data).message for data in made()[:2])


def run(data: bytes) -> bool:
    try:
        metadata = layouts_metadata.read(data)
    except REFUSALS:
        return False
    finally:
        report = verify_layout(data, [layouts.key("owner").public], links(), layouts.ARTIFACT, layouts.NOW_US)
        if report.outcome is Outcome.VERIFIED:
            assert layouts_metadata.read(data).message in signed(), "verified, though the owner signed it not"
    strict_json(data)
    # The same bytes as a link: it may count for a step, but brings no verdict that was not there without it.
    with_it = [*links(), *layouts.evidence(data)]
    owner, layout = [layouts.key("owner").public], made()[0]
    outcome = verify_layout(layout, owner, with_it, layouts.ARTIFACT, layouts.NOW_US).outcome
    assert outcome is Outcome.VERIFIED, "one more link took a verdict back"
    alone = verify_layout(layout, owner, layouts.evidence(data), layouts.ARTIFACT, layouts.NOW_US).outcome
    assert alone is not Outcome.VERIFIED, "one link made two steps"
    return metadata.kind in {"link", "layout"}


@cache
def _good() -> tuple[bytes, ...]:
    return layouts.metablock(layouts.CODE, "bob"), layouts.metablock(layouts.PACKED, "carl")


def links() -> list[Evidence]:
    return layouts.evidence(*_good())


@cache
def made() -> tuple[bytes, ...]:
    asked = layouts.two_steps()
    return layouts.metablock(asked, "owner"), layouts.enveloped(asked, "owner"), *_good()


TARGET = Target(name="layout", run=run, seeds=made, vectors=("in-toto",), inputs=500)
