"""What a signed file is judged by, where nothing but the file and these values is at hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lineage.trust.keys import PublicKey
from lineage.trust.roots import Root


@dataclass(frozen=True, slots=True)
class Given:
    """What a file is judged by.

    Attributes:
        at_us: the moment to judge at, µs since the epoch, where nothing in the file proves another.
        keys: public keys that may have signed.
        roots: trust material that certificates may lead to.
        identity: the subject that a certificate must be for; `*` stands for any text. Needed for Sigstore.
        issuer: the OIDC issuer that a Sigstore certificate must name; "": any.
        log_keys: C2SP verifier keys of the log, for proofs.
        witnesses: verifier keys of those who should have cosigned a proof's checkpoint.
        quorum: how many of them must have; 0: all of them. Several keys of one witness count once.
        artifact: digest set of what must be a subject, or None.
        content: the artifact's bytes, where they are an envelope that a proof is about.
    """

    at_us: int
    keys: tuple[PublicKey, ...] = ()
    roots: tuple[Root, ...] = ()
    identity: str = ""
    issuer: str = ""
    log_keys: tuple[str, ...] = ()
    witnesses: tuple[str, ...] = ()
    quorum: int = 0
    artifact: Mapping[str, str] | None = None
    content: bytes | None = None
