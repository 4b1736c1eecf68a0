"""GGUF: model files of llama.cpp.

Owns: the digests of a GGUF file: of its metadata, of its table of tensors, of each key and tensor, and the
one that llama.cpp's `gguf-hash` prints. Does not own: reading the header (`gguf_layout`), llama.cpp's
manifests (`gguf_manifest`).

`gguf-hash` covers the tensors' bytes alone: no names, shapes, types, tokenizer or chat template. Two files
that answer differently can have the same. `metadata` and `tensors` cover the rest.
"""

from __future__ import annotations

import hashlib
import uuid
from collections import Counter
from typing import Any

from lineage.artifacts.formats.base import Description, Format, Part, label
from lineage.artifacts.formats.comparing import REST
from lineage.artifacts.formats.gguf_layout import MAGIC, Layout, read_layout
from lineage.artifacts.formats.regions import Region, between, feed
from lineage.artifacts.hashing import Progress
from lineage.artifacts.reading import ByteSource

UUID_NAMESPACE = uuid.UUID("ef001206-dadc-5f6d-a15f-3359e577d4e5")
"""Source: llama.cpp, examples/gguf-hash/gguf-hash.cpp, UUID_NAMESPACE_LLAMA_CPP."""

_FACTS = {
    "general.architecture": "architecture",
    "general.name": "name",
    "general.quantized_by": "quantized by",
    "general.license": "license",
}


def describe(source: ByteSource, name: str, progress: Progress | None = None) -> Description:
    """What a GGUF file consists of. Raises: see `Format` and `gguf_layout.read_layout`."""
    layout = read_layout(source)
    each = [hashlib.sha256() for _ in layout.tensors]
    whole, whole_sha1, rest = hashlib.sha256(), hashlib.sha1(usedforsecurity=False), hashlib.sha256()
    of_uuid = hashlib.sha1(UUID_NAMESPACE.bytes, usedforsecurity=False)
    metadata = hashlib.sha256()
    regions = [Region(layout.metadata_start, layout.metadata_end, [metadata])]
    for tensor, hasher in zip(layout.tensors, each, strict=True):
        regions.append(Region(tensor.start, tensor.end, [hasher, whole, whole_sha1, of_uuid]))
    feed(source, between(regions, source.size, rest), progress)
    parts = [Part("metadata", e.key, e.digest, f"type {e.type}") for e in layout.entries]
    parts += [
        Part("tensor", tensor.name, hasher.hexdigest(), tensor.detail)
        for tensor, hasher in zip(layout.tensors, each, strict=True)
    ]
    digests = {
        "metadata": metadata.hexdigest(),
        "tensors": tensor_table(layout, each),
        "gguf-hash:sha256": whole.hexdigest(),
        "gguf-hash:sha1": whole_sha1.hexdigest(),
        "gguf-hash:uuid": str(uuid_of(of_uuid.digest())),
        REST: rest.hexdigest(),
    }
    return Description("gguf", digests, tuple(parts), _facts(layout))


def tensor_table(layout: Layout, hashers: list[Any]) -> str:
    """SHA-256 over a line for each tensor in file order: name, dtype, shape, offset and digest.

    The name is written with its length in bytes in front, so that no name can look like another line.
    """
    table = hashlib.sha256()
    for tensor, hasher in zip(layout.tensors, hashers, strict=True):
        name = tensor.name.encode()
        shape = ",".join(map(str, tensor.shape))
        offset = tensor.start - layout.data_start
        line = f" {tensor.dtype} {shape} {offset} {hasher.hexdigest()}\n"
        table.update(f"{len(name)}:".encode() + name + line.encode())
    return table.hexdigest()


def uuid_of(sha1: bytes) -> uuid.UUID:
    """The UUIDv5 of a SHA-1 that began with UUID_NAMESPACE: its first 16 bytes, marked as version 5.

    Source: RFC 9562, section 5.5.
    """
    return uuid.UUID(bytes=sha1[:16], version=5)


def _facts(layout: Layout) -> dict[str, str]:
    texts = {entry.key: entry.text for entry in layout.entries}
    facts = {"version": str(layout.version)}
    facts |= {word: label(texts[key]) for key, word in _FACTS.items() if texts.get(key)}
    dtypes = Counter(tensor.dtype for tensor in layout.tensors)
    facts["tensors"] = str(len(layout.tensors))
    if dtypes:
        facts["dtypes"] = ", ".join(f"{dtype} {count}" for dtype, count in sorted(dtypes.items()))
    facts["metadata keys"] = str(len(layout.entries))
    facts["gguf-hash"] = "as llama.cpp's tool counts: every tensor; gguf-py leaves some out"
    return facts


def _recognises(head: bytes, name: str) -> bool:
    return head.startswith(MAGIC)


GGUF = Format("gguf", "GGUF", (".gguf",), _recognises, describe)
