"""Identities that sign by certificate: who vouches for them, and which subjects are meant.

Owns: the pattern of a subject, and an identity's id. Does not own: what a certificate proves (`certified`),
or whether the identity is believed (`policy`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from lineage.errors import MalformedError
from lineage.trust.digest import sha256_hex

PREFIX = "identity:"
X509_ISSUER = "x509:"
"""Before a root's id: the issuer of an identity that an X.509 root vouches for."""
MAX_TEXT = 2000
MAX_STARS = 4
"""So that a pattern can't make matching slow."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Whoever holds a certificate of `root` from `issuer` for a subject that fits.

    Attributes:
        issuer: the OIDC issuer that a Fulcio certificate names, or `x509:<root id>`.
        subject: a subject alternative name; `*` stands for any text. Without `*` it is one identity exactly.
        root: id of the trust material that the certificate must chain to.
    """

    issuer: str
    subject: str
    root: str

    @property
    def key_id(self) -> str:
        """`identity:<hex SHA-256 of issuer, newline, subject>`: it stands where a key's id would."""
        return PREFIX + sha256_hex(f"{self.issuer}\n{self.subject}".encode())

    @property
    def algorithm(self) -> str:
        """What stands behind it, in the place of a key's algorithm."""
        return "x509-identity" if self.issuer.startswith(X509_ISSUER) else "sigstore-identity"

    @property
    def hints(self) -> frozenset[str]:
        """No envelope names an identity as its key."""
        return frozenset()

    def fits(self, issuer: str, subject: str, root: str) -> bool:
        """Whether a certificate of this issuer and root for this subject is one of those that are meant."""
        return (self.issuer, self.root) == (issuer, root) and bool(_pattern(self.subject).fullmatch(subject))


def make(issuer: str, subject: str, root: str) -> Identity:
    """An identity to register.

    Raises: MalformedError for a text that is empty, too long or not printable, a subject that fits everybody,
        or an X.509 issuer that is not the root.
    """
    for text, what in ((issuer, "issuer"), (subject, "subject")):
        if not 0 < len(text) <= MAX_TEXT or not text.isprintable() or text != text.strip():
            raise MalformedError(
                f"An {what} is one printable line of up to {MAX_TEXT} characters.", where=what
            )
    if subject.count("*") > MAX_STARS:
        raise MalformedError(f"A subject has at most {MAX_STARS} asterisks.", where="subject")
    if len(subject.replace("*", "")) < 3:
        raise MalformedError(
            "This subject fits anybody who has a certificate.",
            hint="Name the subject, such as the workflow's URI; `*` may stand for a part of it.",
            where="subject",
        )
    if issuer.startswith(X509_ISSUER) and issuer != X509_ISSUER + root:
        raise MalformedError("An X.509 identity's issuer is `x509:` and the id of its root.", where="issuer")
    return Identity(issuer, subject, root)


@lru_cache(maxsize=1024)
def _pattern(subject: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in subject.split("*")), re.DOTALL)
