"""The formats whose files are looked into, one file each; the order is that in which they are tried.

Owns: which formats there are. A new one is its file, and its line in FORMATS.
"""

from __future__ import annotations

from dataclasses import dataclass

from lineage.artifacts.formats.arrow_file import ARROW
from lineage.artifacts.formats.base import HEAD_BYTES, Description, Format, Part, UnopenedError, has_suffix
from lineage.artifacts.formats.comparing import differences
from lineage.artifacts.formats.description_json import from_json, from_values, to_json, to_values
from lineage.artifacts.formats.gguf_file import GGUF
from lineage.artifacts.formats.oci_manifest import OCI
from lineage.artifacts.formats.onnx_file import ONNX
from lineage.artifacts.formats.parquet_file import PARQUET
from lineage.artifacts.formats.pickles import ENDINGS, PICKLE, packed_in, runs_in, says_so
from lineage.artifacts.formats.safetensors_file import SAFETENSORS
from lineage.artifacts.reading import ByteSource

FORMATS: tuple[Format, ...] = (GGUF, SAFETENSORS, PARQUET, ARROW, PICKLE, ONNX, OCI)

__all__ = [
    "FORMATS",
    "HEAD_BYTES",
    "Description",
    "Format",
    "Part",
    "Recognised",
    "UnopenedError",
    "by_name",
    "differences",
    "ending",
    "from_json",
    "from_values",
    "head_of",
    "recognise",
    "recognised",
    "to_json",
    "to_values",
]

_ENDINGS = frozenset(ENDINGS).union(*(form.suffixes for form in FORMATS))
_BY_NAME = {form.name: form for form in FORMATS}
if len(_BY_NAME) != len(FORMATS):
    raise ValueError("two formats have the same name")


@dataclass(frozen=True, slots=True)
class Recognised:
    """What a file is. `by_bytes`: whatever it is called. `loads`: it says itself that it is a pickle, so that
    nobody knows what loading it runs unless it was read to its end."""

    form: Format
    by_bytes: bool
    loads: bool


def recognise(head: bytes, name: str) -> Format | None:
    """The format of a file whose first HEAD_BYTES bytes are `head`: by these, and by its name only where they
    say nothing. None where it is just a file, as far as its start tells."""
    return _recognised(head, "") or _recognised(head, name)


def recognised(source: ByteSource, name: str) -> Recognised | None:
    """The format of a file, with what its start alone does not tell; None where it is just a file.

    What runs something as a pickle is one, whatever else it begins as, or is called. Nothing is read in
    order. Raises: InconclusiveError.
    """
    head = head_of(source)
    if runs_in(source, head):
        return Recognised(PICKLE, True, True)
    packed = packed_in(source, head)
    by_bytes = _recognised(head, "") or (PICKLE if packed.is_one else None)
    form = by_bytes or _recognised(head, name)
    if form is None:
        return None
    loads = form is PICKLE and (packed.says_so or says_so(head, name))
    return Recognised(form, by_bytes is not None, loads)


def ending(name: str) -> str:
    """The ending of a file's name, if it is one by which a format may be recognised; else nothing."""
    return max((each for each in _ENDINGS if has_suffix(name, (each,))), key=len, default="")


def _recognised(head: bytes, name: str) -> Format | None:
    return next((form for form in FORMATS if form.recognises(head, name)), None)


def by_name(name: str) -> Format | None:
    """The format of that name, if there is one."""
    return _BY_NAME.get(name)


def head_of(source: ByteSource) -> bytes:
    """The start of a file for `recognise`; nothing is read in order. Raises: InconclusiveError."""
    return source.read_at(0, min(HEAD_BYTES, source.size))
