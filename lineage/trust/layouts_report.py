"""What came of a layout, step by step: values that a page shows and a signed summary carries.

Owns: their form, and its JSON. Every text in it is plain words; what strangers wrote is cut and printable.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from lineage.trust.layouts_rules import RuleReport
from lineage.trust.verify import Outcome


@dataclass(frozen=True, slots=True)
class LinkReport:
    """One piece of evidence for a step.

    Attributes:
        digest: hex SHA-256 of the bytes as received.
        name: how it was handed in: a file's name, or its entry in the log.
        signers: names of the step's functionaries that signed it.
        used: whether the verdict on the step rests on it.
        said: a sentence: why it counts or does not.
    """

    digest: str
    name: str
    signers: tuple[str, ...]
    used: bool
    said: str


@dataclass(frozen=True, slots=True)
class StepReport:
    """`threshold` functionaries were needed, `signers` agreed; what rules came to, where they were reached.

    `sublayouts` are those of functionaries who had others do the step, each with steps of its own.
    """

    name: str
    threshold: int
    signers: int
    outcome: Outcome
    said: str
    links: tuple[LinkReport, ...] = ()
    materials: tuple[RuleReport, ...] = ()
    products: tuple[RuleReport, ...] = ()
    notes: tuple[str, ...] = ()
    sublayouts: tuple[Report, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """The verdict on one layout. `layout` is the hex SHA-256 of its bytes, `expires` as it writes it."""

    outcome: Outcome
    reasons: tuple[str, ...]
    layout: str
    expires: str = ""
    steps: tuple[StepReport, ...] = field(default=())

    def used(self) -> tuple[str, ...]:
        """Digests (hex) of the evidence that the verdict rests on, sublayouts' too, each once."""
        found = [link.digest for step in self.steps for link in step.links if link.used]
        found += [d for step in self.steps for below in step.sublayouts for d in below.used()]
        return tuple(dict.fromkeys(found))


def to_json(report: Report) -> dict[str, Any]:
    """As JSON values."""
    built: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(report))
    return built
