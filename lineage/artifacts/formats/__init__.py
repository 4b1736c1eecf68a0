"""The formats whose files are looked into, one file each; the order is that in which they are tried.

Owns: which formats there are. A new one is its file, and its line in FORMATS.
"""

from __future__ import annotations

from lineage.artifacts.formats.arrow_file import ARROW
from lineage.artifacts.formats.base import HEAD_BYTES, Description, Format, Part
from lineage.artifacts.formats.comparing import differences
from lineage.artifacts.formats.description_json import from_json, from_values, to_json, to_values
from lineage.artifacts.formats.gguf_file import GGUF
from lineage.artifacts.formats.oci_manifest import OCI
from lineage.artifacts.formats.onnx_file import ONNX
from lineage.artifacts.formats.parquet_file import PARQUET
from lineage.artifacts.formats.pickles import PICKLE
from lineage.artifacts.formats.safetensors_file import SAFETENSORS
from lineage.artifacts.reading import ByteSource

FORMATS: tuple[Format, ...] = (GGUF, SAFETENSORS, PARQUET, ARROW, PICKLE, ONNX, OCI)

__all__ = [
    "FORMATS",
    "HEAD_BYTES",
    "Description",
    "Format",
    "Part",
    "by_name",
    "differences",
    "from_json",
    "from_values",
    "head_of",
    "recognise",
    "to_json",
    "to_values",
]

_BY_NAME = {form.name: form for form in FORMATS}
if len(_BY_NAME) != len(FORMATS):
    raise ValueError("two formats have the same name")


def recognise(head: bytes, name: str) -> Format | None:
    """The format of a file whose first HEAD_BYTES bytes are `head`; None where it is just a file."""
    return next((form for form in FORMATS if form.recognises(head, name)), None)


def by_name(name: str) -> Format | None:
    """The format of that name, if there is one."""
    return _BY_NAME.get(name)


def head_of(source: ByteSource) -> bytes:
    """The start of a file for `recognise`; nothing is read in order. Raises: InconclusiveError."""
    return source.read_at(0, min(HEAD_BYTES, source.size))
