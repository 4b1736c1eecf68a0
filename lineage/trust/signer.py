"""Whatever signs: a private key in memory, or one that a token keeps and never gives out."""

from __future__ import annotations

from typing import Protocol

from lineage.trust.keys import PublicKey


class Signer(Protocol):
    """A private key that can be used."""

    @property
    def public(self) -> PublicKey:
        """The public half."""
        ...

    def sign(self, message: bytes) -> bytes:
        """The signature over `message`, in the form that `PublicKey.verify` of `public` takes.

        May raise ConfigurationError or UnavailableError where the key is not in this process.
        """
        ...
