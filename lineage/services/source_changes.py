"""What is said about a source becomes its row: which values go together, which secrets are kept.

Owns: that a secret reaches no other server than the one it was given for, and that a stored secret is there
exactly where the way of signing in needs one. Does not own: what is wrong with one value (`source_values`,
`source_certificates`), or saving (`sources`).
"""

from __future__ import annotations

from urllib.parse import urlsplit

from msgspec import UNSET

from lineage.db.models import Source
from lineage.errors import MalformedError
from lineage.services import secret_box, source_certificates, source_values
from lineage.services.source_values import SourceValues

SECRET, CLIENT_KEY, WEBHOOK = "secret", "client_key", "webhook_secret"
"""The places of a source's boxes."""
_TLS = frozenset({"url", "ca_pem", "client_certificate_pem", "client_key_pem"})


def apply(source: Source, values: SourceValues) -> None:
    """Set what is said, after looking at all of it. The row is not saved; nothing is set where one is wrong.

    Raises: MalformedError that names the field; ConfigurationError where a kept key can't be decrypted.
    """
    before = Source(name=source.name, url=source.url, proxy=source.proxy, auth=source.auth)
    _addresses(source, values)
    _numbers(source, values)
    _sign_in(source, values)
    if set(values.said()) & _TLS:  # else a pause would need the key that decrypts
        _certificates(source, values)
    _refuse_other_server(source, values, before)
    if values.webhook_secret is not UNSET:
        given = source_values.webhook_secret(values.webhook_secret)
        source.webhook_box = secret_box.seal(given, source.name, WEBHOOK)


def _addresses(source: Source, values: SourceValues) -> None:
    if values.url is not UNSET:
        source.url = source_values.url(values.url)
    if values.proxy is not UNSET:
        source.proxy = source_values.proxy(values.proxy)
    if values.data_roots is not UNSET:
        source.data_roots = "\n".join(source_values.data_roots(values.data_roots))


def _numbers(source: Source, values: SourceValues) -> None:
    for field in source_values.RANGES:
        value = getattr(values, field)
        if value is not UNSET:
            setattr(source, field, source_values.number(field, value))
    if values.paused is not UNSET:
        source.paused = values.paused


def _sign_in(source: Source, values: SourceValues) -> None:
    """User and secret, as the way of signing in needs them; another way needs its own secret."""
    before = source.auth
    if values.auth is not UNSET:
        source.auth = values.auth
    if values.username is not UNSET:
        source.username = source_values.username(values.username)
    if values.secret is not UNSET:
        text = source_values.secret(values.secret)
        if source.auth == Source.Auth.TOKEN:
            source_values.token(text)
        source.secret_box = secret_box.seal(text, source.name, SECRET)
    elif source.auth not in (before, Source.Auth.NONE) and source.secret_box:
        raise MalformedError("Another way of signing in needs its own secret.", where="secret")
    if source.auth == Source.Auth.NONE:
        if values.secret or values.username:
            raise MalformedError("Without signing in there is no user and no secret.", where="auth")
        source.username, source.secret_box = "", ""
    elif not source.secret_box:
        word = "token" if source.auth == Source.Auth.TOKEN else "password"
        raise MalformedError(f"The {word} is missing.", where="secret")
    if source.auth == Source.Auth.BASIC and not source.username:
        raise MalformedError("The user name is missing.", where="username")
    if source.auth == Source.Auth.TOKEN and source.username:
        if values.username:
            raise MalformedError("A token has no user name.", where="username")
        source.username = ""


def _certificates(source: Source, values: SourceValues) -> None:
    if values.ca_pem is not UNSET:
        text = values.ca_pem.strip()
        source.ca_pem = source_certificates.certificates(text, "ca_pem") if text else ""
    if values.client_certificate_pem is not UNSET:
        text = values.client_certificate_pem.strip()
        where = "client_certificate_pem"
        source.client_certificate_pem = source_certificates.certificates(text, where) if text else ""
    key = _client_key(source, values)
    if bool(key) != bool(source.client_certificate_pem):
        missing = "client_key_pem" if source.client_certificate_pem else "client_certificate_pem"
        raise MalformedError("A client certificate and its private key go together.", where=missing)
    if key and not source_certificates.belong_together(source.client_certificate_pem, key):
        raise MalformedError("The private key is not that of the first certificate.", where="client_key_pem")
    if not source.url.startswith("https:") and (source.ca_pem or key):
        where = "ca_pem" if source.ca_pem else "client_certificate_pem"
        raise MalformedError("Certificates are for https, and this address is http.", where=where)


def _client_key(source: Source, values: SourceValues) -> str:
    """The private key that is in force after these values, decrypted; the row's box is set to it."""
    if values.client_key_pem is UNSET:
        if values.client_certificate_pem == "":
            source.client_key_box = ""  # taking the certificate away takes its key along
        elif values.client_certificate_pem is UNSET:
            return "" if not source.client_key_box else _kept_key(source)
        return _kept_key(source)
    text = values.client_key_pem.strip()
    key = source_certificates.private_key(text, "client_key_pem") if text else ""
    source.client_key_box = secret_box.seal(key, source.name, CLIENT_KEY)
    return key


def _kept_key(source: Source) -> str:
    return secret_box.open_box(source.client_key_box, source.name, CLIENT_KEY)


def _refuse_other_server(source: Source, values: SourceValues, before: Source) -> None:
    """Raises: MalformedError where a kept secret would go to another server, or through another proxy.

    Else whoever may change an address could have the secret sent to a server of theirs.
    """
    if not before.url or (_origin(before.url) == _origin(source.url) and before.proxy == source.proxy):
        return
    kept = source.secret_box and values.secret is UNSET and source.auth == before.auth
    if kept:
        raise MalformedError(
            "The stored secret was given for another address or proxy; send it again.", where="secret"
        )


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc
