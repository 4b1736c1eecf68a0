"""A signed statement as it arrives: a DSSE envelope, or a Sigstore bundle that carries one.

Owns: telling the two apart, and taking the envelope out. Verifies nothing. Does not own: envelopes (`dsse`),
or what a bundle proves (`certified`).
"""

from __future__ import annotations

import msgspec

from lineage.errors import MalformedError
from lineage.trust import dsse, strictjson

BUNDLE_TYPE = "application/vnd.dev.sigstore.bundle"
"""How the media type of every version begins."""
_BUNDLE_TYPE = BUNDLE_TYPE.encode()


class Opened(msgspec.Struct, frozen=True, gc=False):
    """`bundle` is the whole Sigstore bundle as received, None where the envelope came alone.

    `data` is all that was received: certificates and timestamps lie beside signatures, in members that
    `envelope` leaves out. `placed` says where in it the base64 of the payload stands, `NOWHERE` if that was
    not found out.
    """

    envelope: dsse.Envelope
    bundle: bytes | None
    data: bytes
    placed: dsse.Placed = dsse.NOWHERE

    @property
    def certificates(self) -> bool:
        """Whether certificates may be in it; False is certain."""
        # `certificate`, and `cert` of older signers
        return self.bundle is not None or _has(self.data, b'"cert', self.placed)


def _has(data: bytes, words: bytes, placed: dsse.Placed) -> bool:
    """Whether the words are in it, which are no part of base64; most of what arrives is that of a payload."""
    return words in data[: placed.start] or words in data[placed.end :]


class _Bundle(msgspec.Struct, rename="camel"):
    media_type: str = ""
    dsse_envelope: msgspec.Raw = msgspec.Raw()
    message_signature: msgspec.Raw = msgspec.Raw()


_DECODER = msgspec.json.Decoder(_Bundle)


def open_signed(data: bytes, *, start: int = 0, payload: bytes = b"") -> Opened:
    """Take the envelope out of what was received.

    A bundle is what names itself one by its media type; everything else is read as an envelope.
    `start` and `payload` come from who knows where the base64 of the payload begins, and what it stands for
    (`packing.opened`): that spares decoding it.

    Raises:
        MalformedError: neither; or a bundle that signs a file's digest instead of a statement.
        TooLargeError: as `dsse.parse`.
    Source: Sigstore bundle format (`sigstore_bundle.proto`), `dsse_envelope`.
    """
    placed = dsse.opened_at(start, payload) if payload else dsse.place(data)
    # Looking for the words first spares whoever sends an envelope a second reading.
    if not _has(data, _BUNDLE_TYPE, placed):
        envelope, there = dsse.parse_placed(data, placed)
        return Opened(envelope, None, data, placed if there else dsse.NOWHERE)
    strictjson.check(data, what="bundle")
    try:
        raw = _DECODER.decode(data)
    except msgspec.DecodeError as error:
        raise strictjson.mismatch(error, "This is not a Sigstore bundle") from None
    if not raw.media_type.startswith(BUNDLE_TYPE):
        return Opened(dsse.parse(data), None, data)
    if not bytes(raw.dsse_envelope):
        what = "a file's digest" if bytes(raw.message_signature) else "nothing"
        raise MalformedError(
            f"The bundle signs {what}, not a statement.",
            where="$.dsseEnvelope",
            hint="Send a bundle over an in-toto statement; `lineage verify --artifact` verifies files.",
        )
    return Opened(dsse.parse(bytes(raw.dsse_envelope)), data, data)
