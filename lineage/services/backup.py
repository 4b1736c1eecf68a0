"""Write everything that is not rebuilt into one archive, while the server goes on.

Owns: what stands in each file, and that the log is whole as it is read: an archive of a damaged log would
push a good one off the shelf. Does not own: the archive's form (`backup_format`, `backup_archive`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

import msgspec
from django.db.migrations.loader import MigrationLoader
from django.db.models import BinaryField, F, Func
from django.db.models.functions import Length

from lineage.config import current
from lineage.db.models import Checkpoint, Entry, EntrySigner, EntrySubject, Envelope, LogHead
from lineage.db.packing import HEADER_BYTES, unpacked_length
from lineage.errors import LogIntegrityError, NotFoundError, UnavailableError
from lineage.services import (
    backup_format,
    backup_tables,
    keyring,
    log_leaves,
    platform_keys,
    publish,
    redactions,
    restore_keys,
)
from lineage.services.backup_archive import Archive, create
from lineage.services.backup_format import CheckpointRow, EntryRow, Head, Header, Left, Manifest
from lineage.services.backup_snapshot import snapshot
from lineage.services.clock import now_us
from lineage.services.key_files import KeyFolder
from lineage.services.platform_keys import PlatformKeys
from lineage.trust.dsse import encode_base64
from lineage.trust.leaf import rfc3339
from lineage.trust.merkle import Frontier
from lineage.trust.signer import Signer

_ROWS = 500
_BYTES = 16 << 20
"""Of envelopes that are in memory at a time; one larger envelope alone."""

Report = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Written:
    """What an archive holds. `root_hash` is lowercase hex, `verifier_key` the log's (C2SP)."""

    origin: str
    entries: int
    root_hash: str
    verifier_key: str
    keys: bool
    bytes: int


def write(path: Path, *, with_keys: bool, report: Report) -> Written:
    """Write the archive; `report` is called with entries done and in all. What a token keeps is in none.

    Raises:
        NotFoundError: there is no log yet.
        ConflictError: `path` is there already.
        LogIntegrityError: the log contradicts itself.
        UnavailableError: the archive can't be written, or a key of the platform was replaced meanwhile.
    """
    created_us = now_us()
    with_keys = with_keys and isinstance(platform_keys.store(), KeyFolder)
    with snapshot() as alias, create(path, created_us) as archive:
        head = LogHead.objects.using(alias).filter(pk=1).first()
        if head is None or not head.size:
            raise NotFoundError("There is no log to back up: it begins with the first `lineage up`.")
        archive.add(backup_format.README, _README.encode())
        archive.add(backup_format.HEADER, backup_format.encode(_header(head, created_us, with_keys)))
        root = _add_log(archive, alias, head, report)
        _add_configuration(archive, alias)
        keys = _keys(head, _add_keys(archive) if with_keys else {})
        _add_manifest(archive, root, keys.platform)
    size = path.stat().st_size
    return Written(head.origin, head.size, root.hex(), publish.verifier_key(), with_keys, size)


@cache
def schema() -> str:
    """The newest migration of Lineage's own tables that this version knows."""
    return ", ".join(name for _, name in MigrationLoader(None).graph.leaf_nodes("lineage_db"))


def columns() -> dict[str, list[str]]:
    """The columns of each kind of row in an archive, in their order."""
    return {
        "entries": list(EntryRow.__struct_fields__),
        "checkpoints": list(CheckpointRow.__struct_fields__),
        **{backup_tables.name(model): backup_tables.columns(model) for model in backup_tables.BACKED_UP},
    }


def _header(head: LogHead, created_us: int, with_keys: bool) -> Header:
    log = Head(
        origin=head.origin,
        size=head.size,
        last_received_us=head.last_received_us,
        policy_index=head.policy_index,
    )
    return Header(
        format=backup_format.FORMAT,
        product=metadata.version("lineage"),
        schema=schema(),
        created_at=rfc3339(created_us),
        log=log,
        keys=with_keys,
        columns=columns(),
    )


def _add_log(archive: Archive, alias: str, head: LogHead, report: Report) -> bytes:
    """Entries and checkpoints; returns the root, 32 bytes."""
    chain = _Chain(head, report)
    lines = map(chain.line, _entries(alias, head.size))
    if archive.add_rows(backup_format.ENTRIES, lines) != head.size:
        raise LogIntegrityError(f"entry {chain.frontier.size} is missing from the log")
    archive.add_rows(backup_format.CHECKPOINTS, _checkpoints(alias))
    return chain.frontier.root()


class _Chain:
    """The entries as they go by: each is what its leaf says, and the leaves make the tree."""

    def __init__(self, head: LogHead, report: Report) -> None:
        self.frontier = Frontier()
        self._head = head
        self._report = report

    def line(self, entry: tuple[Entry, bytes | Left]) -> bytes:
        """The line of one entry. Raises: LogIntegrityError where it is not what the log committed to."""
        row = _row(*entry)
        leaf = log_leaves.leaf_hash(row, self.frontier.size)
        if leaf != bytes(entry[0].leaf_hash):
            raise LogIntegrityError(f"entry {row.index} is not what its leaf in the log says")
        self.frontier = self.frontier.append(leaf)
        self._report(self.frontier.size, self._head.size)
        return msgspec.json.encode(row)


def _row(entry: Entry, stored: bytes | Left) -> EntryRow:
    return EntryRow(
        entry.index,
        entry.kind,
        entry.envelope_digest,
        entry.statement_digest,
        entry.received_us,
        entry.key_ids,
        entry.policy_index,
        None if isinstance(stored, Left) else stored,
        stored if isinstance(stored, Left) else None,
    )


def _left(alias: str, entry: Entry) -> Left:
    """What the indexes say of a redacted entry. Raises: LogIntegrityError where no decision redacted it."""
    if redactions.of(entry.envelope_digest) is None:
        raise LogIntegrityError(f"the envelope of entry {entry.index} is missing from the log")
    subjects = EntrySubject.objects.using(alias).filter(entry_id=entry.index).order_by("pk")
    signers = EntrySigner.objects.using(alias).filter(entry_id=entry.index).order_by("signer__key_id")
    return Left(
        entry.predicate_type,
        tuple(subjects.values_list("position", "digest")),
        tuple(signers.values_list("signer__key_id", flat=True)),
    )


def _entries(alias: str, size: int) -> Iterator[tuple[Entry, bytes | Left]]:
    """Every entry with its envelope, or what a redaction has left of it, in order."""
    for start in range(0, size, _ROWS):
        rows = Entry.objects.using(alias).filter(index__gte=start, index__lt=min(size, start + _ROWS))
        for group in _groups(alias, list(rows.order_by("index"))):
            found = Envelope.objects.using(alias).in_bulk([entry.index for entry in group])
            for entry in group:
                stored = found.get(entry.index)
                yield entry, _left(alias, entry) if stored is None else bytes(stored.content)


def _groups(alias: str, entries: list[Entry]) -> Iterator[list[Entry]]:
    """The entries in groups whose envelopes fit into memory together."""
    indexes = [entry.index for entry in entries]
    head = Func(F("content"), 1, HEADER_BYTES, function="substr", output_field=BinaryField())
    rows = Envelope.objects.using(alias).filter(pk__in=indexes)
    sizes = {
        index: unpacked_length(bytes(begin), stored)
        for index, begin, stored in rows.values_list("pk", head, Length("content"))
    }
    group, size = list[Entry](), 0
    for entry in entries:
        length = sizes.get(entry.index, 0)
        if group and size + length > _BYTES:
            yield group
            group, size = [], 0
        group.append(entry)
        size += length
    yield group


def _checkpoints(alias: str) -> Iterator[bytes]:
    rows = Checkpoint.objects.using(alias).order_by("size").values_list("size", "note", "published_us")
    for size, note, published in rows.iterator(chunk_size=_ROWS):
        yield msgspec.json.encode(CheckpointRow(size, bytes(note), published))


def _add_configuration(archive: Archive, alias: str) -> None:
    for model in backup_tables.BACKED_UP:
        names = [field.attname for field in backup_tables.fields(model)]
        rows = model._default_manager.using(alias).order_by("pk").values_list(*names)
        # Few at a time, because each may hold the bytes of a refused envelope.
        lines = map(msgspec.json.encode, rows.iterator(chunk_size=16))
        archive.add_rows(f"{backup_format.CONFIGURATION}/{backup_tables.name(model)}", lines)


def _add_keys(archive: Archive) -> dict[str, bytes]:
    """Add the key files; their contents by role."""
    platform_keys.load()  # which refuses what is no key, or open to others
    texts = {}
    for role, name in backup_format.KEY_FILES.items():
        texts[role] = (current().keys / f"{role}.pem").read_bytes()
        archive.add(name, texts[role])
    return texts


def _keys(head: LogHead, texts: Mapping[str, bytes]) -> PlatformKeys:
    """The keys of the log that is in the archive: `texts`, the key files that are in it, or those that are
    here.

    Raises: UnavailableError where one was replaced meanwhile: a restore would refuse them.
    """
    keys = platform_keys.parse(texts, "the key files") if texts else platform_keys.load()
    if wrong := restore_keys.foreign(keys, keyring.as_of(head.size), head.origin):
        raise UnavailableError(
            f"The {wrong} of the platform was replaced while the backup was written.", hint="Write it again."
        )
    return keys


def _add_manifest(archive: Archive, root: bytes, key: Signer) -> None:
    manifest = backup_format.encode(
        Manifest(format=backup_format.FORMAT, root_hash=root.hex(), files=list(archive.files))
    )
    signature = key.sign(backup_format.sealed(manifest))
    archive.add(backup_format.MANIFEST, manifest)
    archive.add(backup_format.SEAL, encode_base64(signature).encode() + b"\n")


_README = """\
THIS ARCHIVE HOLDS SECRETS. Keep it as you keep a private key.

It is a backup of a Lineage installation: the log, accounts with the hashes of their passwords, API keys as
hashes, refused bytes, jobs. If there is a folder keys/, it holds the platform's PRIVATE KEYS: whoever has
them can sign checkpoints and decisions as this installation.

    lineage restore FILE        into an empty database, SQLite or PostgreSQL

header.json says where the log stands and names the columns. Rows are JSON arrays, one a line; bytes are
base64, times RFC 3339. manifest.json has rows, bytes and SHA-256 of each file before it, and the log's root;
manifest.sig is the platform key's signature over it (DSSE's PAE with the type
application/vnd.lineage.backup-manifest+json). The lineage graph is not in here: it is projected from the log.
"""
