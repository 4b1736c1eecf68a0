"""The platform's private keys in a PKCS#11 token, which signs with them and never gives them out.

Each is a key pair with the label `<origin> <role>`; a role may have several, and the log says which holds it.
Ed25519 where the token can, else ECDSA P-256. The log's key must be Ed25519, because checkpoints are: where
the token can't, it stays a file beside the token, in LINEAGE_HOME/keys. So does each key of an installation
that came from files, until it is rotated.

Owns: these objects. Does not own: the session with the token (`token_session`), which key is to be used
(`platform_keys`).
Source: PKCS#11 v3.0, sections 2.3 (elliptic curves, CKM_EDDSA, CKM_ECDSA); RFC 8032; RFC 5480; RFC 8410.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pkcs11
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass
from pkcs11.types import SignMixin
from pkcs11.util.ec import encode_ecdsa_signature, encode_named_curve_parameters

from lineage.errors import ConfigurationError, MalformedError, UnavailableError
from lineage.pkcs11_uri import TokenUri
from lineage.services import token_session
from lineage.services.key_files import ROLES, KeyFolder
from lineage.services.token_session import TokenSession
from lineage.trust.keys import PublicKey, load_public
from lineage.trust.signer import Signer

logger = logging.getLogger(__name__)

_ED25519 = "1.3.101.112"
_P256 = "secp256r1"
_EDDSA = {Mechanism.EC_EDWARDS_KEY_PAIR_GEN, Mechanism.EDDSA}


@dataclass(frozen=True, slots=True)
class TokenKey:
    """A private key in a token: a handle that signs. `pair` is the CKA_ID that both halves share."""

    public: PublicKey
    pair: bytes
    _session: TokenSession = field(repr=False, compare=False)

    def sign(self, message: bytes) -> bytes:
        """Ed25519: 64 bytes. ECDSA: DER, with SHA-256.

        Raises: ConfigurationError, UnavailableError where the token can't be used, or has the key no more.
        """

        def work(session: pkcs11.Session) -> bytes:
            wanted = {Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.ID: self.pair}
            for key in list(session.get_objects(wanted)):
                assert isinstance(key, SignMixin)
                if self.public.algorithm == "ed25519":
                    return bytes(key.sign(message, mechanism=Mechanism.EDDSA))
                signature = key.sign(hashlib.sha256(message).digest(), mechanism=Mechanism.ECDSA)
                return encode_ecdsa_signature(bytes(signature))
            raise UnavailableError(
                f"The key {self.public.key_id} is no longer on the token {self._session.uri.token}."
            )

        return self._session.use(work)


class KeyToken:
    """The keys in the token that `uri` names, and in `folder` those that are not (yet) in it."""

    def __init__(self, uri: TokenUri, folder: Path) -> None:
        self._uri = uri
        self._session = token_session.session(uri)
        self._files = KeyFolder(folder)
        self._origin = ""

    @property
    def where(self) -> str:
        return f"the token {self._uri.token}"

    def name(self, role: str) -> str:
        """Where the key of a role is looked for, for messages."""
        return f"The object '{self._origin} {role}' on the token {self._uri.token}"

    def origin(self) -> str:
        """From the URI, the file of the log's key, or the labels. Raises: ConfigurationError."""
        if not self._origin:
            found = self._known_origin()
            if not found:
                raise ConfigurationError(
                    f"There are no keys of a log on the token {self._uri.token}.",
                    hint="Is it the token that the log was begun with? Restore it from its own backup.",
                )
            self._origin = found
        return self._origin

    def held(self, role: str) -> Sequence[Signer]:
        """Every key for a role, the token's first. Raises: ConfigurationError where there is none."""
        label = f"{self.origin()} {role}"
        found: list[Signer] = [*self._in_token(label)]
        if self._files.has(role):
            found += self._files.held(role)
        if not found:
            raise ConfigurationError(
                f"There is no object '{label}' on the token {self._uri.token}.",
                hint="Restore it from the token's own backup, or have the log give its role to another key"
                " (docs/key-ceremony.md, Lost).",
            )
        return found

    def create_missing(self) -> None:
        """Make in the token the keys that are nowhere yet; the origin is drawn with the first."""
        self._origin = self._known_origin() or f"lineage/{secrets.token_hex(8)}"
        for role in ROLES:
            label = f"{self._origin} {role}"
            if self._files.has(role) or self._in_token(label):
                continue
            if role == "log" and not self._can_eddsa():
                logger.warning(
                    "The token %s can't sign with Ed25519: the log's key is a file", self._uri.token
                )
                self._files.create(role, self._origin)
            else:
                self._generate(label)

    def make_next(self, role: str, origin: str, is_known: Callable[[str], bool]) -> Signer:
        """The key that waits in the token and that the log does not know, or a new one."""
        self._origin = origin
        label = f"{origin} {role}"
        for key in self._in_token(label):
            if not is_known(key.public.key_id):
                return key
        if role == "log" and not self._can_eddsa():
            return self._files.make_next(role, origin, is_known)
        return self._generate(label)

    def settle(self, role: str, key_id: str) -> None:
        """Have a key that is a file in its place; in a token keys have none."""
        if self._files.has(role):
            self._files.settle(role, key_id)

    def _can_eddsa(self) -> bool:
        return self._session.mechanisms() >= _EDDSA

    def _known_origin(self) -> str:
        if self._uri.origin:
            return self._uri.origin
        if self._files.has("log"):
            return self._files.origin()
        found = sorted(self._session.use(_origins))
        if len(found) > 1:
            raise ConfigurationError(
                f"The token {self._uri.token} keeps keys of several logs: {', '.join(found)}.",
                hint="Say which with object= in LINEAGE_KEYS, such as object=" + found[0].replace("/", "%2F"),
            )
        return found[0] if found else ""

    def _in_token(self, label: str) -> list[TokenKey]:
        return self._session.use(lambda session: self._labelled(session, label))

    def _labelled(self, session: pkcs11.Session, label: str) -> list[TokenKey]:
        """Every whole pair with that label."""
        wanted = {Attribute.CLASS: ObjectClass.PUBLIC_KEY, Attribute.LABEL: label}
        private = {
            bytes(each[Attribute.ID])
            for each in list(session.get_objects({**wanted, Attribute.CLASS: ObjectClass.PRIVATE_KEY}))
        }
        found = []
        for each in list(session.get_objects(wanted)):
            pair = bytes(each[Attribute.ID])
            if pair in private:
                public = _public(bytes(each[Attribute.EC_PARAMS]), bytes(each[Attribute.EC_POINT]), label)
                found.append(TokenKey(public, pair, self._session))
        return sorted(found, key=lambda key: key.public.key_id)

    def _generate(self, label: str) -> TokenKey:
        pair = secrets.token_bytes(16)
        edwards = self._can_eddsa()

        def work(session: pkcs11.Session) -> None:
            kind = KeyType.EC_EDWARDS if edwards else KeyType.EC
            curve = {Attribute.EC_PARAMS: encode_named_curve_parameters(_ED25519 if edwards else _P256)}
            session.create_domain_parameters(kind, curve, local=True).generate_keypair(
                mechanism=Mechanism.EC_EDWARDS_KEY_PAIR_GEN if edwards else Mechanism.EC_KEY_PAIR_GEN,
                store=True,
                label=label,
                id=pair,
                private_template={Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False},
            )

        try:
            self._session.create(work)
        except UnavailableError as error:
            raise ConfigurationError(
                f"The key '{label}' can't be made: {error.message}",
                hint="The token must be able to make and use ECDSA P-256 or Ed25519 keys.",
            ) from error
        logger.info("Made the key '%s' in the token %s", label, self._uri.token)
        made = self._in_token(label)
        return next(key for key in made if key.pair == pair)


def _origins(session: pkcs11.Session) -> set[str]:
    """The origins in the labels of the private keys."""
    found = set()
    for each in list(session.get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY})):
        origin, space, role = str(each[Attribute.LABEL]).rpartition(" ")
        if space and origin and " " not in origin and role in ROLES:
            found.add(origin)
    return found


def _public(parameters: bytes, point: bytes, label: str) -> PublicKey:
    """The public key of an object. Points come as they are, or as an OCTET STRING around them."""
    try:
        if parameters == encode_named_curve_parameters(_ED25519):
            native: ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey
            native = ed25519.Ed25519PublicKey.from_public_bytes(point[-32:])
        elif parameters == encode_named_curve_parameters(_P256):
            native = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point[-65:])
        else:
            raise ConfigurationError(f"The object '{label}' is neither an Ed25519 nor an ECDSA P-256 key.")
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return load_public(native.public_bytes(serialization.Encoding.DER, form))
    except (ValueError, MalformedError) as error:
        raise ConfigurationError(f"The public half of the object '{label}' can't be read: {error}.") from None
