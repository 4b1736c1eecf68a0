"""Settings about people and programs: who is let in how, how often they may ask, what is kept of it.

Owns: their names, defaults and what makes one wrong. They are part of `lineage.config`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lineage.setting_values import integer, networks

NAMES = ("LINEAGE_TRUSTED_PROXIES", "LINEAGE_ACCESS_DAYS")
SECRETS: tuple[str, ...] = ()
"""Those that hold a secret."""


@dataclass(frozen=True, slots=True)
class People:
    trusted_proxies: tuple[str, ...]  # CIDRs whose X-Forwarded-For is believed
    access_days: int  # how long it is kept who looked at what


def read(values: Mapping[str, str]) -> People:
    """Raises: ConfigurationError that names the setting."""
    return People(
        trusted_proxies=networks(values, "LINEAGE_TRUSTED_PROXIES"),
        access_days=integer(values, "LINEAGE_ACCESS_DAYS", 365, 1, 3650),
    )
