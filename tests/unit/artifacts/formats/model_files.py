"""Small model files as their own libraries write them, and pieces to make broken ones of."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path

import gguf
import numpy as np

from lineage.artifacts.formats import Description, head_of, recognise
from lineage.artifacts.reading import MemoryBytes


def described(content: bytes, name: str) -> Description:
    """What the format that recognises the bytes says of them; nothing of what is just a file."""
    form = recognise(head_of(MemoryBytes(content)), name)
    if form is None:
        return Description("file", {}, (), {})
    return form.describe(MemoryBytes(content), name, None)


TENSORS: Mapping[str, tuple[int, ...]] = {"token_embd.weight": (8, 4), "blk.0.attn_q.weight": (4, 4)}


def gguf_bytes(
    folder: Path,
    template: str = "{{ messages }}",
    tensors: Mapping[str, tuple[int, ...]] = TENSORS,
    big: bool = False,
) -> bytes:
    """A GGUF file as gguf-py writes it: tensor i is filled with i + 1; shapes in numpy's order."""
    path = folder / "made.gguf"
    order = gguf.GGUFEndian.BIG if big else gguf.GGUFEndian.LITTLE
    writer = gguf.GGUFWriter(path, "llama", endianess=order)
    writer.add_chat_template(template)
    writer.add_token_list(["<s>", "a", "b"])
    writer.add_uint32("llama.context_length", 4096)
    writer.add_bool("tokenizer.ggml.add_bos_token", True)
    writer.add_array("nested", [[1, 2], [3]])
    for number, (name, shape) in enumerate(tensors.items(), 1):
        writer.add_tensor(name, np.full(shape, float(number), dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path.read_bytes()


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def raw_gguf(
    keys: bytes = b"", key_count: int = 0, infos: bytes = b"", count: int = 0, data: bytes = b""
) -> bytes:
    """A GGUF file put together by hand, its data at the next multiple of 32."""
    head = b"GGUF" + struct.pack("<IQQ", 3, count, key_count) + keys + infos
    return head + (bytes(-len(head) % 32) + data if data else b"")


def raw_info(name: str, shape: tuple[int, ...], kind: int = 0, offset: int = 0) -> bytes:
    return text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)


def raw_safetensors(header: Mapping[str, object] | bytes, data: bytes = b"") -> bytes:
    content = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(content)) + content + data
