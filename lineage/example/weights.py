"""The converted model as a safetensors file: written, and altered as somebody with access to a server might.

Source: huggingface/safetensors, README.md, "Format".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

_METADATA = "__metadata__"
_ALIGNMENT = 8


def write(path: Path, tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> None:
    """Tensors as 64-bit floats, in this order, behind a header that says where each lies."""
    header: dict[str, object] = {_METADATA: dict(metadata)}
    content = b""
    for name, values in tensors.items():
        raw = values.astype("<f8").tobytes()
        place = [len(content), len(content) + len(raw)]
        header[name] = {"dtype": "F64", "shape": list(values.shape), "data_offsets": place}
        content += raw
    path.write_bytes(_headed(header) + content)


def set_metadata(path: Path, key: str, value: str) -> None:
    """Write another value of one metadata key into the file; the tensors stay, to the byte."""
    content = path.read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    header[_METADATA][key] = value
    path.write_bytes(_headed(header) + content[end:])


def _headed(header: Mapping[str, object]) -> bytes:
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    return len(text).to_bytes(8, "little") + text
