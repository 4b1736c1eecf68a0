"""A check policy in words that an officer can repeat.

Owns wording only. What a policy is and whose rule is whose: `graph.check_policy`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lineage.graph.check_policy import (
    CONTENT,
    FULL,
    LEVELS,
    QUICK,
    CheckPolicy,
    Limits,
    Rule,
    Schedule,
    period,
)

METHODS: Mapping[str, str] = {
    QUICK: "some of its recorded shards are read and compared",
    CONTENT: "all of its bytes are read and compared by BLAKE3",
    FULL: "the digest that names it is computed again",
}
"""What each method does to a copy."""
_UNITS = {"m": "minute", "h": "hour", "d": "day"}


def every(seconds: int) -> str:
    """`every day`, `every 12 hours`."""
    text = period(seconds)
    count, unit = int(text[:-1]), _UNITS[text[-1]]
    return f"every {unit}" if count == 1 else f"every {count} {unit}s"


def schedule(asked: Schedule) -> list[str]:
    """A sentence for each method that is asked for, the strongest first."""
    return [f"{every(seconds).capitalize()}, {METHODS[method]}." for method, seconds in asked.items()]


def condition(rule: Rule) -> str:
    """Which copies a rule is for."""
    if not (rule.roles or rule.levels or rule.locations):
        return "every copy"
    told = "copies"
    if rule.roles or rule.levels:
        told += " of artifacts"
    if rule.roles:
        told += f" with the role {_either(sorted(rule.roles))}"
    if rule.levels:
        told += f" that are {_either(sorted(rule.levels, key=LEVELS.index))}"
    return f"{told} under {_either(rule.locations)}" if rule.locations else told


def limits(found: Limits) -> list[str]:
    """How gently a storage is read; nothing where there is no limit."""
    told = []
    if found.bytes_per_second:
        told.append(f"at most {found.bytes_per_second:,} bytes a second")
    if found.concurrency:
        told.append(
            "one check at a time" if found.concurrency == 1 else f"{found.concurrency} checks at a time"
        )
    told += [f"no checks from {_clock(start)} to {_clock(end)} UTC" for start, end in found.quiet]
    return told


def of_storage(policy: CheckPolicy, uri: str) -> list[str]:
    """The limits of the storage at `uri`."""
    return limits(policy.limits_of(uri))


def _either(values: Sequence[str]) -> str:
    return " or ".join(values)


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
