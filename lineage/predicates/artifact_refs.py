"""Resource descriptors to nodes: the one way in which subjects and materials enter the graph.

Owns: which node a descriptor is, and the names, locations, fingerprints and roles that come with it.
Does not own: how a predicate relates its nodes.

A descriptor with an identifying digest is that artifact. One without is a `uri:` node, which stays a gap.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from lineage.errors import MalformedError
from lineage.graph.model import (
    IDENTIFYING_ALGORITHMS,
    ClaimKind,
    EdgeType,
    NodeKind,
    artifact_key,
    artifact_keys,
    unnamed_uri,
    uri_key,
)
from lineage.predicates.base import Rows
from lineage.predicates.delta import Delta
from lineage.predicates.folders import dir_hash, listed_files
from lineage.predicates.wire import MAX_REFERENCES, clean, limited, location
from lineage.trust.digest import parse_digest_set
from lineage.trust.statement import RawDescriptor, Statement

ROLES = frozenset(
    {
        "adapter",
        "checkpoint",
        "code",
        "config",
        "container",
        "dataset",
        "file",
        "library",
        "log",
        "model",
        "prompt",
        "report",
        "system",
        "tokenizer",
    }
)
"""What an artifact may be said to be; a closed list, so that a slip of the pen hides no model."""

STORAGE_SCHEMES = frozenset({"file", "s3", "gs", "az", "abfs", "abfss", "http", "https", "hf"})
"""Schemes of a `uri` that say where bytes lie. A `downloadLocation` always says so."""

OWN_TYPES = "urn:lineage:predicate:"

_COMPARED = ("sha256", "sha384", "sha512", "sha3_256")
"""What content that a descriptor carries is held to, where the descriptor has that digest."""


class Descriptor(RawDescriptor):
    """A resource descriptor inside a predicate of ours: in-toto's members and `role`."""

    role: str = ""


def opening(
    statement: Statement, signer_id: str, *, role: str = "", attests: bool = True
) -> tuple[Delta, tuple[str, ...]]:
    """A delta with the signer and all subjects in it, and the subjects' node keys in their order.

    Each subject is attested by the statement and attributed to the signer. `role` is claimed of all of them,
    beside the `role` annotation that each may carry.

    Raises:
        MalformedError: annotations that this room reads are not what they should be.
        TooLargeError: more files than a folder may list.
    """
    delta = Delta(signer_id)
    own = statement.predicate_type.startswith(OWN_TYPES)
    keys = []
    for number, subject in enumerate(statement.subjects):
        where = f"$.subject[{number}]"
        if subject.content:
            _carried(subject.content, subject.digests, f"{where}.content")
        named = _resource(delta, subject.name, subject.uri, subject.digests, subject.download_location, where)
        key = named[0]
        if attests:
            for each in named:
                delta.claim(each, ClaimKind.ATTESTED, statement.predicate_type)
            delta.edge(key, EdgeType.WAS_ATTRIBUTED_TO, delta.signer)
        delta.claim(key, ClaimKind.ROLE, role)
        if subject.annotations:
            said = annotated_role(subject.annotations, strict=own, where=where)
            delta.claim(key, ClaimKind.ROLE, said if said != role else "")
            if attests and "dirHash" in subject.digests and "files" in subject.annotations:
                folder_files(
                    delta,
                    subject.annotations["files"],
                    subject.digests["dirHash"],
                    attested=statement.predicate_type,
                    where=f"{where}.annotations.files",
                )
        keys.append(key)
    return delta, tuple(keys)


def references(
    delta: Delta, listed: Sequence[RawDescriptor], *, where: str, role: str = ""
) -> tuple[str, ...]:
    """Enter descriptors from inside a predicate; returns their node keys in the same order.

    `role` is claimed where a descriptor says none. In a `Descriptor` a role that is not in `ROLES` is an
    error; in other people's predicates it is a word of theirs and ignored.

    Raises:
        MalformedError: a digest, role or content that is none, or a descriptor that names nothing.
        TooLargeError: more than `MAX_REFERENCES`.
    """
    limited(listed, MAX_REFERENCES, where=where)
    keys: list[str] = []
    try:
        for raw in listed:
            keys.append(_reference(delta, raw, role))
    except MalformedError as error:  # paths are written only where one is needed
        error.where = f"{where}[{len(keys)}]{error.where}"
        raise
    return tuple(keys)


def _reference(delta: Delta, raw: RawDescriptor, role: str) -> str:
    digests = parse_digest_set(raw.digest, where=".digest") if raw.digest else {}
    if raw.content:
        digests |= _carried(raw.content, digests, ".content")
    key = _resource(delta, raw.name or "", raw.uri or "", digests, raw.downloadLocation or "", "")[0]
    said = raw.role if isinstance(raw, Descriptor) else ""
    if said:
        known_role(said, strict=True, where=".role")
    elif raw.annotations:
        said = annotated_role(raw.annotations, strict=isinstance(raw, Descriptor), where="")
    delta.claim(key, ClaimKind.ROLE, said or role)
    return key


def known_role(role: str, *, strict: bool, where: str) -> str:
    """`role` if it is one of `ROLES`, else "". Raises MalformedError instead where `strict`."""
    if not role or role in ROLES:
        return role
    if strict:
        raise MalformedError(f"There is no role {role!r}; roles are {', '.join(sorted(ROLES))}.", where=where)
    return ""


def annotated_role(annotations: Mapping[str, Any], *, strict: bool, where: str) -> str:
    """The `role` annotation, "" without one. Raises MalformedError where `strict` and it is no role."""
    role = annotations.get("role", "")
    if isinstance(role, str):
        return known_role(role, strict=strict, where=f"{where}.annotations.role")
    if strict:
        raise MalformedError("A role is a string.", where=f"{where}.annotations.role")
    return ""


def _resource(
    delta: Delta, name: str, uri: str, digests: Mapping[str, str], download_location: str, where: str
) -> tuple[str, ...]:
    """The nodes, `SAME_AS` edges and claims of one descriptor; returns its keys, the node's own first."""
    if len(digests) == 1 and "sha256" in digests and not uri and not download_location:
        key = delta.node(f"sha256:{digests['sha256']}", NodeKind.ARTIFACT)  # nearly all: the short way
        delta.claim(key, ClaimKind.NAME, name)
        return (key,)
    keys = artifact_keys(digests)
    for each in keys:
        delta.node(each, NodeKind.ARTIFACT)
        delta.claim(each, ClaimKind.NAME, name)
    for alias in keys[1:]:
        delta.edge(keys[0], EdgeType.SAME_AS, alias)
    named = keys or (_undigested(delta, name, uri or download_location, digests, where),)
    key = named[0]
    if download_location:
        delta.claim(key, ClaimKind.LOCATION, location(download_location))
    if uri and uri != download_location:
        if uri.partition(":")[0].lower() in STORAGE_SCHEMES:
            delta.claim(key, ClaimKind.LOCATION, location(uri))
        elif keys:
            delta.detail(key, "URI", uri)
    if len(digests) > len(keys):
        for algorithm, value in digests.items():
            if algorithm not in IDENTIFYING_ALGORITHMS:
                delta.claim(key, ClaimKind.FINGERPRINT, f"{algorithm}:{value}")
    return named


def _undigested(delta: Delta, name: str, uri: str, digests: Mapping[str, str], where: str) -> str:
    """The `uri:` node of something that no digest identifies; without any name, weak digests are its name."""
    called = name or ",".join(f"{a}:{v}" for a, v in sorted(digests.items()))
    if not uri and not called:
        raise MalformedError("This names nothing: it needs a digest, a uri or a name.", where=where)
    signer_id = delta.signer.partition(":")[2]
    key = delta.node(uri_key(uri or unnamed_uri(signer_id, called)), NodeKind.ARTIFACT)
    delta.claim(key, ClaimKind.NAME, name or uri or called)
    if name:
        delta.claim(key, ClaimKind.NAME, uri)
    return key


def _carried(content: str, digests: Mapping[str, str], where: str) -> dict[str, str]:
    """What bytes that a descriptor carries itself add to its digests: SHA-256, where none identifies it.

    Raises: MalformedError where they are not base64, or have another digest than the descriptor says.
    """
    try:
        data = base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedError("The content is not base64.", where=where) from error
    for algorithm in _COMPARED:
        if digests.get(algorithm, found := hashlib.new(algorithm, data).hexdigest()) != found:
            raise MalformedError(f"The content's {algorithm} is {found}, not as told.", where=where)
    return {} if artifact_key(digests) else {"sha256": hashlib.sha256(data).hexdigest()}


def folder_files(delta: Delta, listed: object, expected: str, *, attested: str, where: str) -> None:
    """`PART_OF` edges from each listed file to the folder, once the list is shown to be the folder's.

    `expected` is the folder's dirHash in lowercase hex. The files are attested (by the predicate type
    `attested`) with their folder: the signed dirHash commits to the digest of each.

    Raises:
        MalformedError: the list has another form, or makes another dirHash.
        TooLargeError: more files than a folder may list.
    """
    files = listed_files(listed, where=where)
    found = dir_hash(files)
    if found != expected:
        raise MalformedError(
            f"The listed files make dirHash {found}, and the subject says {expected}.", where=where
        )
    folder = delta.node(f"dirHash:{expected}", NodeKind.ARTIFACT)
    for path, digest in files.items():
        key = delta.node(f"sha256:{digest}", NodeKind.ARTIFACT)
        delta.claim(key, ClaimKind.ATTESTED, attested)
        delta.claim(key, ClaimKind.NAME, path)
        delta.claim(key, ClaimKind.ROLE, "file")
        delta.edge(key, EdgeType.PART_OF, folder)


def told(raw: RawDescriptor, *, default_role: str = "") -> str:
    """A descriptor as words for a page: name, role, digest, or that there is none."""
    digest = raw.digest or {}
    name = raw.name or raw.uri or raw.downloadLocation or "without a name"
    role = (raw.role if isinstance(raw, Descriptor) else "") or default_role
    weak = ", ".join(f"{algorithm}:{value}" for algorithm, value in digest.items())
    known = artifact_key(digest) or (f"only {weak}" if weak else "no digest: a gap")
    return clean(f"{name} ({role}), {known}" if role else f"{name}, {known}")


def told_all(label: str, raws: Sequence[RawDescriptor], *, default_role: str = "", most: int = 20) -> Rows:
    """One row a descriptor, the first `most` of them, then one that counts the rest."""
    rows = [(label, told(raw, default_role=default_role)) for raw in raws[:most]]
    if len(raws) > most:
        rows.append((label, f"and {len(raws) - most:,} more"))
    return tuple(rows)
