"""OCI manifests and indexes: what an image or artifact of a registry consists of.

Owns: the layers, config and manifests that one names, with their own digests. Does not own: fetching them.

Source: opencontainers/image-spec, manifest.md, image-index.md, descriptor.md; Docker's manifest v2, schema 2.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

import rfc8785

from lineage.artifacts.formats.base import Description, Format, Part, UnopenedError, label
from lineage.artifacts.formats.regions import Region, feed, sha256_of
from lineage.artifacts.hashing import Progress
from lineage.artifacts.reading import ByteSource
from lineage.errors import MalformedError, TooLargeError

MAX_BYTES = 4 << 20
"""What registries accept as a manifest. Source: distribution-spec, "Pushing manifests"."""
MAX_DESCRIPTORS = 10_000

_DIGEST = re.compile(r"[a-z0-9]+(?:[+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]{1,256}")
_SHA256 = re.compile(r"sha256:([0-9a-f]{64})")
_TITLE = "org.opencontainers.image.title"


def describe(source: ByteSource, name: str, progress: Progress | None = None) -> Description:
    """What a manifest or index names: a part for config, each layer, manifest and annotation. A part's digest
    is the one that the manifest gives. Raises: see `Format`."""
    if source.size > MAX_BYTES:
        raise TooLargeError(f"A manifest is at most {MAX_BYTES:,} bytes long.", limit=MAX_BYTES)
    document = _document(source.read_at(0, source.size))
    feed(source, [Region(0, source.size)], progress)
    if document.get("schemaVersion") == 1:
        raise UnopenedError("It is a manifest of schema 1, which is not read here.")
    if document.get("schemaVersion") != 2:
        raise MalformedError("It has no schemaVersion of 2.")
    kind = "manifest" if "manifests" in document else "layer"
    members = document.get(f"{kind}s")
    if not isinstance(members, list):
        raise MalformedError("It has neither layers nor manifests.")
    if len(members) > MAX_DESCRIPTORS:
        raise TooLargeError(f"It names more than {MAX_DESCRIPTORS:,} {kind}s.", limit=MAX_DESCRIPTORS)
    parts, size = [], 0
    for single in ("config", "subject"):
        if document.get(single) is not None:
            parts.append(_descriptor(single, "", document[single]))
            size += _size(document[single]) if single == "config" else 0
    for number, member in enumerate(members, 1):
        parts.append(_descriptor(kind, _name(number, member), member))
        size += _size(member)
    parts += _annotations(document.get("annotations"))
    table = [[part.kind, part.name, part.digest, part.detail] for part in parts]
    return Description(
        "oci",
        {f"{kind}s": sha256_of(rfc8785.dumps(table))},
        tuple(parts),
        _facts(document, kind, len(members), size),
    )


def _document(content: bytes) -> dict[str, object]:
    try:
        document = json.loads(content.decode(), object_pairs_hook=_unique)
        content.decode().encode()
    except (ValueError, RecursionError) as error:
        raise MalformedError("It is no JSON.") from error
    if not isinstance(document, dict):
        raise MalformedError("It is no object.")
    return document


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise MalformedError("It has a name twice in one object.")
    return found


def _descriptor(kind: str, name: str, value: object) -> Part:
    if not isinstance(value, dict):
        raise MalformedError(f"A {kind} is no object.")
    digest, media = value.get("digest"), value.get("mediaType")
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise MalformedError(f"A {kind} has no digest.")
    if not isinstance(media, str) or not media.isascii() or not media.isprintable():
        raise MalformedError(f"A {kind} has no media type.")
    detail = f"type {media[:200].replace(', ', ',')}, size {_size(value)}"
    found = _SHA256.fullmatch(digest)
    if found:
        return Part(kind, name, found[1], detail)
    if digest.startswith("sha256:"):
        raise MalformedError(f"A {kind} has a sha256 that is none.")
    return Part(kind, name, sha256_of(digest.encode()), f"{detail}, digest {digest}")


def _size(value: object) -> int:
    size = value.get("size") if isinstance(value, dict) else None
    if type(size) is not int or not 0 <= size < 1 << 63:
        raise MalformedError("A size is none.")
    return size


def _name(number: int, member: object) -> str:
    """A layer's number, and its title or platform where it has one."""
    if not isinstance(member, dict):
        return str(number)
    annotations, platform = member.get("annotations"), member.get("platform")
    title = annotations.get(_TITLE) if isinstance(annotations, dict) else None
    if not isinstance(title, str) and isinstance(platform, dict):
        words = (platform.get(word) for word in ("os", "architecture", "variant"))
        title = "/".join(word for word in words if isinstance(word, str))
    return f"{number} ({label(title)})" if isinstance(title, str) and title else str(number)


def _annotations(value: object) -> list[Part]:
    if value is None:
        return []
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise MalformedError("The annotations are not an object of texts.")
    return [
        Part("metadata", label(key), sha256_of(text.encode("utf-8", "surrogatepass")), "type string")
        for key, text in sorted(value.items())
    ]


def _facts(document: Mapping[str, object], kind: str, count: int, size: int) -> dict[str, str]:
    facts = {f"{kind}s": str(count), "size": f"{size} bytes in all"}
    for member, word in (("mediaType", "media type"), ("artifactType", "artifact type")):
        value = document.get(member)
        if isinstance(value, str):
            facts[word] = label(value)
    return facts


def _recognises(head: bytes, name: str) -> bool:
    start = head.lstrip()
    return (
        start.startswith(b"{")
        and b'"schemaVersion"' in start
        and any(word in start for word in (b'"layers"', b'"manifests"', b".manifest.", b".index."))
    )


OCI = Format("oci", "OCI manifest or index", (), _recognises, describe)
