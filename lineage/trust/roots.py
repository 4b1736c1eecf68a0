"""Trust material that certificates may chain to, as an operator adopted it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lineage.errors import MalformedError
from lineage.trust.digest import sha256_hex

RootKind = Literal["sigstore", "x509", "timestamp"]


@dataclass(frozen=True, slots=True)
class Root:
    """`root_id` is the hex SHA-256 of `material`: a trusted_root.json, or PEM certificates."""

    root_id: str
    kind: RootKind
    material: bytes


def load(kind: RootKind, material: bytes) -> Root:
    """Raises: MalformedError for material that can't be read."""
    if not material or len(material) > 1 << 20:
        raise MalformedError("A root has 1 byte to 1 MiB.")
    return Root(sha256_hex(material), kind, material)
