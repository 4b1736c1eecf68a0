"""C2SP checkpoints: a tree's size and root, signed as a note.

Owns: the note's form, Ed25519 note signatures and verifier keys. Does not own: proofs (`merkle`), or whether
a checkpoint follows the last one.

Source: C2SP signed-note and tlog-checkpoint, v1.0.0.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from lineage.errors import MalformedError, SignatureRefutedError, SignerUnknownError
from lineage.trust.dsse import decode_base64, encode_base64
from lineage.trust.keys import PublicKey, load_public
from lineage.trust.merkle import EMPTY_ROOT, HASH_BYTES
from lineage.trust.signer import Signer

MAX_NOTE_BYTES = 1_000_000
MAX_SIGNATURES = 100

_ED25519 = b"\x01"
_DASH = "\u2014 "  # every signature line begins with an em dash
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_NAME = re.compile(r"[^\s+\x00-\x1f\x7f\ud800-\udfff]+")  # bytes that are no UTF-8 come as surrogates
_KEY_HASH = re.compile(r"[0-9a-f]{8}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """`origin` names the log, `size` counts its entries, `root` is 32 raw bytes."""

    origin: str
    size: int
    root: bytes

    def __post_init__(self) -> None:
        """Raises MalformedError where the values could not stand in a checkpoint."""
        if not self.origin or any(c < " " or c == "\x7f" for c in self.origin):
            raise MalformedError("A checkpoint's origin is one line of text.", where="line 1")
        if not 0 <= self.size < 1 << 63:
            raise MalformedError("A checkpoint's size is a count of entries.", where="line 2")
        if len(self.root) != HASH_BYTES:
            raise MalformedError("A checkpoint's root has 32 bytes.", where="line 3")
        if self.size == 0 and self.root != EMPTY_ROOT:
            raise MalformedError("The root of an empty log is the hash of nothing.", where="line 3")

    def body(self) -> bytes:
        """The three lines that are signed, UTF-8, each ended by a newline."""
        return f"{self.origin}\n{self.size}\n{encode_base64(self.root)}\n".encode()


def one_base64(text: str, where: str) -> bytes:
    """Standard base64 with its padding: a note has one spelling, unlike an envelope."""
    data = decode_base64(text, where=where)
    if encode_base64(data) != text:
        raise MalformedError("This is not standard base64 with padding.", where=where)
    return data


def check_name(name: str) -> None:
    """Raises: MalformedError for what can't be a key's name."""
    if not _NAME.fullmatch(name):
        raise MalformedError("A key's name is text without white space and plus signs.")


def _key_hash(name: str, raw: bytes) -> bytes:
    return hashlib.sha256(name.encode("utf-8") + b"\n" + _ED25519 + raw).digest()[:4]


def verifier_key(origin: str, public: PublicKey) -> str:
    """The log's public key as `name+hash+base64`.

    Raises:
        MalformedError: not an Ed25519 key, or `origin` can't be a key's name.
    """
    check_name(origin)
    raw = public.raw_ed25519()
    return f"{origin}+{_key_hash(origin, raw).hex()}+{encode_base64(_ED25519 + raw)}"


@lru_cache(64)  # the log's own is asked for with each checkpoint: looking whether it is sound takes 0.5 ms
def parse_verifier_key(text: str) -> tuple[str, bytes, PublicKey]:
    """Name, four-byte key hash and key.

    Raises:
        MalformedError: not a verifier key, not Ed25519, or its hash is another key's.
    """
    # The base64 part may hold plus signs, the name can't.
    parts = text.strip().split("+", 2)
    if len(parts) != 3 or not _KEY_HASH.fullmatch(parts[1]):
        raise MalformedError("A verifier key is name+hash+base64, the hash eight hex digits.")
    name, hash_hex, encoded = parts
    check_name(name)
    key = one_base64(encoded, "the verifier key")
    if key[:1] != _ED25519 or len(key) != 33:
        raise MalformedError("The verifier key is not an Ed25519 key.")
    if _key_hash(name, key[1:]).hex() != hash_hex:
        raise MalformedError("The verifier key's hash does not belong to its name and key.")
    native = ed25519.Ed25519PublicKey.from_public_bytes(key[1:])
    spki = native.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return name, bytes.fromhex(hash_hex), load_public(spki)


def sign(checkpoint: Checkpoint, *keys: Signer) -> bytes:
    """The note with a signature line of each key, in their order; their name is the checkpoint's origin.

    Raises:
        MalformedError: no key, not an Ed25519 key, or the origin can't be a key's name.
    """
    check_name(checkpoint.origin)
    if not 0 < len(keys) <= MAX_SIGNATURES:
        raise MalformedError(f"A note has 1 to {MAX_SIGNATURES} signatures.")
    body = checkpoint.body()
    return body + b"\n" + b"".join(_signed_line(checkpoint.origin, body, key) for key in keys)


def _signed_line(name: str, body: bytes, key: Signer) -> bytes:
    signature = _key_hash(name, key.public.raw_ed25519()) + key.sign(body)
    return f"{_DASH}{name} {encode_base64(signature)}\n".encode()


def verify(note: bytes, verifier_key: str) -> Checkpoint:
    """The checkpoint in a note that the key signed. Signatures by other keys are ignored, as the format asks.

    The key's name may differ from the origin (Go's checksum database does so): compare the origin yourself.

    Raises:
        MalformedError: not a note, not a checkpoint in it, or not a verifier key.
        SignerUnknownError: the key did not sign it.
        SignatureRefutedError: a signature names the key and fails.
    """
    name, key_hash, key = parse_verifier_key(verifier_key)
    body, signatures = split_note(note)
    ours = [sig[4:] for signer, sig in signatures if signer == name and sig[:4] == key_hash]
    if not ours:
        raise SignerUnknownError(f"The checkpoint has no signature by {name}.")
    if not all(key.verify(body, signature) for signature in ours):
        raise SignatureRefutedError(f"The checkpoint's signature by {name} does not verify.")
    return parse_body(body)


def split_note(note: bytes) -> tuple[bytes, list[tuple[str, bytes]]]:
    """The signed text, and for each signature line its key's name and key hash with signature.

    Raises: MalformedError for bytes that are no note.
    """
    if len(note) > MAX_NOTE_BYTES:
        raise MalformedError("A note has at most a million bytes.")
    try:
        text = note.decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedError("A note is UTF-8 text.") from None
    if any(c < " " and c != "\n" for c in text):
        raise MalformedError("A note has no control characters.")
    # The last blank line separates, so text with a blank line can't pass lines off as signatures.
    body, blank, block = text.rpartition("\n\n")
    if not blank or not block.endswith("\n"):
        raise MalformedError("A note is text, a blank line and signature lines.")
    lines = block[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise MalformedError(f"A note has at most {MAX_SIGNATURES} signatures.")
    return (body + "\n").encode("utf-8"), [signature_line(line) for line in lines]


def signature_line(line: str) -> tuple[str, bytes]:
    """The key's name and its four-byte hash with the signature. Raises: MalformedError."""
    parts = line.removeprefix(_DASH).split(" ")
    if not line.startswith(_DASH) or len(parts) != 2:
        raise MalformedError("A note's signature line is a dash, a name and base64.")
    check_name(parts[0])
    signature = one_base64(parts[1], "a signature line")
    if len(signature) < 5:
        raise MalformedError("A note's signature is too short.")
    return parts[0], signature


def parse_body(body: bytes) -> Checkpoint:
    """What a note's text says, whoever signed it. Raises: MalformedError for text that is no checkpoint."""
    lines = body.decode("utf-8").split("\n")
    if len(lines) < 4 or not all(lines[:-1]) or not _SIZE.fullmatch(lines[1]):
        raise MalformedError("A checkpoint is the lines origin, size and root, none of them empty.")
    # Extension lines may follow. They are signed, and mean nothing here.
    return Checkpoint(lines[0], int(lines[1]), one_base64(lines[2], "line 3"))
