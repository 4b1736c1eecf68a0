"""What may be said about a storage beyond this machine, and what is wrong with what was said.

Owns: names, addresses, credentials: each value by itself. Does not own: which of them go together, or what is
kept when nothing is said (`storage_records`). An error's `where` is the field's name.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from lineage.artifacts.storage import SCHEMES, Scheme, places
from lineage.errors import InconclusiveError, MalformedError
from lineage.graph.locations import Root, root_of
from lineage.services import source_values
from lineage.services.said_values import SaidValues
from lineage.services.storages import FILE, MLFLOW
from lineage.trust import strictjson

KINDS: tuple[Scheme, ...] = tuple(scheme for scheme in SCHEMES if scheme.kind != FILE)
"""What can be configured here. Folders are named by LINEAGE_STORAGE_ROOTS, MLflow servers are sources."""
RESERVED = (f"{MLFLOW}-", "folder-")
"""What names of other storages begin with."""
SECRETS = ("secret", "token")
_REGION = re.compile(r"[a-z0-9-]{0,64}")
_TOKEN = re.compile(r"[\x21-\x7e]*")


class StorageValues(SaidValues, kw_only=True):
    """What is said about a storage. What is not said stays; an empty text clears, a secret too.

    Attributes:
        uri: what its locations begin with, such as `s3://bucket/prefix`, without credentials.
        endpoint: `http(s)://host[:port]` of a compatible service; an OCI registry's token service.
        region: of S3.
        username: user, account, or access key id.
        secret: its password or key; Google's service account as JSON. Never given back.
        token: of a session, or bearer. Never given back.
        ca_pem: certificates to trust beside the system's.
        insecure_http: an OCI registry that is asked without TLS.
        paused: nothing is read there; its copies age all the same.
    """

    uri: str | UnsetType = UNSET
    endpoint: str | UnsetType = UNSET
    region: str | UnsetType = UNSET
    username: str | UnsetType = UNSET
    secret: str | UnsetType = UNSET
    token: str | UnsetType = UNSET
    ca_pem: str | UnsetType = UNSET
    insecure_http: bool | UnsetType = UNSET
    paused: bool | UnsetType = UNSET


def name(text: str) -> str:
    """A storage's name. Raises: MalformedError."""
    if not source_values.NAME.fullmatch(text):
        raise MalformedError("A name has 1 to 63 of a-z, 0-9 and -, and does not begin with -.", where="name")
    if text.startswith(RESERVED):
        raise MalformedError(f"Names that begin with {' or '.join(RESERVED)} are given here.", where="name")
    return text


def kind(text: str) -> Scheme:
    """Raises: MalformedError for a kind that can't be configured."""
    found = next((scheme for scheme in KINDS if scheme.kind == text), None)
    if found is None:
        raise MalformedError(
            f"A kind is one of {', '.join(scheme.kind for scheme in KINDS)}; not {text[:40]!r}.",
            hint="Folders are named in LINEAGE_STORAGE_ROOTS; MLflow servers by `lineage sources add`.",
            where="kind",
        )
    return found


def uri(text: str, scheme: Scheme) -> str:
    """The prefix in its one form, without a slash at its end. Raises: MalformedError."""
    text = text.strip().rstrip("/")
    expected = " or ".join(f"{each}://…" for each in scheme.schemes)
    try:
        place = places.place(text)
    except InconclusiveError:  # whose words quote it, and it may hold a password
        raise MalformedError(
            f"This is not an address such as {expected}, without a query, user, `..` or empty parts.",
            hint="Credentials have fields of their own; what is no letter or digit is percent-encoded.",
            where="uri",
        ) from None
    rest = text.partition("://")[2].split("/")[1:]
    found = f"{place.scheme}://{'/'.join([place.authority, *rest])}"
    plain = text.isascii() and text.isprintable() and " " not in text and len(text) <= source_values.MAX_TEXT
    if place.scheme not in scheme.schemes or not plain or root_of(found, (Root("", found),)) is None:
        raise MalformedError(f"The locations of this kind begin with {expected}.", where="uri")
    return found


def endpoint(text: str) -> str:
    """`http(s)://host[:port][/prefix]` in its one form, or nothing. Raises: MalformedError."""
    if not text.strip():
        return ""
    expected = "an address such as https://storage.example.com:9000"
    return source_values.address(text, "endpoint", ("http", "https"), expected)


def region(text: str) -> str:
    """Raises: MalformedError."""
    if not _REGION.fullmatch(text):
        raise MalformedError("A region is such as eu-central-1.", where="region")
    return text


def token(text: str) -> str:
    """Raises: MalformedError, which never quotes it."""
    if not _TOKEN.fullmatch(text) or len(text) > source_values.MAX_SECRET:
        raise MalformedError(
            f"A token has only ASCII characters, no spaces, at most {source_values.MAX_SECRET}.",
            where="token",
        )
    return text


def secret(text: str, scheme: Scheme) -> str:
    """A password or key; of Google a service account's JSON, on one line. Raises: MalformedError."""
    if scheme.kind != "gcs" or not text.strip():
        return source_values.secret(text)
    try:
        strictjson.check(text.encode("utf-8", "surrogatepass"), what="service account")
        account = msgspec.json.decode(text, type=dict[str, Any])
    except (MalformedError, msgspec.DecodeError):
        account = {}
    if account.get("type") != "service_account":
        raise MalformedError("The secret of Google is a service account's key as JSON.", where="secret")
    return msgspec.json.encode(account).decode()
