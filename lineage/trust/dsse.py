"""DSSE envelopes: reading, the pre-authentication encoding (PAE), and signing.

Does not own: which keys are believed (`policy`), trying keys (`verify`), what a payload says (`statement`).
"""

from __future__ import annotations

import binascii
import re
from typing import TYPE_CHECKING

import msgspec

from lineage.errors import MalformedError, TooLargeError
from lineage.trust import strictjson

if TYPE_CHECKING:
    from lineage.trust.signer import Signer

INTOTO_PAYLOAD_TYPE = "application/vnd.in-toto+json"
MAX_SIGNATURES = 32

_URL_TO_STANDARD = bytes.maketrans(b"-_", b"+/")


class Signature(msgspec.Struct, frozen=True, gc=False):
    """`keyid` is a hint that nothing authenticates, "" where it was absent; `sig` is raw bytes, not empty."""

    keyid: str
    sig: bytes


class Envelope(msgspec.Struct, frozen=True, gc=False):
    """A well-formed envelope. Nothing in it has been verified."""

    payload_type: str
    payload: bytes
    signatures: tuple[Signature, ...]


class Placed(msgspec.Struct, frozen=True, gc=False):
    """Where base64 stands in other bytes, and what it stands for.

    `standard`: it is of the standard alphabet, and padded.
    """

    start: int
    end: int
    payload: bytes
    standard: bool


NOWHERE = Placed(0, 0, b"", False)


class _RawSignature(msgspec.Struct, gc=False):
    sig: str
    keyid: str | None = None


class _RawEnvelope(msgspec.Struct, gc=False, rename={"payload_type": "payloadType"}):
    payload: str
    payload_type: str
    signatures: list[_RawSignature]


_DECODER = msgspec.json.Decoder(_RawEnvelope)
_BYTES = msgspec.json.Decoder(bytes)
_PAYLOAD = re.compile(rb'"payload"\s*:\s*"')
_STAND_IN = "a+payload+is+left+out+here++"
_QUOTED = msgspec.json.encode(_STAND_IN)


def parse(data: bytes) -> Envelope:
    """Read an envelope. Unknown members are ignored, key ids may be missing, null, empty or repeated.

    Raises:
        MalformedError: not strict JSON, a member missing or of another type, bad base64, an empty payload,
            payload type or signature, no signature at all.
        TooLargeError: more than 32 signatures, or nested too deeply.
    Source: DSSE v1, envelope.md.
    """
    return parse_placed(data, place(data))[0]


def parse_placed(data: bytes, placed: Placed) -> tuple[Envelope, bool]:
    """`parse` for who has looked already; and whether what was found is the envelope's payload.

    Raises: as `parse`.
    """
    raw = _without(data, placed.start, placed.end) if placed.payload else None
    return (_whole(data), False) if raw is None else (_envelope(raw, placed.payload), True)


def place(data: bytes) -> Placed:
    """The first thing in an envelope or around one that may be a payload, decoded; `NOWHERE` if none is."""
    if (found := _PAYLOAD.search(data)) is not None:
        start = found.end()
        end = data.find(b'"', start)
        # Read where it stands: of a large statement each copy is as much as hashing it.
        if end > start and (payload := _standard(memoryview(data)[start - 1 : end + 1])):
            return Placed(start, end, payload, True)
        if end > start and (payload := _decoded(data[start:end])):
            return Placed(start, end, payload, False)
    return NOWHERE


def opened_at(start: int, payload: bytes) -> Placed:
    """For who knows that the base64 of `payload`, standard and padded, begins at byte `start`."""
    return Placed(start, start + (len(payload) + 2) // 3 * 4, payload, True) if payload else NOWHERE


def _whole(data: bytes) -> Envelope:
    """`parse`, the payload's base64 as part of the JSON."""
    strictjson.check(data, what="envelope")
    try:
        raw = _DECODER.decode(data)
    except msgspec.DecodeError as error:
        raise strictjson.mismatch(error, "This is not a DSSE envelope") from None
    return _envelope(raw, None)


def _without(data: bytes, start: int, end: int) -> _RawEnvelope | None:
    """The envelope without its payload, whose base64 stands between `start` and `end`, in quotes.

    Half of the cost of reading it whole: most of an envelope is the payload, and nothing in base64 means
    anything to JSON, so the rest is strict with any payload or with none. The stand-in is there once and
    nothing is escaped, so where it is what was read as the payload, that stood where it stands.
    None where that does not hold, and for what is wrong: reading it whole says what.
    """
    if data[start - 1 : start] != b'"' or data[end : end + 1] != b'"':
        return None
    rest = data[: start - 1] + _QUOTED + data[end + 1 :]
    if b"\\" in rest or rest.count(_QUOTED) != 1:
        return None
    try:
        strictjson.check(rest, what="envelope")
        raw = _DECODER.decode(rest)
    except (MalformedError, TooLargeError, msgspec.DecodeError):
        return None
    return raw if raw.payload == _STAND_IN else None


def _envelope(raw: _RawEnvelope, payload: bytes | None) -> Envelope:
    """What is left to check of it. `payload`: already decoded. Raises: MalformedError, TooLargeError."""
    if not raw.payload_type:
        raise MalformedError("The envelope's payload type is empty.", where="$.payloadType")
    if not raw.signatures:
        raise MalformedError("The envelope has no signature.", where="$.signatures")
    if len(raw.signatures) > MAX_SIGNATURES:
        raise TooLargeError(
            f"The envelope has {len(raw.signatures)} signatures; the limit is {MAX_SIGNATURES}.",
            limit=MAX_SIGNATURES,
            where="$.signatures",
        )
    if payload is None:
        payload = decode_base64(raw.payload, where="$.payload")
    if not payload:
        raise MalformedError("The envelope's payload is empty.", where="$.payload")
    signatures: list[Signature] = []
    try:
        for signature in raw.signatures:
            signatures.append(_signature(signature))
    except MalformedError as error:  # paths are written only where one is needed
        error.where = f"$.signatures[{len(signatures)}].sig"
        raise
    return Envelope(raw.payload_type, payload, tuple(signatures))


def _signature(raw: _RawSignature) -> Signature:
    sig = decode_base64(raw.sig, where="")
    if not sig:
        raise MalformedError("A signature of the envelope is empty.")
    return Signature(raw.keyid or "", sig)


def decode_base64(text: str, *, where: str) -> bytes:
    """Standard or URL-safe base64, padded or not, but one spelling for each value and no white space.

    Raises:
        MalformedError: another character, both alphabets in one text, wrong padding, or bits set that no
            byte uses (two texts would stand for the same bytes).
    Source: RFC 4648 sections 3.5, 4 and 5; DSSE v1, protocol.md.
    """
    try:
        spelled = text.encode("ascii")
    except UnicodeEncodeError:
        raise MalformedError("This is not base64: it has characters beyond ASCII.", where=where) from None
    if (data := _standard(b'"%b"' % spelled)) is not None:  # nearly all
        return data
    if (b"-" in spelled or b"_" in spelled) and (b"+" in spelled or b"/" in spelled):
        raise MalformedError("This is not base64: it mixes the two alphabets.", where=where)
    if (data := _decoded(spelled)) is None:
        raise MalformedError(
            "This is not base64 in its one form: characters or padding are wrong, or unused bits are set.",
            where=where,
        )
    return data


def _decoded(spelled: bytes) -> bytes | None:
    """Base64 in its one form for an alphabet, decoded; None where it is none."""
    if b"-" in spelled or b"_" in spelled:
        if b"+" in spelled or b"/" in spelled:
            return None
        spelled = spelled.translate(_URL_TO_STANDARD)
    if b"=" not in spelled:
        spelled += b"=" * (-len(spelled) % 4)
    return _standard(b'"%b"' % spelled)


def _standard(quoted: bytes | memoryview) -> bytes | None:
    """Quoted and padded base64 of the standard alphabet, decoded; None where it is none, or not its one form.

    `msgspec` is three times as fast as `binascii`, and reads four characters of the alphabet at a time: no
    two texts give the same bytes but by a JSON escape, which makes the text longer than its bytes need, or
    by bits of the last four that no byte uses.
    """
    try:
        data = _BYTES.decode(quoted)
    except msgspec.DecodeError:
        return None
    if len(quoted) - 2 != (len(data) + 2) // 3 * 4:
        return None
    rest = len(data) % 3
    return None if rest and binascii.b2a_base64(data[-rest:], newline=False) != quoted[-5:-1] else data


def encode_base64(data: bytes) -> str:
    """Standard base64 with padding."""
    return binascii.b2a_base64(data, newline=False).decode("ascii")


def pae(payload_type: str, payload: bytes) -> bytes:
    """The bytes that are signed. Lengths are those of the UTF-8 bytes, in decimal.

    Source: DSSE v1, protocol.md, "Signature Definition".
    """
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def encode(envelope: Envelope) -> bytes:
    """A compact JSON envelope with what was read of another: payload, type, signatures, key ids."""
    signatures = [{"keyid": each.keyid, "sig": encode_base64(each.sig)} for each in envelope.signatures]
    return msgspec.json.encode(
        {
            "payloadType": envelope.payload_type,
            "payload": encode_base64(envelope.payload),
            "signatures": signatures,
        }
    )


def sign(payload_type: str, payload: bytes, key: Signer) -> bytes:
    """A compact JSON envelope with one signature, whose key id is the hex SHA-256 of the key's SPKI.

    Raises:
        ValueError: payload or payload type is empty; such an envelope could not be read back.
    """
    if not payload or not payload_type:
        raise ValueError("an envelope needs a payload and a payload type")
    signature = key.sign(pae(payload_type, payload))
    return msgspec.json.encode(
        {
            "payloadType": payload_type,
            "payload": encode_base64(payload),
            "signatures": [{"keyid": key.public.key_id, "sig": encode_base64(signature)}],
        }
    )
