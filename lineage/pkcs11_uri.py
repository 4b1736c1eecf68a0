"""The URI that says which token keeps the platform's keys. Parsed strictly, never opened.

`pkcs11:token=LABEL[;serial=S][;object=ORIGIN]?module-path=/path/of/the/library.so[&pin-source=file:/path]`

Owns: what it may say. Does not own: talking to a token (`services.key_token`).
Source: RFC 7512 section 2.3.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from lineage.errors import ConfigurationError

SCHEME = "pkcs11:"
_NAME = "LINEAGE_KEYS"
_PATH = frozenset({"token", "serial", "object"})
_QUERY = frozenset({"module-path", "pin-source"})


@dataclass(frozen=True, slots=True)
class TokenUri:
    """A token, by its label and, where several bear it, its serial number.

    Attributes:
        module: absolute path of the PKCS#11 library.
        origin: of which log's keys are meant, where the token keeps those of several; "" for the only one.
        pin_source: a file that holds the PIN; None: `pin` is it.
    """

    module: str
    token: str
    serial: str = ""
    origin: str = ""
    pin_source: Path | None = None
    pin: str = field(default="", repr=False)


def parse(text: str, pin: str) -> TokenUri:
    """Read the value of LINEAGE_KEYS; `pin` is LINEAGE_KEYS_PIN, or "".

    Raises: ConfigurationError, which never repeats a PIN.
    """
    path, _, query = text.removeprefix(SCHEME).partition("?")
    found = _attributes(path, ";", _PATH)
    options = _attributes(query, "&", _QUERY)
    if not found.get("token"):
        raise ConfigurationError(f"{_NAME}: a token is named by its label, {SCHEME}token=LABEL?module-path=…")
    module = options.get("module-path", "")
    if not module.startswith("/"):
        raise ConfigurationError(
            f"{_NAME}: module-path is the absolute path of the token's PKCS#11 library, such as"
            " /usr/lib/softhsm/libsofthsm2.so"
        )
    source = options.get("pin-source", "").removeprefix("file://").removeprefix("file:")
    if source and not source.startswith("/"):
        raise ConfigurationError(f"{_NAME}: pin-source is file: and the absolute path of a file with the PIN")
    if bool(source) == bool(pin):
        raise ConfigurationError(
            f"{_NAME}: the token's PIN comes from pin-source in the URI or from {_NAME}_PIN_FILE, one of both"
        )
    serial, origin = found.get("serial", ""), found.get("object", "")
    return TokenUri(module, found["token"], serial, origin, Path(source) if source else None, pin)


def _attributes(text: str, separator: str, known: frozenset[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in text.split(separator):
        if not part:
            continue
        name, equals, value = part.partition("=")
        if name == "pin-value":
            raise ConfigurationError(
                f"{_NAME}: no PIN stands in the URI; put it into a file, {_NAME}_PIN_FILE"
            )
        if name not in known or not equals:
            raise ConfigurationError(f"{_NAME}: expected {', '.join(sorted(known))}, found {name!r}")
        if name in found:
            raise ConfigurationError(f"{_NAME}: {name} is there twice")
        found[name] = _text(name, value)
    return found


def _text(name: str, value: str) -> str:
    try:
        text = unquote(value, errors="strict")
    except UnicodeDecodeError:
        text = "\0"
    if not text.isprintable():
        raise ConfigurationError(f"{_NAME}: the value of {name} is no text")
    return text
