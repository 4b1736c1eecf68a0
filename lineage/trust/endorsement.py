"""By which one key vouches for its successor: a signed sentence that names both.

Owns: the form of that sentence. It names no log: a successor is one wherever the old key is known.
Does not own: that somebody decided to follow it (`signer_decisions`).
"""

from __future__ import annotations

import msgspec

from lineage.errors import MalformedError
from lineage.trust import dsse, strictjson
from lineage.trust.keys import PrivateKey, PublicKey

PAYLOAD_TYPE = "application/vnd.lineage.key-endorsement.v1+json"


class _Endorsement(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    old_key_id: str
    new_key_id: str


_DECODER = msgspec.json.Decoder(_Endorsement)


def build(old: PrivateKey, new: PublicKey) -> bytes:
    """A DSSE envelope in which `old` says that `new` takes its place."""
    payload = msgspec.json.encode(_Endorsement(old.public.key_id, new.key_id))
    return dsse.sign(PAYLOAD_TYPE, payload, old)


def check(data: bytes, old: PublicKey, new_key_id: str) -> None:
    """Raises: MalformedError where `old` does not say here that the key `new_key_id` takes its place."""
    envelope = dsse.parse(data)
    message = dsse.pae(envelope.payload_type, envelope.payload)
    if not any(old.verify(message, signature.sig) for signature in envelope.signatures):
        raise MalformedError("The endorsement is not signed by the key that is to be replaced.")
    if envelope.payload_type != PAYLOAD_TYPE:
        raise MalformedError(f"The endorsement's payload type is not {PAYLOAD_TYPE}.")
    strictjson.check(envelope.payload, what="endorsement")
    try:
        said = _DECODER.decode(envelope.payload)
    except msgspec.DecodeError as error:
        raise strictjson.mismatch(error, "The endorsement can't be read") from None
    if (said.old_key_id, said.new_key_id) != (old.key_id, new_key_id):
        raise MalformedError("The endorsement is about other keys.")
