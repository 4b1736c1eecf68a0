"""Statuses, their reasons, and how findings become the pieces of a timeline.

Owns: the four statuses and their precedence, the reason slugs, the merging along time. Pure. Does not
own: which finding a node has (`status`, `status_copies`) or where pieces are kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise

import msgspec

BEGINNING_US = 0
"""Where the first piece of every timeline starts: microseconds since the epoch, UTC, like all times here."""

FOREVER_US = 2**63 - 1
"""Where the last piece ends. It fits a signed 64-bit column; no log time reaches it."""


class Status(StrEnum):
    FAILED = "failed"
    EXPIRED = "expired"
    UNVERIFIED = "unverified"
    VERIFIED = "verified"


PRECEDENCE = (Status.FAILED, Status.EXPIRED, Status.UNVERIFIED, Status.VERIFIED)
"""The first of these that any finding has is the status."""


class Reason(StrEnum):
    """Why a status is not `verified`: what can be found so far."""

    COPY_MISMATCH = "copy-mismatch"
    UNSAFE_FORMAT = "unsafe-format"
    CHECK_OVERDUE = "check-overdue"
    NO_ATTESTATION = "no-attestation"
    OBSERVED_ONLY = "observed-only"
    SIGNER_REVOKED = "signer-revoked"
    STATEMENT_WITHDRAWN = "statement-withdrawn"
    NEVER_CHECKED = "never-checked"
    INCONCLUSIVE = "inconclusive"
    URI_ONLY = "uri-only"
    CONTESTED_ORIGIN = "contested-origin"
    INPUT_UNDIGESTED = "input-undigested"
    OBSERVED_DIFFERS = "observed-differs"
    ASSERTED_ONLY = "asserted-only"
    NO_EVIDENCE = "no-evidence"
    NOT_YET_VALID = "not-yet-valid"
    KEY_ENDED = "key-ended"
    KEY_COMPROMISED = "key-compromised"


class Finding(msgspec.Struct, frozen=True):
    """One thing that keeps a node from `verified` while `from_us <= t < until_us`.

    A struct, because every node that an entry touches has some made.
    """

    status: Status
    reason: str
    from_us: int = BEGINNING_US
    until_us: int = FOREVER_US


class Piece(msgspec.Struct, frozen=True):
    """The status that holds while `from_us <= t < until_us`; `reasons` sorted, empty when verified."""

    status: Status
    reasons: tuple[str, ...]
    from_us: int = BEGINNING_US
    until_us: int = FOREVER_US


VERIFIED_ALWAYS = (Piece(Status.VERIFIED, ()),)


def timeline(findings: Iterable[Finding]) -> tuple[Piece, ...]:
    """The pieces that findings make: without gap or overlap from BEGINNING_US to FOREVER_US, in order.

    In each piece the status is the first of PRECEDENCE that a finding of that time has (`verified`
    without any), with all reasons of that status and none of the others. Neighbours differ.
    """
    found = tuple(findings)
    return _pieces(found) if found else VERIFIED_ALWAYS


@lru_cache(4096)
def _pieces(findings: tuple[Finding, ...]) -> tuple[Piece, ...]:
    """Remembered, because most nodes of a graph have one of a dozen, which hold at any time."""
    found = [finding for finding in findings if finding.from_us < finding.until_us]
    bounds = {BEGINNING_US, FOREVER_US}
    for finding in found:
        bounds.add(max(finding.from_us, BEGINNING_US))
        bounds.add(min(finding.until_us, FOREVER_US))
    edges = sorted(bounds)
    pieces: list[Piece] = []
    for start, end in pairwise(edges):
        status, reasons = _winner(
            [(f.status, f.reason) for f in found if f.from_us <= start and end <= f.until_us]
        )
        same = pieces and (pieces[-1].status, pieces[-1].reasons) == (status, reasons)
        pieces.append(Piece(status, reasons, pieces.pop().from_us if same else start, end))
    return tuple(pieces)


def _winner(findings: Iterable[tuple[Status, str]]) -> tuple[Status, tuple[str, ...]]:
    for status in PRECEDENCE:
        reasons = {reason for found, reason in findings if found is status}
        if reasons:
            return status, tuple(sorted(reasons))
    return Status.VERIFIED, ()


def at(pieces: Iterable[Piece], t: int) -> Piece:
    """The piece that holds at `t` microseconds since the epoch; the first one for an earlier `t`."""
    chosen = None
    for piece in pieces:
        if chosen is None or piece.from_us <= t:
            chosen = piece
    if chosen is None:
        raise ValueError("a timeline has at least one piece")
    return chosen
