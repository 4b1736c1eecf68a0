"""Signed in-toto metadata as it arrives: a classic Metablock, or a DSSE envelope, around a link or a layout.

Owns: reading both forms, and the exact bytes that their signatures are over, made from what was *received*:
members that no reader here knows are signed too. Verifies nothing. Does not own: what a layout or a link says
(`layouts_model`), or whose keys count (`layouts_signers`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from lineage.errors import MalformedError, TooLargeError
from lineage.trust import dsse, statement, strictjson
from lineage.trust.digest import sha256_hex
from lineage.trust.opened import open_signed

MAX_BYTES = 8 << 20
"""Of one file, as of any envelope."""
LINK_PREDICATE = "https://in-toto.io/attestation/link/v0.3"

Kind = Literal["link", "layout"]


@dataclass(frozen=True, slots=True)
class MetadataSignature:
    """`keyid` is a hint. `certificate` is PEM, or "". `refused` says why `sig` can't be looked at."""

    keyid: str
    sig: bytes
    certificate: str = ""
    refused: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Metadata:
    """Well-formed metadata. Nothing in it has been verified.

    Attributes:
        kind: link or layout, as the signed part says.
        content: the signed part; of a `link/v0.3` statement what a classic link would say.
        message: the bytes that each signature is over.
        digest: hex SHA-256 of all that was received.
        form: metablock or dsse.
    """

    kind: Kind
    content: Mapping[str, Any]
    message: bytes
    signatures: tuple[MetadataSignature, ...]
    digest: str
    form: Literal["metablock", "dsse"]


class _Certificates(msgspec.Struct):
    certificate: str | None = None
    intermediates: list[str] | None = None


class _Enveloped(msgspec.Struct):
    signatures: list[_Certificates]


_ENVELOPED = msgspec.json.Decoder(_Enveloped)


def is_metablock(data: bytes) -> bool:
    """Whether `data` looks like classic metadata: for telling files apart, before anything is read."""
    return b'"signed"' in data and b'"payload"' not in data


def read(data: bytes) -> Metadata:
    """Read a Metablock, a DSSE envelope, or a Sigstore bundle around one, by content.

    Raises:
        MalformedError: none of them, both at once, or signed is neither a link nor a layout.
        TooLargeError: over `MAX_BYTES`, more than 32 signatures, or nested too deeply.
    Source: in-toto specification 0.9, sections 4.2 to 4.4; ITE-5 (DSSE).
    """
    if len(data) > MAX_BYTES:
        raise TooLargeError(f"The file has {len(data):,} bytes; the limit is {MAX_BYTES:,}.", limit=MAX_BYTES)
    strictjson.check(data, what="metadata")
    raw = _json(data)
    if not isinstance(raw, dict):
        raise MalformedError("In-toto metadata is a JSON object.")
    if "signed" not in raw:
        return _enveloped(data)
    if "payload" in raw:
        raise MalformedError("The file is classic metadata and an envelope at once.", where="$.payload")
    return _metablock(raw, sha256_hex(data))


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):  # a number with thousands of digits
        raise MalformedError("The metadata has a number that can't be read.") from None


def _metablock(raw: Mapping[str, Any], digest: str) -> Metadata:
    signed, signatures = raw["signed"], raw.get("signatures", [])
    if not isinstance(signed, dict) or not isinstance(signatures, list):
        raise MalformedError("Classic metadata has an object that is signed, and a list of signatures.")
    if len(signatures) > dsse.MAX_SIGNATURES:
        raise TooLargeError(
            f"The metadata has {len(signatures)} signatures; the limit is {dsse.MAX_SIGNATURES}.",
            limit=dsse.MAX_SIGNATURES,
            where="$.signatures",
        )
    read_ones = tuple(_signature(each, f"$.signatures[{i}]") for i, each in enumerate(signatures))
    message = canonical(signed)
    return Metadata(_kind(signed, "$.signed"), signed, message, read_ones, digest, "metablock")


def _signature(raw: Any, where: str) -> MetadataSignature:
    if not isinstance(raw, dict) or not isinstance(raw.get("keyid", ""), str):
        raise MalformedError("A signature is an object with a keyid and a sig.", where=where)
    keyid = raw.get("keyid", "")
    if "other_headers" in raw or "signature" in raw:
        return MetadataSignature(keyid, b"", refused="GPG signatures are not taken")
    sig, certificate = raw.get("sig"), raw.get("cert") or ""
    if not isinstance(sig, str) or not isinstance(certificate, str):
        raise MalformedError("A signature's sig and cert are texts.", where=where)
    try:
        return MetadataSignature(keyid, bytes.fromhex(sig), certificate)
    except ValueError:
        return MetadataSignature(keyid, b"", certificate, "the signature is not hexadecimal")


def _enveloped(data: bytes) -> Metadata:
    opened = open_signed(data)
    envelope = opened.envelope
    if envelope.payload_type != dsse.INTOTO_PAYLOAD_TYPE:
        raise MalformedError(
            f"The payload type {envelope.payload_type[:200]!r} is not that of a link or layout.",
            where="$.payloadType",
        )
    strictjson.check(envelope.payload, what="payload")
    content = _json(envelope.payload)
    if not isinstance(content, dict):
        raise MalformedError("The payload is not an object.", where="$.payload")
    if "predicateType" in content:
        content = _attested(envelope)
    certificates = _pems(data) if opened.bundle is None and opened.certificates else []
    certificates += [""] * (len(envelope.signatures) - len(certificates))
    signatures = tuple(
        MetadataSignature(s.keyid, s.sig, pem)
        for s, pem in zip(envelope.signatures, certificates, strict=True)
    )
    message = dsse.pae(envelope.payload_type, envelope.payload)
    return Metadata(_kind(content, "$.payload"), content, message, signatures, sha256_hex(data), "dsse")


def _pems(data: bytes) -> list[str]:
    """What each signature is certified by, which Witness writes as base64 of PEM, its own certificate first.

    Raises: MalformedError.
    """
    try:
        found = _ENVELOPED.decode(data).signatures
    except msgspec.DecodeError as error:
        raise strictjson.mismatch(error, "The certificates can't be read") from None
    pems = []
    for number, each in enumerate(found):
        given = (each.certificate or "", *(each.intermediates or ())) if each.certificate else ()
        raw = [dsse.decode_base64(one, where=f"$.signatures[{number}].certificate") for one in given]
        pems.append("\n".join(one.decode("ascii", "replace") for one in raw))
    return pems


def _attested(envelope: dsse.Envelope) -> dict[str, Any]:
    """A `link/v0.3` statement as a classic link: its subjects are the products.

    Raises: MalformedError for another predicate type, or a path that is named twice or not at all.
    Source: in-toto attestation, spec/predicates/link.md.
    """
    parsed = statement.parse(envelope.payload_type, envelope.payload)
    if parsed.predicate_type != LINK_PREDICATE:
        raise MalformedError(f"A statement of the type {parsed.predicate_type[:200]} is no link.")
    predicate = _json(parsed.predicate) if parsed.predicate else {}
    listed = predicate.get("materials") or []
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise MalformedError("A link's materials are a list of descriptors.", where="$.predicate.materials")
    materials = [(each.get("name") or each.get("uri") or "", each.get("digest") or {}) for each in listed]
    products = [(subject.name or subject.uri, dict(subject.digests)) for subject in parsed.subjects]
    command = predicate.get("command") or []
    return {
        "_type": "link",
        "name": predicate.get("name"),
        "command": [command] if isinstance(command, str) else command,
        "materials": _by_path(materials, "$.predicate.materials"),
        "products": _by_path(products, "$.subject"),
    }


def _by_path(listed: list[tuple[Any, Any]], where: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path, digests in listed:
        if not isinstance(path, str) or not path or path in found:
            raise MalformedError("A file of the link has no name, or its name is there twice.", where=where)
        found[path] = digests
    return found


def _kind(content: Mapping[str, Any], where: str) -> Kind:
    kind = content.get("_type")
    if kind not in ("link", "layout"):
        raise MalformedError("What is signed is neither a link nor a layout.", where=f"{where}._type")
    return kind  # type: ignore[no-any-return]  # one of the two, as just seen


def canonical(value: object) -> bytes:
    """OLPC's canonical JSON, UTF-8: sorted keys, no white space, escapes before `\\` and `"` alone.

    Raises: MalformedError for a number that is no integer: it has no canonical form.
    Source: in-toto specification 0.9, section 4.1; http://wiki.laptop.org/go/Canonical_JSON.
    """
    parts: list[str] = []
    _write(value, parts)
    return "".join(parts).encode("utf-8")


def _write(value: object, parts: list[str]) -> None:
    if value is None or isinstance(value, bool):
        parts.append({None: "null", True: "true", False: "false"}[value])
    elif isinstance(value, str):
        parts.append(_text(value))
    elif isinstance(value, int):
        parts.append(str(value))
    elif isinstance(value, list):
        parts.append("[")
        for number, each in enumerate(value):
            parts.append("," if number else "")
            _write(each, parts)
        parts.append("]")
    elif isinstance(value, dict):
        parts.append("{")
        for number, name in enumerate(sorted(value)):
            parts.append(f"{',' if number else ''}{_text(name)}:")
            _write(value[name], parts)
        parts.append("}")
    else:
        raise MalformedError("Signed metadata holds a number that is no integer.", where="$.signed")


def _text(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
