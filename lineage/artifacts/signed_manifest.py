"""The manifests of OpenSSF's model signing: which files, or shards of files, a model consists of.

Owns: the manifest's values and order, writing and reading its in-toto statement. Does not own: hashing a
model (`signed_folder`), and the signature around it, which nothing here looks at: whoever calls says so.

Source: sigstore/model-transparency, src/model_signing: manifest.py, hashing.py, _signing/signing.py.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from lineage.errors import InconclusiveError, MalformedError, TooLargeError

PREDICATE_TYPE = "https://model_signing/signature/v1.0"
OLD_PREDICATE_TYPE = "https://model_signing/Digests/v0.1"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
DEFAULT_SHARD_BYTES = 1_000_000_000
GIT_PATHS = (".git", ".gitattributes", ".github", ".gitignore")
"""What model_signing leaves out unless told otherwise."""
MAX_BYTES = 256 << 20
MAX_RESOURCES = 1_000_000

DIGEST_CHARACTERS: Mapping[str, int] = {"sha256": 64, "blake2b": 128, "blake3": 64}
_ALIASES = {"blake2": "blake2b"}
_HEX = re.compile(r"[0-9a-f]+")


@dataclass(frozen=True, slots=True)
class Serialization:
    """How the manifest was made: `method` is files or shards, `hash_type` one of DIGEST_CHARACTERS.
    `ignore` are paths, relative to the model, of files and folders that are left out."""

    method: str = "files"
    hash_type: str = "sha256"
    shard_bytes: int = DEFAULT_SHARD_BYTES
    allow_symlinks: bool = False
    ignore: tuple[str, ...] = ()

    @property
    def algorithm(self) -> str:
        """What a resource says of its digest."""
        return self.hash_type if self.method == "files" else f"{self.hash_type}-sharded-{self.shard_bytes}"

    def leaves_out(self, path: str) -> bool:
        """Whether a path, relative to the model, is ignored: itself, or a folder that it is in."""
        whole = PurePosixPath(path)
        return any(whole == one or one in whole.parents for one in map(PurePosixPath, self.ignore))


@dataclass(frozen=True, slots=True)
class Resource:
    """A file (`end` -1), or bytes `start` to `end` (exclusive) of one. `path` is relative to the model with
    `/`, `.` where the model is a single file; `digest` is lowercase hex."""

    path: str
    digest: str
    start: int = 0
    end: int = -1

    @property
    def name(self) -> str:
        return self.path if self.end < 0 else f"{self.path}:{self.start}:{self.end}"

    @property
    def words(self) -> str:
        """As people speak of it."""
        return self.path if self.end < 0 else f"{self.path}, bytes {self.start} to {self.end},"


@dataclass(frozen=True, slots=True)
class SignedManifest:
    """The files or shards of a model, sorted. `name` is the model's, for people."""

    name: str
    serialization: Serialization
    resources: tuple[Resource, ...]

    @property
    def root(self) -> str:
        """SHA-256 over all digests in order, lowercase hex: the statement's subject."""
        return hashlib.sha256(b"".join(bytes.fromhex(one.digest) for one in self.resources)).hexdigest()


def ordered(resources: Iterable[Resource]) -> tuple[Resource, ...]:
    """In model_signing's order: by the parts of the paths, then by place."""
    return tuple(sorted(resources, key=lambda one: (PurePosixPath(one.path).parts, one.start, one.end)))


def to_payload(manifest: SignedManifest) -> dict[str, Any]:
    """The in-toto statement, as JSON values, that model_signing would sign."""
    how = manifest.serialization
    serialization: dict[str, Any] = {
        "method": how.method,
        "hash_type": how.hash_type,
        "allow_symlinks": how.allow_symlinks,
    }
    if how.method == "shards":
        serialization["shard_size"] = float(how.shard_bytes)  # protobuf's Struct knows no whole numbers
    if how.ignore:
        serialization["ignore_paths"] = list(how.ignore)
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": manifest.name, "digest": {"sha256": manifest.root}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "serialization": serialization,
            "resources": [
                {"algorithm": how.algorithm, "digest": one.digest, "name": one.name}
                for one in manifest.resources
            ],
        },
    }


def looks_like_one(document: object) -> bool:
    """Whether JSON values are a Sigstore bundle, a DSSE envelope or a statement."""
    return isinstance(document, dict) and bool(document.keys() & {"dsseEnvelope", "payloadType", "_type"})


def read(content: bytes) -> SignedManifest:
    """The manifest in a `model.sig` (a Sigstore bundle), in a DSSE envelope, or in a statement.

    The signature is not looked at.

    Raises:
        MalformedError: it is none of them, contradicts itself, or names a path outside of the model.
        InconclusiveError: made in a way that is not known here.
        TooLargeError: over MAX_BYTES or MAX_RESOURCES.
    """
    if len(content) > MAX_BYTES:
        raise TooLargeError(f"A model's signature is at most {MAX_BYTES:,} bytes long.", limit=MAX_BYTES)
    document = _object(_json(content), "It")
    if len(document.keys() & {"dsseEnvelope", "payloadType", "_type"}) > 1:
        raise MalformedError("It is a bundle, an envelope and a statement at once.")
    if "dsseEnvelope" in document:
        document = _object(document["dsseEnvelope"], "dsseEnvelope")
    if "payloadType" in document:
        document = _object(_json(_payload(document)), "The payload")
    if document.get("_type") != STATEMENT_TYPE:
        raise MalformedError("It is no in-toto statement of version 1.")
    if document.get("predicateType") == OLD_PREDICATE_TYPE:
        return _read_old(document)
    if document.get("predicateType") != PREDICATE_TYPE:
        raise MalformedError("The statement is not about a model's files.")
    return _read_statement(document)


def _json(content: bytes) -> object:
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise MalformedError("It is no JSON.") from error


def _payload(envelope: Mapping[str, object]) -> bytes:
    payload = envelope.get("payload")
    if envelope.get("payloadType") != PAYLOAD_TYPE or not isinstance(payload, str):
        raise MalformedError("The envelope holds no in-toto statement.")
    try:
        return base64.b64decode(payload, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedError("The envelope's payload is no base64.") from error


def _read_statement(document: Mapping[str, object]) -> SignedManifest:
    (subject,) = _list(document.get("subject"), "The subject", 1)
    predicate = _object(document.get("predicate"), "The predicate")
    how = _serialization(_object(predicate.get("serialization"), "The serialization"))
    resources = [_resource(value, how) for value in _list(predicate.get("resources"), "The resources")]
    manifest = SignedManifest(_text(subject, "name"), how, tuple(resources))
    _distinct(resources)
    if _object(subject.get("digest"), "A digest").get("sha256") != manifest.root:
        raise MalformedError("The statement's subject is not the digest of its resources.")
    return manifest


def _read_old(document: Mapping[str, object]) -> SignedManifest:
    """Version 0.2: one subject a file, and nothing else."""
    resources = []
    for subject in _list(document.get("subject"), "The subject"):
        algorithm = _object(subject.get("annotations", {}), "Annotations").get("actual_hash_algorithm")
        if algorithm not in (None, "file-sha256"):
            raise InconclusiveError(f"The manifest hashes by {str(algorithm)[:40]}, which is not known here.")
        digest = _object(subject.get("digest"), "A digest").get("sha256")
        resources.append(Resource(_path(_text(subject, "name")), _digest(digest, "sha256")))
    _distinct(resources)
    return SignedManifest("", Serialization(), ordered(resources))


def _serialization(value: Mapping[str, object]) -> Serialization:
    method, kind = _text(value, "method"), _text(value, "hash_type")
    kind = _ALIASES.get(kind, kind)
    if method not in {"files", "shards"} or kind not in DIGEST_CHARACTERS:
        raise InconclusiveError("The manifest was made in a way that is not known here.")
    size = value.get("shard_size", DEFAULT_SHARD_BYTES)
    if (
        not isinstance(size, int | float)
        or isinstance(size, bool)
        or not 1 <= size < 1 << 53
        or size != int(size)
    ):
        raise MalformedError("The size of the shards is none.")
    ignore = _list(value.get("ignore_paths", []), "The ignored paths", of=str)
    return Serialization(method, kind, int(size), value.get("allow_symlinks") is True, tuple(ignore))


def _resource(value: Mapping[str, object], how: Serialization) -> Resource:
    name, algorithm = _text(value, "name"), _text(value, "algorithm")
    if algorithm not in {how.algorithm, f"blake2-sharded-{how.shard_bytes}", "blake2"}:
        raise MalformedError("A resource's algorithm is not that of the manifest.")
    digest = _digest(value.get("digest"), how.hash_type)
    if how.method == "files":
        return Resource(_path(name), digest)
    path, _, place = name.partition(":")
    found = re.fullmatch(r"(\d{1,18}):(\d{1,18})", place)
    if found is None:
        raise MalformedError("A shard's name is not path:start:end.")
    start, end = int(found[1]), int(found[2])
    if start >= end or start % how.shard_bytes or end - start > how.shard_bytes:
        raise MalformedError("A shard's place is none.")
    return Resource(_path(path), digest, start, end)


def _path(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or str(path) != name or "\0" in name:
        raise MalformedError("A resource's name leads out of the model.")
    return name


def _digest(value: object, kind: str) -> str:
    if not isinstance(value, str) or len(value) != DIGEST_CHARACTERS[kind] or not _HEX.fullmatch(value):
        raise MalformedError(f"A digest is no {kind} in lowercase hex.")
    return value


def _distinct(resources: list[Resource]) -> None:
    if len({one.name for one in resources}) != len(resources):
        raise MalformedError("A resource is named twice.")


def _object(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise MalformedError(f"{what} is no object.")
    return value


def _list(value: object, what: str, count: int | None = None, of: type = dict) -> list[Any]:
    if not isinstance(value, list) or not all(isinstance(item, of) for item in value):
        raise MalformedError(f"{what} is no list of what belongs there.")
    if count is not None and len(value) != count:
        raise MalformedError(f"{what} has {len(value)} members, not {count}.")
    if len(value) > MAX_RESOURCES:
        raise TooLargeError(f"{what} has more than {MAX_RESOURCES:,} members.", limit=MAX_RESOURCES)
    return value


def _text(value: Mapping[str, object], member: str) -> str:
    text = value.get(member)
    if not isinstance(text, str):
        raise MalformedError(f"{member} is no text.")
    return text
