"""OpenSSF model signing: a model is exactly these files.

The statement's subject is a digest of the files' digests in their order, and says nothing of their names:
two models may share it. So it is a fingerprint here. The model's node is what its bytes are: one file's
digest, or the `dirHash` of a folder, computed from the listed files where whole files were hashed with
SHA-256.

Source: sigstore/model-transparency 0.2 to 1.1, src/model_signing: manifest.py and _signing/signing.py.
"""

from __future__ import annotations

import hashlib
import re

import msgspec

from lineage.errors import MalformedError
from lineage.graph.model import (
    STRONG_ALGORITHMS,
    ClaimKind,
    EdgeType,
    GraphDelta,
    NodeKind,
    unnamed_uri,
    uri_key,
)
from lineage.predicates.artifact_refs import folder_files, opening
from lineage.predicates.base import PredicateType, Rows
from lineage.predicates.delta import Delta
from lineage.predicates.folders import MAX_FILES, dir_hash
from lineage.predicates.members import rows
from lineage.predicates.wire import Wire, limited, read
from lineage.trust.digest import parse_digest_set
from lineage.trust.statement import Statement
from lineage.trust.verify_file import MODEL_SIGNATURES

CURRENT, OLD = MODEL_SIGNATURES
FINGERPRINT = "modelSigning"
"""What the subject's digest is called where it only helps to find the model."""

MAX_RESOURCES = 200_000
"""Files or shards of one model; an envelope of 8 MiB holds about 60,000."""

_LENGTHS = {"sha256": 64, "blake2b": 128, "blake3": 64}
_ALIASES = {"blake2": "blake2b"}
_HEX = re.compile(r"[0-9a-f]+", re.ASCII)
_SHARDED = re.compile(r"(sha256|blake2b?|blake3)-sharded-([1-9][0-9]{0,15})", re.ASCII)
_SHARD = re.compile(r"(.*):([0-9]{1,18}):([0-9]{1,18})", re.ASCII | re.DOTALL)
_WHOLE_FILE = "file-sha256"


class _Serialization(Wire, frozen=True, rename=None):
    method: str
    hash_type: str
    allow_symlinks: bool = False
    ignore_paths: tuple[str, ...] = ()


class _Resource(Wire, frozen=True):
    name: str
    digest: str
    algorithm: str


class _Signature(Wire, frozen=True):
    serialization: _Serialization
    resources: list[_Resource]


_DECODER = msgspec.json.Decoder(_Signature)


def _read(statement: Statement) -> tuple[_Signature, str]:
    """The manifest and its digest in hex, which is the statement's subject.

    Raises: MalformedError where they contradict each other, or it was made in a way that is not known here.
    """
    told = read(_DECODER, statement.predicate)
    where = "$.predicate.resources"
    limited(told.resources, MAX_RESOURCES, where=where)
    how = told.serialization
    kind = _ALIASES.get(how.hash_type, how.hash_type)
    if how.method not in ("files", "shards") or kind not in _LENGTHS:
        raise MalformedError(
            "The manifest was made in a way that is not known here.", where="$.predicate.serialization"
        )
    root = hashlib.sha256()
    names = set()
    for number, resource in enumerate(told.resources):
        _checked(resource, how.method, kind, f"{where}[{number}]")
        names.add(resource.name)
        root.update(bytes.fromhex(resource.digest))
    if len(names) != len(told.resources):
        raise MalformedError("A resource is named twice.", where=where)
    found = root.hexdigest()
    if len(statement.subjects) != 1 or statement.subjects[0].digests.get("sha256") != found:
        raise MalformedError("The statement's subject is not the digest of its resources.", where="$.subject")
    return told, found


def _checked(resource: _Resource, method: str, kind: str, where: str) -> None:
    """Raises MalformedError for a resource that is not what the manifest says that it lists."""
    algorithm, path = resource.algorithm, resource.name
    if method == "shards":
        sharded, place = _SHARDED.fullmatch(algorithm), _SHARD.fullmatch(path)
        if sharded is None or place is None:
            raise MalformedError("A shard is named path:start:end, its algorithm sharded.", where=where)
        algorithm, path = sharded[1], place[1]
        start, end, size = int(place[2]), int(place[3]), int(sharded[2])
        if start >= end or start % size or end - start > size:
            raise MalformedError("A shard's place is none.", where=f"{where}.name")
    if _ALIASES.get(algorithm, algorithm) != kind:
        raise MalformedError(
            "A resource's algorithm is not that of the manifest.", where=f"{where}.algorithm"
        )
    if len(resource.digest) != _LENGTHS[kind] or not _HEX.fullmatch(resource.digest):
        raise MalformedError(f"A digest is no {kind} in lowercase hex.", where=f"{where}.digest")
    _inside(path, f"{where}.name")


def _inside(path: str, where: str) -> None:
    """Raises MalformedError for a path that leads out of the model, or can't stand in a list of files."""
    parts = path.split("/")
    if not path or path.startswith("/") or ".." in parts or (path != "." and ("." in parts or "" in parts)):
        raise MalformedError("A resource's name leads out of the model.", where=where)
    if "\n" in path or "\0" in path:
        raise MalformedError("A resource's name has a line break or U+0000.", where=where)


def _project(statement: Statement, signer: str) -> GraphDelta:
    if statement.predicate_type == OLD:
        return _project_old(statement, signer)
    told, root = _read(statement)
    kind = _ALIASES.get(told.serialization.hash_type, told.serialization.hash_type)
    whole = told.serialization.method == "files"
    files = {resource.name: resource.digest for resource in told.resources} if whole else {}
    single = files.get(".") if len(files) == 1 else None
    delta, name = Delta(signer), statement.subjects[0].name
    if "." in files and single is None:
        raise MalformedError("A model is one file, or a folder of files.", where="$.predicate.resources")
    if single is not None and kind in STRONG_ALGORITHMS:
        key = f"{kind}:{single}"
    elif single is None and kind == "sha256" and files:
        key = _folder(delta, statement, files)
    else:
        key = uri_key(unnamed_uri(delta.signer.partition(":")[2], f"{name}@{root}"))
    _attested(delta, statement, key, name)
    delta.claim(key, ClaimKind.FINGERPRINT, f"{FINGERPRINT}:{root}")
    if single is not None and kind not in STRONG_ALGORITHMS:
        delta.claim(key, ClaimKind.FINGERPRINT, f"{kind}:{single}")
    delta.detail(key, "Left out of the signature", ", ".join(told.serialization.ignore_paths))
    return delta.finished()


def _folder(delta: Delta, statement: Statement, files: dict[str, str]) -> str:
    """Enter a folder with its files, as long as they are few enough to be nodes; returns its key."""
    found = dir_hash(files)
    key = delta.node(f"dirHash:{found}", NodeKind.ARTIFACT)
    if len(files) <= MAX_FILES:
        where = "$.predicate.resources"
        folder_files(delta, files, found, attested=statement.predicate_type, where=where)
    else:
        delta.detail(key, "Files", f"{len(files):,}")
    return key


def _attested(delta: Delta, statement: Statement, key: str, name: str) -> None:
    delta.node(key, NodeKind.ARTIFACT)
    delta.claim(key, ClaimKind.ATTESTED, statement.predicate_type)
    delta.claim(key, ClaimKind.NAME, name)
    delta.claim(key, ClaimKind.ROLE, "model")
    delta.edge(key, EdgeType.WAS_ATTRIBUTED_TO, delta.signer)


def _project_old(statement: Statement, signer: str) -> GraphDelta:
    """Version 0.2 had one subject a file. A single one is the model itself: no folder is told of."""
    files: dict[str, str] = {}
    for number, subject in enumerate(statement.subjects):
        where = f"$.subject[{number}]"
        if subject.annotations.get("actual_hash_algorithm", _WHOLE_FILE) != _WHOLE_FILE:
            raise MalformedError("The manifest was made in a way that is not known here.", where=where)
        digest = parse_digest_set({"sha256": subject.digests.get("sha256", "")}, where=f"{where}.digest")
        _inside(subject.name, f"{where}.name")
        if subject.name in files:
            raise MalformedError("A file is named twice.", where=where)
        files[subject.name] = digest["sha256"]
    if len(files) == 1:
        return opening(statement, signer, role="model")[0].finished()
    delta = Delta(signer)
    _attested(delta, statement, _folder(delta, statement, files), "")
    return delta.finished()


def _describe(statement: Statement) -> Rows:
    if statement.predicate_type == OLD:
        return rows(("Signed files", len(statement.subjects)))
    told, root = _read(statement)
    how = told.serialization
    return rows(
        ("Model", statement.subjects[0].name),
        ("Signed files" if how.method == "files" else "Signed parts of files", len(told.resources)),
        ("Hashed with", how.hash_type),
        ("Fingerprint", f"{FINGERPRINT}:{root}"),
        ("Left out", how.ignore_paths),
    )


PREDICATE = PredicateType(
    uris=MODEL_SIGNATURES,
    slug="model-signing",
    title="Model signature",
    summary="Says that a model consists of exactly these files, as OpenSSF's model signing wrote it.",
    project=_project,
    describe=_describe,
    example="model-signing.json",
)
