"""When copies are to be checked, and how thoroughly: what a `check-policy` decision says.

Owns: the policy's form, which rule is whose, when a match has aged out and when the next check is due. Pure.
Does not own: adopting one (`services.decide_checks`), or checking (`services.reverify`).

Three methods, each proving more than the one before: `quick` reads some of the recorded shards, `content`
reads all bytes and compares their BLAKE3, `full` computes the digest that names the artifact.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import msgspec

from lineage.errors import MalformedError
from lineage.graph.locations import Root, root_of
from lineage.trust import strictjson

ACTION = "check-policy"
QUICK, CONTENT, FULL = "quick", "content", "full"
METHODS = (QUICK, CONTENT, FULL)
STRENGTH: Mapping[str, int] = {QUICK: 1, CONTENT: 2, FULL: 3}
LEVELS = ("critical", "high", "normal", "low")
"""How critical an artifact is, as an officer decided; `normal` where nobody did."""

NEVER_US = 0
SECOND_US = 1_000_000
MAX_RULES = 100
MAX_LIMITS = 100
LEAST_BYTES_PER_SECOND = 65_536
"""Slower, and a model would take longer to be read than its match counts."""
_DAY_MINUTES = 1440
_UNITS = {"m": 60, "h": 3600, "d": 86_400}
_PERIOD = re.compile(r"([1-9][0-9]{0,5})([mhd])")
_HOURS = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9])")
LONGEST_SECONDS = 10 * 366 * 86_400
DUE_AT = 0.8
"""Share of a period after which the next check is due: what is due then is done before it is overdue."""
JITTER = 0.1
"""Share of a period by which checks are due earlier, each copy by its own: not all are due at once."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Seconds within which a copy must have matched by each method or a stronger one; None: not asked for."""

    quick: int | None = None
    content: int | None = None
    full: int | None = 7 * 86_400

    def items(self) -> list[tuple[str, int]]:
        """(method, seconds) of what is asked for, the strongest first."""
        found = [(FULL, self.full), (CONTENT, self.content), (QUICK, self.quick)]
        return [(method, seconds) for method, seconds in found if seconds is not None]


@dataclass(frozen=True, slots=True)
class Rule:
    """Which copies it is for: all given conditions must hold; empty ones always do."""

    name: str
    schedule: Schedule
    roles: frozenset[str] = frozenset()
    levels: frozenset[str] = frozenset()
    locations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """How gently a storage is read: bytes a second and checks at a time (None: no limit), hours without any.

    `quiet` are pairs of minutes of the day, UTC; the second may be smaller: then it is of the next day.
    """

    location: str
    bytes_per_second: int | None = None
    concurrency: int | None = None
    quiet: tuple[tuple[int, int], ...] = ()

    def is_quiet(self, at_us: int) -> bool:
        minute = at_us // (60 * SECOND_US) % _DAY_MINUTES
        return any(
            start <= minute < end if start < end else minute >= start or minute < end
            for start, end in self.quiet
        )


@dataclass(frozen=True, slots=True)
class CheckPolicy:
    """The first rule that fits a copy is its; `default` where none does."""

    default: Schedule = field(default_factory=Schedule)
    rules: tuple[Rule, ...] = ()
    limits: tuple[Limits, ...] = ()

    def schedule(self, location: str, roles: Collection[str], level: str) -> Schedule:
        for rule in self.rules:
            if (
                (not rule.roles or not rule.roles.isdisjoint(roles))
                and (not rule.levels or level in rule.levels)
                and (not rule.locations or _under(location, rule.locations))
            ):
                return rule.schedule
        return self.default

    def limits_of(self, location: str) -> Limits:
        """Of a storage, by its URI; the first that covers it."""
        return next((each for each in self.limits if _under(location, (each.location,))), Limits(location))


DEFAULT = CheckPolicy()
"""Until somebody decides: the digest itself within seven days."""


def _under(location: str, prefixes: tuple[str, ...]) -> bool:
    return root_of(location, tuple(Root(prefix, prefix) for prefix in prefixes)) is not None


def overdue_us(schedule: Schedule, matches: Mapping[str, int]) -> int:
    """When the first match ages out. `matches`: µs of the newest by each method or a stronger one."""
    return min(
        (matches[method] + seconds * SECOND_US for method, seconds in schedule.items()), default=2**63 - 1
    )


def next_check(schedule: Schedule, matches: Mapping[str, int], copy: str) -> tuple[int, str]:
    """When the copy is due (µs) and by which method; `copy` names it, and so its jitter.

    Where several methods are due, the strongest of them does for all.
    """
    early = DUE_AT - JITTER * _share(copy)
    due = [
        (matches[method] + int(seconds * SECOND_US * early), method) for method, seconds in schedule.items()
    ]
    if not due:
        return 2**63 - 1, FULL
    first = min(at for at, _ in due)
    # A stronger one that is due soon after saves reading twice.
    soon = first + min(seconds for _, seconds in schedule.items()) * SECOND_US // 4
    return first, next(method for at, method in due if at <= soon)


def _share(copy: str) -> float:
    """From 0 to 1, the same for a copy at every time."""
    return int.from_bytes(hashlib.sha256(copy.encode("utf-8", "surrogatepass")).digest()[:4]) / 2**32


class _Every(msgspec.Struct, forbid_unknown_fields=True):
    quick: str = ""
    content: str = ""
    full: str = ""


class _Rule(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    every: _Every
    roles: tuple[str, ...] = ()
    criticality: tuple[str, ...] = ()
    locations: tuple[str, ...] = ()


class _Limits(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    location: str
    bytes_per_second: int | None = None
    concurrency: int | None = None
    quiet_hours: tuple[str, ...] = ()


class _Policy(msgspec.Struct, forbid_unknown_fields=True):
    default: _Every
    rules: tuple[_Rule, ...] = ()
    limits: tuple[_Limits, ...] = ()


_DECODER = msgspec.json.Decoder(_Policy)


def parse(body: bytes) -> CheckPolicy:
    """A decision's body. Raises: MalformedError that says where and what is wrong."""
    strictjson.check(body, what="check policy")
    try:
        raw = _DECODER.decode(body)
    except msgspec.DecodeError as error:
        raise strictjson.mismatch(error, "The check policy can't be read") from None
    if len(raw.rules) > MAX_RULES or len(raw.limits) > MAX_LIMITS:
        raise MalformedError(f"A check policy has at most {MAX_RULES} rules and {MAX_LIMITS} limits.")
    default = _schedule(raw.default, "$.default")
    rules = tuple(_rule(rule, f"$.rules[{place}]") for place, rule in enumerate(raw.rules))
    limits = tuple(_limits(each, f"$.limits[{place}]") for place, each in enumerate(raw.limits))
    return CheckPolicy(default, rules, limits)


def body(policy: CheckPolicy) -> dict[str, object]:
    """The policy as a decision's body, which `parse` reads again."""
    return {
        "default": _every(policy.default),
        "rules": [
            {
                "name": rule.name,
                "every": _every(rule.schedule),
                "roles": sorted(rule.roles),
                "criticality": sorted(rule.levels, key=LEVELS.index),
                "locations": list(rule.locations),
            }
            for rule in policy.rules
        ],
        "limits": [
            {
                "location": each.location,
                "bytesPerSecond": each.bytes_per_second,
                "concurrency": each.concurrency,
                "quietHours": [f"{_clock(start)}-{_clock(end)}" for start, end in each.quiet],
            }
            for each in policy.limits
        ],
    }


def _every(schedule: Schedule) -> dict[str, str]:
    return {method: period(seconds) for method, seconds in schedule.items()}


def period(seconds: int) -> str:
    """Seconds as a period of the policy, such as `7d`; whole minutes only."""
    for unit in ("d", "h"):
        if seconds % _UNITS[unit] == 0:
            return f"{seconds // _UNITS[unit]}{unit}"
    return f"{seconds // 60}m"


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _schedule(raw: _Every, where: str) -> Schedule:
    found = Schedule(
        _seconds(raw.quick, f"{where}.quick"),
        _seconds(raw.content, f"{where}.content"),
        _seconds(raw.full, f"{where}.full"),
    )
    if found.full is None:
        raise MalformedError(
            "A rule says how often the digest itself is computed: without that, nothing is proved for good.",
            where=f"{where}.full",
        )
    return found


def _seconds(text: str, where: str) -> int | None:
    if not text:
        return None
    found = _PERIOD.fullmatch(text)
    seconds = int(found[1]) * _UNITS[found[2]] if found else 0
    if not 0 < seconds <= LONGEST_SECONDS:
        raise MalformedError(f"A period is a number and m, h or d, such as 12h; not {text!r}.", where=where)
    return seconds


def _rule(raw: _Rule, where: str) -> Rule:
    if not raw.name.strip() or len(raw.name) > 100 or not raw.name.isprintable():
        raise MalformedError("A rule has a name of one printable line.", where=f"{where}.name")
    for level in raw.criticality:
        if level not in LEVELS:
            raise MalformedError(f"Criticality is one of {', '.join(LEVELS)}.", where=f"{where}.criticality")
    for location in raw.locations:
        _prefix(location, f"{where}.locations")
    schedule = _schedule(raw.every, f"{where}.every")
    return Rule(raw.name.strip(), schedule, frozenset(raw.roles), frozenset(raw.criticality), raw.locations)


def _prefix(location: str, where: str) -> None:
    if root_of(location, (Root("", location),)) is None:
        raise MalformedError(f"{location!r} is not a URI under which locations can be.", where=where)


def _limits(raw: _Limits, where: str) -> Limits:
    _prefix(raw.location, f"{where}.location")
    for name, value in (("bytesPerSecond", raw.bytes_per_second), ("concurrency", raw.concurrency)):
        if value is not None and not 0 < value < 2**53:
            raise MalformedError(f"{name} is a whole number over 0.", where=f"{where}.{name}")
    if raw.bytes_per_second is not None and raw.bytes_per_second < LEAST_BYTES_PER_SECOND:
        raise MalformedError(
            f"At fewer than {LEAST_BYTES_PER_SECOND:,} bytes a second checks would never end.",
            where=f"{where}.bytesPerSecond",
        )
    quiet = tuple(_hours(text, f"{where}.quietHours") for text in raw.quiet_hours)
    found = Limits(raw.location, raw.bytes_per_second, raw.concurrency, quiet)
    if all(found.is_quiet(minute * 60 * SECOND_US) for minute in range(_DAY_MINUTES)):
        raise MalformedError("Quiet hours that never end would stop all checks.", where=f"{where}.quietHours")
    return found


def _hours(text: str, where: str) -> tuple[int, int]:
    found = _HOURS.fullmatch(text)
    if not found:
        raise MalformedError(f"Quiet hours are such as 22:00-06:00, UTC; not {text!r}.", where=where)
    start, end = int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])
    if start == end:
        raise MalformedError("Quiet hours that never end would stop all checks.", where=where)
    return start, end
