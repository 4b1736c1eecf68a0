"""Who signed by certificate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lineage.trust.opened import Opened
from lineage.trust.roots import Root


@dataclass(frozen=True, slots=True)
class Certified:
    """A certificate whose key made a signature."""

    key_id: str
    issuer: str
    subject: str
    root_id: str
    valid_from_us: int
    valid_to_us: int
    proved_us: int | None
    proved_by: str


@dataclass(frozen=True, slots=True)
class CertificateFindings:
    """What came of the certificates, in sentences where they stand for nobody."""

    certified: tuple[Certified, ...]
    refuted: tuple[str, ...]
    inconclusive: tuple[str, ...]


def certified(opened: Opened, roots: Sequence[Root]) -> CertificateFindings:
    return CertificateFindings((), (), ("can't be checked yet",) if roots and opened.data else ())
