"""Read an archive into an empty database, whole or not at all.

Owns: the order of work and the one transaction around it: a restore that fails or is killed leaves an empty
database, and can be begun again. It only inserts, so the log's triggers stay as they are. Does not own: what
each part of the archive must be (`restore_archive`, `restore_log`, `restore_tree`, `restore_configuration`,
`restore_keys`). The graph is left to the projector, which begins at entry 0 of a database without a graph.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import BinaryIO

from django.core.management import call_command
from django.db import IntegrityError, connection, transaction

from lineage.errors import (
    ConflictError,
    LogIntegrityError,
    MalformedError,
    SignatureRefutedError,
    UnavailableError,
)
from lineage.services import (
    backup,
    backup_format,
    backup_tables,
    check_policies,
    forgetting,
    kept_cosignatures,
    keyring,
    layout_records,
    migrations,
    restore_configuration,
    restore_keys,
    restore_log,
    withdrawals,
)
from lineage.services.backup_format import Header, Manifest
from lineage.services.log_keys import LogKeys
from lineage.services.restore_archive import ArchiveReader
from lineage.services.restore_keys import Undo
from lineage.services.restore_tree import Tree
from lineage.trust.dsse import decode_base64
from lineage.trust.policy import KeyRing

_SHOULD_BE_EMPTY = (*backup_tables.LOG_TABLES, "graph_node")

Report = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored. `root_hash` is lowercase hex over all entries, `verifier_key` the log's (C2SP).

    `keys`: whether the platform's keys are in their place now.
    """

    origin: str
    entries: int
    root_hash: str
    verifier_key: str
    published: int
    keys: bool


def read(path: Path, *, report: Report) -> Restored:
    """Restore; `report` is called with entries done and in all.

    Raises:
        ConflictError: the database is not empty, or the folder of keys holds others.
        MalformedError, TooLargeError: the archive is damaged, of another version, or no archive.
        LogIntegrityError: the log in it contradicts itself or the signatures over it.
        UnavailableError: archive, database or folder can't be used right now.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise UnavailableError(f"{path} can't be read: {error.strerror}.") from error
    with file:
        reader, header = _open(file)
        _refuse_filled()
        _make_tables()
        keyring.forget()
        check_policies.forget()
        withdrawals.forget()
        forgetting.forget()
        layout_records.forget()
        try:
            with ExitStack() as undo:
                with transaction.atomic(durable=True):
                    restored = _Restore(reader, header, report).run(undo.callback)
                undo.pop_all()
        except IntegrityError as error:  # found at the commit alone
            raise MalformedError(
                f"The archive's rows contradict each other: {restore_configuration.first_line(error)}."
            ) from error
        finally:
            keyring.forget()
            check_policies.forget()
            withdrawals.forget()
            forgetting.forget()
            layout_records.forget()
        return restored


def _open(file: BinaryIO) -> tuple[ArchiveReader, Header]:
    """Everything that can be said before the database is touched."""
    reader = ArchiveReader(file)
    reader.file(backup_format.README)
    data = reader.file(backup_format.HEADER)
    backup_format.check_format(data)
    header = backup_format.parse(data, Header, backup_format.HEADER)
    if header.schema != backup.schema() or header.columns != backup.columns():
        raise MalformedError(
            f"The archive was made by Lineage {header.product} with the tables of {header.schema}; this"
            f" version has those of {backup.schema()}.",
            hint="Restore it with the version that made it, and upgrade then",
        )
    return reader, header


def _make_tables() -> None:
    """Those that are missing: the command takes ten times as long to find that there are none."""
    if migrations.pending():
        call_command("migrate", interactive=False, verbosity=0)


def _refuse_filled() -> None:
    """Raises ConflictError where any table that is restored holds a row; tables need not be there yet."""
    there = set(connection.introspection.table_names())
    configured = map(backup_tables.name, backup_tables.BACKED_UP)
    with connection.cursor() as cursor:
        for table in (*_SHOULD_BE_EMPTY, *configured):
            if table not in there:
                continue
            cursor.execute(f"SELECT 1 FROM {connection.ops.quote_name(table)} LIMIT 1")  # noqa: S608
            if cursor.fetchone():
                raise ConflictError(
                    f"The database is not empty: there are rows in {table}. Nothing was changed.",
                    hint="Restore into a new database, and let LINEAGE_DATABASE_URL name it",
                )


class _Restore:
    """One restore, inside its transaction."""

    def __init__(self, reader: ArchiveReader, header: Header, report: Report) -> None:
        self._reader = reader
        self._header = header
        self._report = report

    def run(self, undo: Undo) -> Restored:
        _be_patient()
        _refuse_filled()  # again, because now nothing can come between
        restore_log.begin(self._header.log)
        self._add_entries()
        ring = keyring.current()
        head = self._header.log
        restore_keys.registered(ring, "log")
        keys = LogKeys(head.origin, ring)
        tree = Tree(keys, head.size)
        published = self._add_checkpoints(tree)
        root = tree.finish()
        self._add_configuration()
        kept_cosignatures.check_all()
        texts = self._key_files()
        self._check_seal(ring, root)
        self._reader.end()
        placed = restore_keys.place(texts, ring, head.origin, undo)
        return Restored(head.origin, head.size, root.hex(), keys.all()[0].verifier_key, published, placed)

    def _add_entries(self) -> None:
        entries = restore_log.Entries(self._header.log)
        done = 0
        for lines in self._reader.parts(backup_format.ENTRIES):
            for line in lines:
                entries.add(line)
            done += len(lines)
            self._report(done, self._header.log.size)
        entries.finish()

    def _add_checkpoints(self, tree: Tree) -> int:
        published = 0
        for lines in self._reader.parts(backup_format.CHECKPOINTS):
            for line in lines:
                published = tree.add_checkpoint(line)
        return published

    def _add_configuration(self) -> None:
        for model in backup_tables.BACKED_UP:
            for lines in self._reader.parts(f"{backup_format.CONFIGURATION}/{backup_tables.name(model)}"):
                restore_configuration.insert(model, lines)
        restore_configuration.continue_ids()

    def _key_files(self) -> dict[str, bytes]:
        if not self._header.keys:
            return {}
        return {role: self._reader.file(name) for role, name in backup_format.KEY_FILES.items()}

    def _check_seal(self, ring: KeyRing, root: bytes) -> None:
        """That the platform's key signed a manifest of exactly what was read, and of this root."""
        read = list(self._reader.files)
        data = self._reader.file(backup_format.MANIFEST, backup_format.MAX_MANIFEST_BYTES)
        seal = self._reader.file(backup_format.SEAL)
        manifest = backup_format.parse(data, Manifest, backup_format.MANIFEST)
        for said, found in zip_longest(manifest.files, read):
            if said != found:
                name = found.name if found else said.name if said else ""
                raise MalformedError(f"{name} is not as the archive's manifest says: it was altered.")
        if manifest.root_hash != root.hex():
            raise LogIntegrityError("the entries make another root hash than the archive's manifest says")
        signature = decode_base64(seal.decode("ascii", "replace").rstrip("\n"), where=backup_format.SEAL)
        platform = restore_keys.registered(ring, "platform")
        if not platform.verify(backup_format.sealed(data), signature):
            raise SignatureRefutedError(
                "The archive's manifest was not signed by the platform's key of its log: it was altered."
            )


def _be_patient() -> None:
    """However slow the disk is that the archive comes from."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            cursor.execute("SET LOCAL statement_timeout = 0")
