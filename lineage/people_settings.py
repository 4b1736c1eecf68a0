"""Settings about people and programs: who is let in how, how often they may ask, what is kept of it.

Owns: their names, defaults and what makes one wrong. They are part of `lineage.config`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from lineage.errors import ConfigurationError
from lineage.setting_values import integer, networks

NAMES = (
    "LINEAGE_TRUSTED_PROXIES",
    "LINEAGE_ACCESS_DAYS",
    "LINEAGE_RATE_LIMIT",
    "LINEAGE_ATTEST_RATE_LIMIT",
    "LINEAGE_FOUR_EYES",
)
SECRETS: tuple[str, ...] = ()
"""Those that hold a secret."""


_RATE = re.compile(r"([1-9]\d{0,8})/(second|minute|hour)", re.ASCII)
_SECONDS = {"second": 1, "minute": 60, "hour": 3600}


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests in so many seconds."""

    count: int
    seconds: int


@dataclass(frozen=True, slots=True)
class People:
    trusted_proxies: tuple[str, ...]  # CIDRs whose X-Forwarded-For is believed
    access_days: int  # how long it is kept who looked at what
    rate_limit: Rate | None  # of each person, key without `attest`, and address without a key; None: no limit
    attest_rate_limit: Rate | None  # of each key with `attest`
    four_eyes_hours: int  # how long a decision waits for a second person; 0: none is needed


def read(values: Mapping[str, str]) -> People:
    """Raises: ConfigurationError that names the setting."""
    return People(
        trusted_proxies=networks(values, "LINEAGE_TRUSTED_PROXIES"),
        access_days=integer(values, "LINEAGE_ACCESS_DAYS", 365, 1, 3650),
        rate_limit=_rate(values, "LINEAGE_RATE_LIMIT", "3000/minute"),
        attest_rate_limit=_rate(values, "LINEAGE_ATTEST_RATE_LIMIT", "none"),
        four_eyes_hours=integer(values, "LINEAGE_FOUR_EYES", 0, 0, 2160),
    )


def _rate(values: Mapping[str, str], name: str, default: str) -> Rate | None:
    text = values.get(name) or default
    if text == "none":
        return None
    found = _RATE.fullmatch(text)
    if found is None:
        raise ConfigurationError(f"{name}: expected a rate such as 3000/minute, or none; found {text!r}")
    return Rate(int(found[1]), _SECONDS[found[2]])
