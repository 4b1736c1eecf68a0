"""A message as e-mail, in plain text, over the mail server of this installation.

Owns: its words and headers. Does not own: the server's address (`LINEAGE_EMAIL_URL`), or when to send again
(`notify`).
"""

from __future__ import annotations

import smtplib
import ssl
import unicodedata
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from django.core.mail import EmailMessage, get_connection

from lineage.config import current
from lineage.errors import ConfigurationError, UnavailableError
from lineage.service_urls import Smtp
from lineage.services.news import (
    FAILED,
    INCIDENT_CLOSED,
    INCIDENT_OPENED,
    OVERDUE,
    STORAGE_BACK,
    STORAGE_GONE,
    Item,
    Message,
)

if TYPE_CHECKING:
    from django.core.mail.backends.base import BaseEmailBackend

BACKEND = "django.core.mail.backends.smtp.EmailBackend"
SECONDS = 20
MAX_SAID = 200
_TITLES = (
    (STORAGE_GONE, "storage out of reach", "storages out of reach"),
    (INCIDENT_OPENED, "incident opened", "incidents opened"),
    (FAILED, "artifact failed", "artifacts failed"),
    (OVERDUE, "artifact overdue", "artifacts overdue"),
    (STORAGE_BACK, "storage back", "storages back"),
    (INCIDENT_CLOSED, "incident closed", "incidents closed"),
)


def send(address: str, message_id: str, message: Message) -> None:
    """Hand the message to the mail server.

    Raises: ConfigurationError where none is configured; UnavailableError that says what came of it.
    """
    config = current()
    if config.email is None:
        raise ConfigurationError("No mail server is configured.", hint="Set LINEAGE_EMAIL_URL.")
    host = config.email_from.rpartition("@")[2]
    connection = _connection(config.email)
    mail = EmailMessage(
        subject=subject(message),
        body=text(message),
        from_email=config.email_from,
        to=[address],
        headers={"Message-ID": f"<{message_id}@{host}>", "Auto-Submitted": "auto-generated"},
        connection=connection,
    )
    try:
        mail.send()
    except smtplib.SMTPResponseException as error:
        raise UnavailableError(f"The mail server answered {error.smtp_code}: {_said(error)}") from None
    except smtplib.SMTPRecipientsRefused:
        raise UnavailableError("The mail server does not take mail for this address.") from None
    except ssl.SSLError:
        raise UnavailableError("The mail server's certificate or TLS is not good.") from None
    except (smtplib.SMTPException, OSError) as error:
        raise UnavailableError(f"The mail server can't be used ({type(error).__name__}).") from None
    finally:
        # Where it was refused half way it stays open otherwise.
        with suppress(smtplib.SMTPException, OSError):
            connection.close()


def _connection(server: Smtp) -> BaseEmailBackend:
    return get_connection(
        BACKEND,
        host=server.host,
        port=server.port,
        username=server.user,
        password=server.password,
        use_ssl=server.tls,
        use_tls=bool(server.user) and not server.tls,
        timeout=SECONDS,
    )


def subject(message: Message) -> str:
    """Counts alone: names are signers' words."""
    counts = Counter(item.kind for item in message.items)
    parts = [
        f"{counts[kind]} {one if counts[kind] == 1 else several}"
        for kind, one, several in _TITLES
        if counts[kind]
    ]
    more = f", and {message.total - len(message.items)} more" if message.total > len(message.items) else ""
    return f"[Lineage] {', '.join(parts) or 'test'}{more}"


def text(message: Message) -> str:
    """One paragraph an item."""
    paragraphs = ["\n".join(_lines(item)) for item in message.items]
    if message.total > len(message.items):
        paragraphs.append(f"And {message.total - len(message.items)} more.")
    paragraphs.append(f"All of it: {message.url}")
    end = f"You get this because somebody subscribed your address: {current().public_url}/subscriptions"
    return "\n\n".join([*paragraphs, end]) + "\n"


def _lines(item: Item) -> Iterator[str]:
    titles = {kind: one for kind, one, _ in _TITLES}
    yield f"{titles.get(item.kind, item.kind).capitalize()}: {plain(item.name)}"
    for words in item.words:
        yield f"  {plain(words)}"
    for copy in item.copies:
        yield f"  At {plain(copy.location)}: {plain(copy.words) or 'the bytes differ.'}"
    if item.at:
        yield f"  Since {item.at[:16].replace('T', ' ')} UTC"
    yield f"  {item.url}"


def plain(words: str) -> str:
    """Without characters that could feign other lines or turn the direction of text."""
    return "".join(
        " " if unicodedata.category(char).startswith(("C", "Zl", "Zp")) else char for char in words
    )


def _said(error: smtplib.SMTPResponseException) -> str:
    said = error.smtp_error
    words = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    return plain(words)[:MAX_SAID]
