"""Storages beyond this machine: added, changed, paused, removed, tried.

Owns: the rows of `Storage`; that a secret reaches no other server than the one it was given for. Does not
own: what is wrong with one value (`storage_values`), which storages there are besides (`storages`), opening
one (`storage_access`), or what is known of one (`storage_figures`).

Which locations are copies follows from these rows: the graph is made anew from the log after each change of
one's name or address.
"""

from __future__ import annotations

import logging
import time

import msgspec
from django.db import IntegrityError, transaction
from msgspec import UNSET

from lineage.artifacts.storage import by_kind
from lineage.db.models import Storage, StorageState, StorageSweep
from lineage.errors import ConflictError, InconclusiveError, LineageError, MalformedError, NotFoundError
from lineage.services import (
    secret_box,
    source_certificates,
    source_values,
    storage_access,
    storage_values,
    storages,
    wake,
)
from lineage.services.clock import now_us
from lineage.services.storage_values import SECRETS, StorageValues

_ADDRESS = frozenset({"uri", "endpoint", "insecure_http"})
"""Fields that say where secrets are sent, and how."""

log = logging.getLogger(__name__)


class StorageCheck(msgspec.Struct, frozen=True):
    """What a try came to. `reason` says what is wrong, empty where it answers; `ms`: how long it took."""

    ok: bool
    reason: str
    ms: int


def find(name: str) -> Storage:
    """Raises: NotFoundError."""
    known = source_values.NAME.fullmatch(name)
    storage = Storage.objects.filter(name=name).first() if known else None
    if storage is None:
        place = storages.find(name) if known else None
        hint = "`lineage locations list` lists them."
        if place is not None:
            hint = "It is a folder or an MLflow server: LINEAGE_STORAGE_ROOTS or `lineage sources` has it."
        raise NotFoundError(f"No storage {name[:63]} is configured by name.", hint=hint)
    return storage


def add(name: str, kind: str, values: StorageValues, *, by: str) -> Storage:
    """Configure one more storage: what lies under its URI are copies from then on.

    Raises:
        MalformedError: a value is wrong; `where` names the field.
        ConflictError: the name or the URI is in use.
    """
    storage = Storage(
        name=storage_values.name(name),
        kind=storage_values.kind(kind).kind,
        created_us=now_us(),
        created_by=by,
    )
    if values.uri is UNSET:
        raise MalformedError("The address is missing under which its files lie.", where="uri")
    _apply(storage, values)
    try:
        with transaction.atomic():
            storage.save()
    except IntegrityError as error:
        raise ConflictError(f"There is a storage {name} already.", where="name") from error
    wake.soon()
    log.info("storage %s added by %s", name, by)
    return storage


def change(name: str, values: StorageValues, *, by: str) -> Storage:
    """Change what is said; the rest, secrets too, stays.

    Raises: NotFoundError; ConflictError for a URI in use; MalformedError for a wrong value, and where a
    stored secret would go to another server than it was given for.
    """
    with transaction.atomic():
        find(name)
        storage = Storage.objects.select_for_update().get(name=name)
        _apply(storage, values)
        storage.save()
    wake.soon()
    log.info("storage %s changed by %s: %s", name, by, ", ".join(values.said()) or "nothing")
    return storage


def pause(name: str, *, by: str) -> Storage:
    """Read nothing there until `resume`. Raises: NotFoundError."""
    return change(name, StorageValues(paused=True), by=by)


def resume(name: str, *, by: str) -> Storage:
    """Read there again. Raises: NotFoundError."""
    return change(name, StorageValues(paused=False), by=by)


def remove(name: str, *, by: str) -> None:
    """Open it no more, and forget its secrets: its copies are mentions from then on.

    What was found there stays in the log, and counts again once a storage has that address.

    Raises: NotFoundError.
    """
    storage = find(name)
    with transaction.atomic():
        StorageState.objects.filter(storage=name).delete()
        StorageSweep.objects.filter(storage=name).delete()
        storage.delete()
    wake.soon()
    log.info("storage %s removed by %s", name, by)


def check(name: str) -> StorageCheck:
    """Reach any storage now, folders and MLflow servers too. Remembers whether it answered.

    Raises: NotFoundError.
    """
    began = time.monotonic()
    try:
        reason = storage_access.probe(name)
    except NotFoundError:
        raise
    except LineageError as error:
        reason = f"{error.message} {error.hint}".strip()
    return StorageCheck(not reason, reason, round((time.monotonic() - began) * 1000))


def _apply(storage: Storage, values: StorageValues) -> None:
    """Set what is said, after looking at all of it. The row is not saved; nothing is told of a secret."""
    before = {field: getattr(storage, field) for field in _ADDRESS}
    scheme = by_kind(storage.kind)
    for field in values.said():
        if field != "paused" and field not in scheme.needs and getattr(values, field):
            raise MalformedError(f"{scheme.title} has no {field.replace('_', ' ')}.", where=field)
    if values.uri is not UNSET:
        storage.uri = storage_values.uri(values.uri, scheme)
        _refuse_same(storage)
    if values.endpoint is not UNSET:
        storage.endpoint = storage_values.endpoint(values.endpoint)
    if values.region is not UNSET:
        storage.region = storage_values.region(values.region)
    if values.username is not UNSET:
        storage.username = source_values.username(values.username)
    if values.ca_pem is not UNSET:
        text = values.ca_pem.strip()
        storage.ca_pem = source_certificates.certificates(text, "ca_pem") if text else ""
    if values.insecure_http is not UNSET:
        storage.insecure_http = values.insecure_http
    if values.paused is not UNSET:
        storage.paused = values.paused
    _refuse_elsewhere(storage, values, before)
    _seal(storage, values)
    if set(values.said()) - {"paused"}:  # else a pause would need the key that decrypts
        _refuse_unusable(storage)


def _seal(storage: Storage, values: StorageValues) -> None:
    place = storage_access.box_place(storage.name)
    if values.secret is not UNSET:
        text = storage_values.secret(values.secret, by_kind(storage.kind))
        storage.secret_box = secret_box.seal(text, place, "secret")
    if values.token is not UNSET:
        storage.token_box = secret_box.seal(storage_values.token(values.token), place, "token")


def _refuse_same(storage: Storage) -> None:
    """Raises: ConflictError where another storage has the same address: copies would be either's."""
    for other in Storage.objects.exclude(name=storage.name).filter(uri=storage.uri):
        raise ConflictError(f"The storage {other.name} has that address already.", where="uri")


def _refuse_elsewhere(storage: Storage, values: StorageValues, before: dict[str, object]) -> None:
    """Raises: MalformedError where a kept secret would go to another address, or without TLS.

    Else whoever may change an address could have the secret sent to a server of theirs.
    """
    if not before["uri"] or all(getattr(storage, field) == value for field, value in before.items()):
        return
    for field in SECRETS:
        if getattr(storage, f"{field}_box") and getattr(values, field) is UNSET:
            raise MalformedError(
                f"The stored {field} was given for another address; send it again.", where=field
            )


def _refuse_unusable(storage: Storage) -> None:
    """Raises: MalformedError for values that can't be together. Nothing is connected to here."""
    if storage.secret_box and not storage.username and storage.kind in ("s3", "oci"):
        raise MalformedError("The secret is that of a user, who is missing.", where="username")
    if storage.kind == "s3" and storage.username and not storage.secret_box:
        raise MalformedError("The secret of the access key is missing.", where="secret")
    try:
        by_kind(storage.kind).open(storage_access.access_of(storage)).close()
    except InconclusiveError as error:
        raise MalformedError(error.message, hint=error.hint) from None
