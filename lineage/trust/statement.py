"""in-toto statements: from a verified payload to what the statement says.

Owns: Statement v1 and v0.1, in-toto links inside DSSE, and Witness policies. Does not own: what a predicate
means (`lineage.predicates`), or whether the signer may say it (`policy`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from lineage.errors import MalformedError, TooLargeError
from lineage.trust import strictjson
from lineage.trust.digest import parse_digest_set, sha256_hex
from lineage.trust.dsse import INTOTO_PAYLOAD_TYPE

STATEMENT_V1 = "https://in-toto.io/Statement/v1"
STATEMENT_V01 = "https://in-toto.io/Statement/v0.1"
LINK = "link"
WITNESS_POLICY = "https://witness.testifysec.com/policy/v0.1"
MAX_SUBJECTS = 20_000
MAX_DIGESTS = 100_000
"""Digests of all subjects together: each is a row that is written while nobody else can append."""

_PAYLOAD_TYPE = re.compile(r"application/vnd\.in-toto(?:\.[A-Za-z0-9][A-Za-z0-9._-]*)?\+json", re.ASCII)


class ResourceDescriptor(msgspec.Struct, frozen=True, gc=False):
    """A subject or material. Text is as signed, "" where absent; `digests` went through `parse_digest_set`.

    Names may contain anything that JSON can say, U+0000 too: whoever stores them replaces it.
    """

    name: str = ""
    uri: str = ""
    digests: Mapping[str, str] = msgspec.field(default_factory=dict)
    media_type: str = ""
    download_location: str = ""
    annotations: Mapping[str, Any] = msgspec.field(default_factory=dict)
    content: str = ""  # base64, as signed


class Statement(msgspec.Struct, frozen=True, gc=False):
    """What was signed, read once.

    Attributes:
        type: the statement's own `_type`; the payload type for a Witness policy.
        predicate_type: as used for scopes; "link" for a DSSE link, the payload type for a Witness policy.
        subjects: in the order of the statement; a link's products, sorted by path. Of a Witness policy none.
        predicate: raw JSON; b"" if absent. For a link or a Witness policy the whole payload.
        payload: the verified bytes.
        digest: hex SHA-256 of `payload`.
    """

    type: str
    predicate_type: str
    subjects: tuple[ResourceDescriptor, ...]
    predicate: bytes
    payload: bytes
    digest: str


class RawDescriptor(msgspec.Struct, gc=False):
    """A resource descriptor as JSON has it. Unknown members are ignored.

    Source: in-toto attestation, spec/v1/resource_descriptor.md.
    """

    name: str | None = None
    uri: str | None = None
    digest: dict[str, str] | None = None
    mediaType: str | None = None  # noqa: N815 the member's name in JSON
    downloadLocation: str | None = None  # noqa: N815
    annotations: dict[str, Any] | None = None
    content: str | None = None


class _RawStatement(msgspec.Struct, gc=False):
    type: str = msgspec.field(name="_type")
    predicateType: str | None = None  # noqa: N815
    subject: list[RawDescriptor] | None = None
    predicate: msgspec.Raw = msgspec.Raw(b"")
    products: dict[str, dict[str, str]] | None = None


_DECODER = msgspec.json.Decoder(_RawStatement)


def is_attestation(payload_type: str) -> bool:
    """True for the payload types that `parse` reads; case-sensitive, because they are signed as they are."""
    return payload_type in (INTOTO_PAYLOAD_TYPE, WITNESS_POLICY) or bool(
        _PAYLOAD_TYPE.fullmatch(payload_type)
    )


def parse(payload_type: str, payload: bytes) -> Statement:
    """Read a payload whose signature was verified. The given bytes are the ones that are parsed.

    Raises:
        MalformedError: not a payload type that is an attestation, not strict JSON, another `_type`, no
            predicate type, no subject, a subject without digest, a digest that is none.
        TooLargeError: more than 20,000 subjects or 100,000 digests of them, or nested too deeply.
    Source: in-toto attestation, spec/v1/statement.md; in-toto specification 0.9, section 4.4 (links).
    """
    if not is_attestation(payload_type):
        raise MalformedError(
            f"The payload type {payload_type[:200]!r} is not an attestation's.",
            where="$.payloadType",
            hint=f"Sign an in-toto statement with the payload type {INTOTO_PAYLOAD_TYPE}.",
        )
    strictjson.check(payload, what="statement")
    if payload_type == WITNESS_POLICY:
        return Statement(WITNESS_POLICY, WITNESS_POLICY, (), payload, payload, sha256_hex(payload))
    try:
        raw = _DECODER.decode(payload)
    except msgspec.DecodeError as error:
        raise strictjson.mismatch(error, "The payload is not an in-toto statement") from None
    if raw.type == LINK:
        return _link(raw, payload)
    if raw.type not in (STATEMENT_V1, STATEMENT_V01):
        raise MalformedError(
            f"The statement's type {raw.type[:200]!r} is not known.",
            where="$._type",
            hint=f"Statements are {STATEMENT_V1} or {STATEMENT_V01}.",
        )
    return _statement(raw, payload)


def _statement(raw: _RawStatement, payload: bytes) -> Statement:
    predicate_type = raw.predicateType
    if not predicate_type:
        raise MalformedError("The statement has no predicate type.", where="$.predicateType")
    if predicate_type in (LINK, WITNESS_POLICY):
        # These stand for other payloads; a statement that uses one would be taken for such a payload.
        raise MalformedError(
            f"A statement's predicate type can't be {predicate_type!r}.", where="$.predicateType"
        )
    if not raw.subject:
        raise MalformedError("The statement has no subject.", where="$.subject")
    _limit(len(raw.subject), "$.subject")
    _limit_digests([subject.digest for subject in raw.subject], "$.subject")
    predicate = bytes(raw.predicate)
    if predicate == b"null":  # what Go writes for an absent one
        predicate = b""
    if predicate and not predicate.startswith(b"{"):
        raise MalformedError("The statement's predicate is not an object.", where="$.predicate")
    subjects: list[ResourceDescriptor] = []
    try:
        for subject in raw.subject:
            subjects.append(_subject(subject))
    except MalformedError as error:  # paths are written only where one is needed
        error.where = f"$.subject[{len(subjects)}]{error.where}"
        raise
    return Statement(raw.type, predicate_type, tuple(subjects), predicate, payload, sha256_hex(payload))


def _subject(raw: RawDescriptor) -> ResourceDescriptor:
    if not raw.digest:
        raise MalformedError("A subject has no digest: its digest set is empty.", where=".digest")
    return descriptor(raw, where="")


def descriptor(raw: RawDescriptor, *, where: str) -> ResourceDescriptor:
    """A checked descriptor; its digest set may be empty. `where` is its JSON path, for messages.

    Raises:
        MalformedError: a digest that is none.
    """
    return ResourceDescriptor(
        raw.name or "",
        raw.uri or "",
        parse_digest_set(raw.digest or {}, where=f"{where}.digest"),
        raw.mediaType or "",
        raw.downloadLocation or "",
        raw.annotations or {},
        raw.content or "",
    )


def _link(raw: _RawStatement, payload: bytes) -> Statement:
    """A link may have no products (a step that only checks): then it is about nothing."""
    products = raw.products or {}
    _limit(len(products), "$.products")
    _limit_digests(products.values(), "$.products")
    subjects = []
    for path in sorted(products):
        if not products[path]:
            raise MalformedError("A product of the link has no digest.", where=f"$.products[{path!r}]")
        digests = parse_digest_set(products[path], where=f"$.products[{path!r}]")
        subjects.append(ResourceDescriptor(name=path, digests=digests))
    return Statement(LINK, LINK, tuple(subjects), payload, payload, sha256_hex(payload))


def _limit(count: int, where: str) -> None:
    if count > MAX_SUBJECTS:
        raise TooLargeError(
            f"The statement has {count} subjects; the limit is {MAX_SUBJECTS}.",
            limit=MAX_SUBJECTS,
            where=where,
        )


def _limit_digests(sets: Iterable[Mapping[str, str] | None], where: str) -> None:
    count = sum([len(digests) for digests in sets if digests])
    if count > MAX_DIGESTS:
        raise TooLargeError(
            f"The statement's subjects have {count:,} digests; the limit is {MAX_DIGESTS:,}.",
            limit=MAX_DIGESTS,
            where=where,
        )
