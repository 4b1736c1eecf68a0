"""What may be said about a subscription, and what is wrong with what was said.

Owns: addresses and URLs, each by itself. Does not own: who may subscribe, or sending (`notify`).
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from lineage.config import current
from lineage.db.models import Subscription
from lineage.errors import MalformedError
from lineage.net import guard
from lineage.net.errors import RefusedAddressError
from lineage.services import source_values

KINDS = tuple(Subscription.Kind.values)
MAX_ADDRESS = 254
MAX_URL = 2000
_NEVER = re.compile(r"[\x00-\x20\x7f\\<>\"'`{}|^]")


def target(kind: str, text: str) -> str:
    """An e-mail address or a webhook's URL. Raises: MalformedError; `where` names the field."""
    if kind not in KINDS:
        raise MalformedError(f"A subscription is one of {', '.join(KINDS)}; not {kind[:40]!r}.", where="kind")
    return _address(text.strip()) if kind == Subscription.Kind.EMAIL else _url(text.strip())


def _address(text: str) -> str:
    if current().email is None:
        raise MalformedError(
            "No mail can be sent here: no mail server is configured.",
            hint="An administrator sets LINEAGE_EMAIL_URL and LINEAGE_EMAIL_FROM; or use a webhook.",
            where="kind",
        )
    try:
        validate_email(text)
    except ValidationError:
        text = ""
    if not text or len(text) > MAX_ADDRESS or not text.isascii():
        raise MalformedError("This is no e-mail address such as team@example.com.", where="target")
    return text


def _url(text: str) -> str:
    """In its one form. Never quoted in an error: it may hold what only the receiver should know."""
    wrong = MalformedError(
        "This is no URL such as https://hooks.example.com/lineage, with http or https.", where="target"
    )
    if len(text) > MAX_URL or not text.isascii() or _NEVER.search(text):
        raise wrong
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise wrong from None
    if "@" in parts.netloc:
        raise MalformedError("The URL has no user and no password: messages are signed.", where="target")
    if parts.fragment or "#" in text:
        raise MalformedError("The URL has no fragment (#).", where="target")
    host = parts.hostname or ""
    shown = f"[{host}]" if ":" in host else host
    if (
        parts.scheme not in ("http", "https")
        or port == 0
        or parts.netloc.lower() not in (shown, f"{shown}:{port}")
    ):
        raise wrong
    _host(host, wrong)
    own = port is not None and port != {"http": 80, "https": 443}[parts.scheme]
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{shown}{f':{port}' if own else ''}{parts.path or '/'}{query}"


def _host(host: str, wrong: MalformedError) -> None:
    """Addresses are judged at once; names when they are connected to, since they may change."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        if not source_values.is_host_name(host) or host.replace(".", "").isdigit():
            raise wrong from None
        return
    try:
        guard.check(str(address), guard.networks(current().private_networks))
    except RefusedAddressError as error:
        raise MalformedError(error.message, hint=error.hint, where="target") from None
