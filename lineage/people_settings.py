"""Settings about people and programs: who is let in how, how often they may ask, what is kept of it.

Owns: their names, defaults and what makes one wrong. They are part of `lineage.config`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from lineage.errors import ConfigurationError
from lineage.setting_values import integer, networks

NAMES = (
    "LINEAGE_TRUSTED_PROXIES",
    "LINEAGE_ACCESS_DAYS",
    "LINEAGE_RATE_LIMIT",
    "LINEAGE_ATTEST_RATE_LIMIT",
    "LINEAGE_FOUR_EYES",
    "LINEAGE_MFA_ROLE",
    "LINEAGE_OIDC_URL",
    "LINEAGE_OIDC_CLIENT_ID",
    "LINEAGE_OIDC_CLIENT_SECRET",
    "LINEAGE_OIDC_NAME",
    "LINEAGE_OIDC_ROLES",
    "LINEAGE_OIDC_DEFAULT_ROLE",
)
SECRETS = ("LINEAGE_OIDC_CLIENT_SECRET",)
"""Those that hold a secret."""


_RATE = re.compile(r"([1-9]\d{0,8})/(second|minute|hour)", re.ASCII)
ROLES = ("auditor", "officer", "operator")
_OR = "auditor, officer or operator"
_SECONDS = {"second": 1, "minute": 60, "hour": 3600}


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests in so many seconds."""

    count: int
    seconds: int


@dataclass(frozen=True, slots=True)
class RoleOfClaim:
    """Whoever has `value` as the claim, or among its values, has the role."""

    claim: str
    value: str
    role: str


@dataclass(frozen=True, slots=True)
class Oidc:
    url: str  # the issuer
    client_id: str
    client_secret: str = field(repr=False)
    name: str  # what the button says
    roles: tuple[RoleOfClaim, ...]
    default_role: str  # of whoever has none by a claim; empty: they get no account


@dataclass(frozen=True, slots=True)
class People:
    trusted_proxies: tuple[str, ...]  # CIDRs whose X-Forwarded-For is believed
    access_days: int  # how long it is kept who looked at what
    rate_limit: Rate | None  # of each person, key without `attest`, and address without a key; None: no limit
    attest_rate_limit: Rate | None  # of each key with `attest`
    four_eyes_hours: int  # how long a decision waits for a second person; 0: none is needed
    mfa_role: str  # whoever holds it, or a higher one, needs a second factor; empty: nobody does
    oidc: Oidc | None  # None: people sign in with passwords alone


def read(values: Mapping[str, str]) -> People:
    """Raises: ConfigurationError that names the setting."""
    return People(
        trusted_proxies=networks(values, "LINEAGE_TRUSTED_PROXIES"),
        access_days=integer(values, "LINEAGE_ACCESS_DAYS", 365, 1, 3650),
        rate_limit=_rate(values, "LINEAGE_RATE_LIMIT", "3000/minute"),
        attest_rate_limit=_rate(values, "LINEAGE_ATTEST_RATE_LIMIT", "none"),
        four_eyes_hours=integer(values, "LINEAGE_FOUR_EYES", 0, 0, 2160),
        mfa_role=_role(values, "LINEAGE_MFA_ROLE"),
        oidc=_oidc(values),
    )


def _role(values: Mapping[str, str], name: str) -> str:
    role = values.get(name) or ""
    if role not in ("", *ROLES):
        raise ConfigurationError(f"{name}: expected {_OR}, found {role!r}")
    return role


def _oidc(values: Mapping[str, str]) -> Oidc | None:
    url = (values.get("LINEAGE_OIDC_URL") or "").rstrip("/")
    others = [name for name in NAMES if name.startswith("LINEAGE_OIDC_") and values.get(name)]
    if not url:
        if others:
            raise ConfigurationError(f"{others[0]}: it means nothing without LINEAGE_OIDC_URL")
        return None
    parts = urlsplit(url)
    is_here = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and is_here)):
        raise ConfigurationError(f"LINEAGE_OIDC_URL: expected the https:// URL of an issuer, found {url!r}")
    for name in ("LINEAGE_OIDC_CLIENT_ID", "LINEAGE_OIDC_CLIENT_SECRET"):
        if not values.get(name):
            raise ConfigurationError(f"{name}: LINEAGE_OIDC_URL needs it")
    return Oidc(
        url=url,
        client_id=values["LINEAGE_OIDC_CLIENT_ID"],
        client_secret=values["LINEAGE_OIDC_CLIENT_SECRET"],
        name=values.get("LINEAGE_OIDC_NAME") or "single sign-on",
        roles=_roles(values.get("LINEAGE_OIDC_ROLES") or ""),
        default_role=_role(values, "LINEAGE_OIDC_DEFAULT_ROLE"),
    )


def _roles(text: str) -> tuple[RoleOfClaim, ...]:
    """`groups=lineage-operators:operator,groups=audit:auditor`."""
    found = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        named, _, role = part.rpartition(":")
        claim, _, value = named.partition("=")
        if not claim or not value or role not in ROLES:
            raise ConfigurationError(
                f"LINEAGE_OIDC_ROLES: expected claim=value:role with {_OR}, found {part!r}"
            )
        found.append(RoleOfClaim(claim, value, role))
    return tuple(found)


def _rate(values: Mapping[str, str], name: str, default: str) -> Rate | None:
    text = values.get(name) or default
    if text == "none":
        return None
    found = _RATE.fullmatch(text)
    if found is None:
        raise ConfigurationError(f"{name}: expected a rate such as 3000/minute, or none; found {text!r}")
    return Rate(int(found[1]), _SECONDS[found[2]])
