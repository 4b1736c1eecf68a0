"""Members that some emitters spell otherwise, such as in snake_case: read as if spelled as specified.

Owns: renaming them before they are read, and that a member in both spellings is malformed.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import TypeVar

import msgspec

from lineage.errors import MalformedError
from lineage.predicates.wire import Wire, explained, read

T = TypeVar("T", bound=Wire)
_ANY = msgspec.json.Decoder()


def read_spelled(
    decoder: msgspec.json.Decoder[T], raw: bytes, old_names: Mapping[str, str], free_form: Set[str]
) -> T:
    """Decode a predicate whose members may have `old_names` (old → new); inside `free_form` none is renamed.

    Raises: MalformedError as `read`, and where a member is there in both spellings.
    """
    # A name may be spelled with \u escapes, and is the same name to everybody who decodes it.
    if b"\\u" not in raw and not any(f'"{old}"'.encode() in raw for old in old_names):
        return read(decoder, raw)
    try:
        renamed = _renamed(_ANY.decode(raw), "$.predicate", old_names, free_form)
        return msgspec.convert(renamed, decoder.type)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise explained(error, "$.predicate") from error


def _renamed(value: object, where: str, old_names: Mapping[str, str], free_form: Set[str]) -> object:
    if isinstance(value, list):
        return [_renamed(each, f"{where}[{n}]", old_names, free_form) for n, each in enumerate(value)]
    if not isinstance(value, dict):
        return value
    renamed: dict[str, object] = {}
    for name, member in value.items():
        new = old_names.get(name) or str(name)
        if new in renamed or (new != name and new in value):
            raise MalformedError(
                f"The member is given twice, as {new} and as {name}.", where=f"{where}.{name}"
            )
        renamed[new] = (
            member if new in free_form else _renamed(member, f"{where}.{name}", old_names, free_form)
        )
    return renamed
