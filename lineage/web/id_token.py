"""ID tokens of an OpenID provider: who somebody is, signed for us, for this sign-in, now.

Owns: what makes an ID token good. The signature is verified although the token comes over a connection of our
own to the provider, which the specification would take for enough. Does not own: fetching keys and tokens.
Source: OpenID Connect Core 1.0, section 3.1.3.7.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from typing import Any

import jwt

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
"""Signatures alone: with a shared secret, or none, anybody who knows the client could write a token."""
LEEWAY_SECONDS = 60
MAX_KEYS = 50
MAX_BYTES = 64 << 10


class IdTokenError(Exception):
    """The ID token is not good; the message says why, for the server's own log."""


def read(
    token: str, keys: Sequence[Mapping[str, Any]], *, issuer: str, client_id: str, nonce: str
) -> dict[str, Any]:
    """The claims of an ID token. `keys` are the provider's, as JWKs. Raises: IdTokenError."""
    if len(token) > MAX_BYTES:
        raise IdTokenError("the ID token is too long")
    try:
        header = jwt.get_unverified_header(token)
        algorithm = header.get("alg")
        if algorithm not in ALGORITHMS:
            raise IdTokenError(f"the ID token is signed by {str(algorithm)[:20]!r}")
        key = jwt.PyJWK(dict(_key(keys, header.get("kid"))), algorithm=algorithm)
        claims: dict[str, Any] = jwt.decode(
            token,
            key=key,
            algorithms=[algorithm],
            audience=client_id,
            issuer=issuer,
            leeway=LEEWAY_SECONDS,
            options={"require": ["iss", "sub", "aud", "exp", "iat"]},
        )
    except jwt.PyJWTError as error:
        raise IdTokenError(f"the ID token is refused: {error}") from error
    shared = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if (shared or "azp" in claims) and claims.get("azp") != client_id:
        raise IdTokenError("the ID token was made for another client")
    if not hmac.compare_digest(str(claims.get("nonce", "")).encode("utf-8", "replace"), nonce.encode()):
        raise IdTokenError("the ID token is not of this sign-in")
    if not isinstance(claims["sub"], str) or not claims["sub"]:
        raise IdTokenError("the ID token names nobody")
    return claims


def _key(keys: Sequence[Mapping[str, Any]], kid: object) -> Mapping[str, Any]:
    """The key that the token names; without a name, the only one that signs."""
    signing = [key for key in keys[:MAX_KEYS] if key.get("use", "sig") == "sig"]
    fitting = [key for key in signing if kid is None or key.get("kid") == kid]
    if len(fitting) != 1:
        raise IdTokenError(f"{len(fitting)} of the provider's keys fit the ID token")
    return fitting[0]
