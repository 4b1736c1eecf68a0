"""Witnesses' keys and cosignatures of both kinds, from the specification alone: no product code.

Source: C2SP tlog-cosignature, signed-note (verifier keys); RFC 8446 section 3 (how lengths are written).
"""

from __future__ import annotations

import struct
from base64 import b64decode, b64encode
from dataclasses import dataclass
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey


@dataclass(frozen=True)
class Cosigner:
    """`kind`: 4 is Ed25519, 6 ML-DSA-44. `seed`: 32 bytes that the key follows from."""

    name: str
    seed: bytes
    kind: int = 4

    @property
    def private(self) -> Ed25519PrivateKey | MLDSA44PrivateKey:
        if self.kind == 4:
            return Ed25519PrivateKey.from_private_bytes(self.seed)
        return MLDSA44PrivateKey.from_seed_bytes(self.seed)

    @property
    def typed(self) -> bytes:
        return bytes([self.kind]) + self.private.public_key().public_bytes_raw()

    @property
    def hashed(self) -> bytes:
        return sha256(self.name.encode() + b"\n" + self.typed).digest()[:4]

    @property
    def verifier_key(self) -> str:
        return f"{self.name}+{self.hashed.hex()}+{b64encode(self.typed).decode()}"

    def line(self, body: bytes, seconds: int, said: int | None = None) -> bytes:
        """A signature line under a checkpoint's text; `said` is another time than the one that is signed."""
        if self.kind == 4:
            message = b"cosignature/v1\ntime %d\n" % seconds + body
        else:
            message = self.subtree(body, seconds)
        signature = self.private.sign(message)
        blob = self.hashed + struct.pack(">Q", seconds if said is None else said) + signature
        return f"\u2014 {self.name} {b64encode(blob).decode()}\n".encode()

    def subtree(self, body: bytes, seconds: int) -> bytes:
        origin, size, root = body.split(b"\n")[:3]
        name = self.name.encode()
        parts = [b"subtree/v1\n\0", struct.pack("B", len(name)), name, struct.pack(">Q", seconds)]
        parts += [struct.pack("B", len(origin)), origin, struct.pack(">QQ", 0, int(size)), b64decode(root)]
        return b"".join(parts)
