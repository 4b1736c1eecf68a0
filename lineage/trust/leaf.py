"""The bytes of a log entry's leaf, and the one form of time that the log writes.

Changing anything here costs a new log. Does not own: hashing the leaf (`merkle`), storing entries.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import msgspec

from lineage.errors import MalformedError

HEADER = "lineage-entry/v1"
KINDS = ("attestation", "observation", "decision")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UTC_EPOCH = datetime(1970, 1, 1)  # says no offset when it is written
_MICROSECOND = timedelta(microseconds=1)
_EARLIEST_US = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
_LATEST_US = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
_HEX64 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_DIGESTS = re.compile(r"[0-9a-f]{64}(?:,[0-9a-f]{64}){2,}", re.ASCII)
_INDEX = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]+))?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})",
    re.ASCII,
)


def rfc3339(us: int) -> str:
    """Microseconds since the epoch as RFC 3339 in UTC, always six decimals and `Z`.

    Raises:
        OverflowError: outside the years 1 to 9999.
    """
    return f"{_second(us // 1_000_000)}.{us % 1_000_000:06}Z"


@lru_cache(1024)
def _second(seconds: int) -> str:
    """The same without decimals and offset. Entries of one second are many."""
    # Half of what `strftime` takes, and its years have four digits everywhere.
    return (_UTC_EPOCH + timedelta(seconds=seconds)).isoformat()


def parse_rfc3339(text: str) -> int:
    """Microseconds since the epoch, UTC. Any offset and number of decimals; what is finer is cut off.

    Raises:
        MalformedError: not an RFC 3339 date and time, without an offset, or outside the years 1 to 9999 once
            it is UTC, where `rfc3339` could not write it. Leap seconds are refused.
    Source: RFC 3339 section 5.6.
    """
    found = _TIME.fullmatch(text)
    if not found:
        raise MalformedError("This is not a date and time with an offset, as in 2026-01-31T12:00:00Z.")
    date, clock, fraction, offset = found.groups()
    try:
        moment = datetime.fromisoformat(f"{date}T{clock}{'+00:00' if offset in 'Zz' else offset}")
        whole = (moment - _EPOCH) // _MICROSECOND
    except (ValueError, OverflowError):
        raise MalformedError("There is no such date and time.") from None
    us = whole + int((fraction or "0")[:6].ljust(6, "0"))
    if not _EARLIEST_US <= us <= _LATEST_US:
        raise MalformedError("This time is outside the years 1 to 9999.")
    return us


class Leaf(msgspec.Struct, frozen=True, gc=False):
    """What the log commits to for one entry.

    Attributes:
        kind: attestation, observation or decision.
        envelope_digest: hex SHA-256 of the envelope's bytes.
        statement_digest: hex SHA-256 of the verified payload.
        received_us: microseconds since the epoch, UTC.
        key_ids: every key that mathematically verified, sorted, at least one.
        policy_index: the newest earlier decision about keys or policy; -1 in entry 0 alone.
    """

    kind: str
    envelope_digest: str
    statement_digest: str
    received_us: int
    key_ids: tuple[str, ...]
    policy_index: int

    def __post_init__(self) -> None:
        """Raises MalformedError where a field could not stand in a leaf."""
        if self.kind not in KINDS:
            raise MalformedError(f"A leaf's kind is one of {', '.join(KINDS)}.", where="line 2")
        # All at once: this runs for each entry that is appended, audited or proved.
        digests = ",".join((self.envelope_digest, self.statement_digest, *self.key_ids))
        if len(digests) != 65 * len(self.key_ids) + 129 or not _DIGESTS.fullmatch(digests):
            raise self._not_digests()
        if len(self.key_ids) > 1 and list(self.key_ids) != sorted(set(self.key_ids)):
            raise MalformedError("A leaf's keys are sorted, and each is named once.", where="line 6")
        if self.policy_index < -1:
            raise MalformedError("A leaf's policy index is an entry's index.", where="line 7")

    def _not_digests(self) -> MalformedError:
        if not _HEX64.fullmatch(self.envelope_digest):
            return MalformedError("The envelope's digest is not lowercase hex SHA-256.", where="line 3")
        if not _HEX64.fullmatch(self.statement_digest):
            return MalformedError("The statement's digest is not lowercase hex SHA-256.", where="line 4")
        return MalformedError("A leaf names at least one key, each in lowercase hex.", where="line 6")

    def encode(self) -> bytes:
        """Exactly seven lines, UTF-8, each ended by one newline."""
        return (
            f"{HEADER}\n{self.kind}\nsha256:{self.envelope_digest}\nsha256:{self.statement_digest}\n"
            f"{rfc3339(self.received_us)}\n{','.join(self.key_ids)}\n"
            f"{'-' if self.policy_index < 0 else self.policy_index}\n"
        ).encode("ascii")


def parse(data: bytes) -> Leaf:
    """The reverse of `Leaf.encode`, for exactly the bytes that it writes.

    Raises:
        MalformedError: any other bytes, even where they would mean the same.
    """
    try:
        lines = data.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise MalformedError("A leaf is ASCII text.") from None
    if len(lines) != 8 or lines[7] or lines[0] != HEADER:
        raise MalformedError(f"A leaf is seven lines that begin with {HEADER}.")
    _, kind, envelope, statement, received, keys, policy, _ = lines
    if policy != "-" and not _INDEX.fullmatch(policy):
        raise MalformedError("A leaf's policy index is an entry's index.", where="line 7")
    leaf = Leaf(
        kind,
        envelope.removeprefix("sha256:"),
        statement.removeprefix("sha256:"),
        parse_rfc3339(received),
        tuple(keys.split(",")),
        -1 if policy == "-" else int(policy),
    )
    if leaf.encode() != data:
        raise MalformedError("The leaf is not in its one form.")
    return leaf
