"""What a backup archive is: a gzipped tar of plain files with fixed names in a fixed order.

```
README.txt                          for people: what this is, that it holds secrets, how to check it
header.json                         format, version, schema, where the log stands, columns of the tables
log/entries-000000.ndjson …         a line an entry, envelope included, in log order
log/checkpoints-000000.ndjson …     the signed notes, by size
configuration/<table>-000000.ndjson …
keys/<role>.pem                     the platform's private keys, unless they are left out
manifest.json                       rows, bytes and SHA-256 of each file before it; the log's root
manifest.sig                        the platform key's signature over the manifest
```

Owns: names, limits, and the form of each file. Does not own: writing (`backup_archive`), reading
(`restore_archive`), which tables there are (`backup_tables`). A row is a JSON array in the order of columns
that the header names; bytes are base64, times RFC 3339. Left out is what is rebuilt from these.
"""

from __future__ import annotations

from typing import Annotated, TypeVar

import msgspec

from lineage.errors import MalformedError
from lineage.services import platform_keys
from lineage.trust import strictjson
from lineage.trust.dsse import pae

FORMAT = "lineage-backup/1"
README, HEADER, MANIFEST, SEAL = "README.txt", "header.json", "manifest.json", "manifest.sig"
ENTRIES, CHECKPOINTS, CONFIGURATION = "log/entries", "log/checkpoints", "configuration"
KEY_FILES = {role: f"keys/{role}.pem" for role in platform_keys.ROLES}
SEAL_TYPE = "application/vnd.lineage.backup-manifest+json"

PART_BYTES = 8 << 20
"""A part ends with the row that reaches this size."""
MAX_ROW_BYTES = 96 << 20
"""In base64, the largest envelope that a setting can allow (64 MiB)."""
MAX_PART_BYTES = PART_BYTES + MAX_ROW_BYTES
MAX_SMALL_BYTES = 64 << 10
"""README, header, keys, seal."""
MAX_MANIFEST_BYTES = 16 << 20

Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
_S = TypeVar("_S", bound=msgspec.Struct)


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`schema` names the newest migration of the tables, `columns` those of each table, `log` its head."""

    format: str
    product: str
    schema: str
    created_at: str
    log: Head
    keys: bool
    columns: dict[str, list[str]]


class Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the log stands; as in the table `log_head`."""

    origin: str
    size: Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
    last_received_us: Int64
    policy_index: Count


class Left(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What is left of an entry whose envelope was redacted: what the search indexes say of it.

    `subjects` are (place, `<alg>:<value>`), `signers` key ids and identities.
    """

    predicate_type: str
    subjects: tuple[tuple[Count, str], ...]
    signers: tuple[str, ...]


class EntryRow(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What the leaf commits to, and the envelope. Hash tree and search indexes follow from these.

    `content` is None where a decision of the log redacted it, and then `left` is there.
    """

    index: Count
    kind: str
    envelope_digest: str
    statement_digest: str
    received_us: Int64
    key_ids: str
    policy_index: Int64
    content: bytes | None
    left: Left | None = None


class CheckpointRow(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    size: Count
    note: bytes
    published_us: Int64


class File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file of the archive; `rows` is 0 where it has no rows."""

    name: str
    rows: Count
    bytes: Count
    sha256: str


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`root_hash` is the log's at its head, lowercase hex."""

    format: str
    root_hash: str
    files: list[File]


def part(section: str, number: int) -> str:
    """The name of the part with this number, from 0, of the rows of a section."""
    return f"{section}-{number:06d}.ndjson"


def parse(data: bytes, kind: type[_S], name: str) -> _S:
    """A JSON file of the archive.

    Raises: MalformedError, TooLargeError.
    """
    strictjson.check(data, what=f"archive's {name}")
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.DecodeError as error:
        raise strictjson.mismatch(error, f"The archive's {name} is not as it should be") from None


def encode(value: msgspec.Struct) -> bytes:
    """A JSON file of the archive, for people's eyes too."""
    return msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n"


def sealed(manifest: bytes) -> bytes:
    """The bytes that the platform's key signs: the manifest, in DSSE's form but no statement's type."""
    return pae(SEAL_TYPE, manifest)


def check_format(data: bytes) -> None:
    """Raises MalformedError where a header is of another format than this version reads."""

    class Format(msgspec.Struct):
        format: str

    found = parse(data, Format, HEADER).format
    if found != FORMAT:
        raise MalformedError(
            f"The archive has the format {found[:80]!r}; this version reads {FORMAT}.",
            hint="Restore it with the version that made it, and upgrade then",
        )
