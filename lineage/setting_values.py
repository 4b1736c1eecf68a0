"""Kinds of values that settings have: each reads one setting strictly, or names it and says what is wrong.

All of them raise ConfigurationError. A setting that is missing or empty has its default.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from lineage.errors import ConfigurationError


def choice(values: Mapping[str, str], name: str, options: tuple[str, ...]) -> str:
    text = values.get(name) or options[0]
    if text not in options:
        raise ConfigurationError(f"{name}: expected {' or '.join(options)}, found {text!r}")
    return text


def integer(values: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    text = values.get(name) or str(default)
    if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
        raise ConfigurationError(f"{name}: expected a whole number from {least} to {most}, found {text!r}")
    return int(text)


def seconds(values: Mapping[str, str], name: str, default: float, least: float, most: float) -> float:
    text = values.get(name) or str(default)
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not least <= number <= most:
        raise ConfigurationError(f"{name}: expected seconds from {least} to {most}, found {text!r}")
    return number


def boolean(values: Mapping[str, str], name: str, default: bool) -> bool:
    text = values.get(name) or ("1" if default else "0")
    if text not in {"0", "1"}:
        raise ConfigurationError(f"{name}: expected 0 or 1, found {text!r}")
    return text == "1"


def networks(values: Mapping[str, str], name: str) -> tuple[str, ...]:
    """Networks in their one form, such as `10.0.0.0/8`, in the order given."""
    found = []
    for part in (values.get(name) or "").split(","):
        if not part.strip():
            continue
        try:
            found.append(str(ipaddress.ip_network(part.strip())))
        except ValueError as error:
            raise ConfigurationError(
                f"{name}: expected networks such as 10.0.0.0/8, found {part.strip()!r}"
            ) from error
    return tuple(dict.fromkeys(found))
