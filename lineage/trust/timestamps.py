"""RFC 3161 timestamps over a signature: whether one of the known authorities made it, and when.

Owns: reading a token, as a whole response or alone. Does not own: which authorities are known (`roots`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509

from lineage.errors import MalformedError
from lineage.trust import x509_reading
from lineage.trust.roots import may_issue

MAX_BYTES = 1 << 16
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_GRANTED = bytes.fromhex("3003020100")
"""PKIStatusInfo with the status 0, which stands before a token in a response."""


def proved_us(token: bytes, signature: bytes, authorities: Sequence[x509.Certificate]) -> int | None:
    """When (µs since the epoch) an authority saw the signature; None where none of these did.

    `token` is a TimeStampResp or the TimeStampToken in it, DER. `authorities` are certificates of TSAs, or of
    those that issued them.

    Raises: MalformedError for a token that can't be read.
    Source: RFC 3161 sections 2.4.2 and 2.3.
    """
    # Imported late: whoever has no timestamps waits for none of it.
    from rfc3161_client import VerificationError, VerifierBuilder, decode_timestamp_response

    if len(token) > MAX_BYTES:
        raise MalformedError("The timestamp is too large.")
    try:
        response = decode_timestamp_response(token)
    except ValueError:
        try:
            response = decode_timestamp_response(_response(token))
        except ValueError:
            raise MalformedError("This is not an RFC 3161 timestamp that can be read.") from None
    issuers = [each for each in authorities if may_issue(each)]
    own = [each for each in authorities if not may_issue(each)]
    if not issuers:
        return None
    for tsa in (*own, None):
        builder = VerifierBuilder()
        for issuer in issuers:
            builder = builder.add_root_certificate(issuer)
        if tsa is not None:
            builder = builder.tsa_certificate(tsa)
        try:
            builder.build().verify_message(response, signature)
        except (VerificationError, *x509_reading.UNREADABLE):
            continue
        delta = response.tst_info.gen_time - _EPOCH
        return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds
    return None


def _response(token: bytes) -> bytes:
    """A token as a response that was granted."""
    body = _GRANTED + token
    length = len(body)
    if length < 128:
        return b"\x30" + bytes([length]) + body
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return b"\x30" + bytes([0x80 | len(octets)]) + octets + body
