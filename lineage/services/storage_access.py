"""Opening a storage of this installation by its name, with its credentials.

Owns: from configuration to an open storage, and remembering whether it could be reached. Does not own: which
storages there are (`storages`), or reading (`artifacts.storage`, `mlflow.storage`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import unquote_to_bytes

from django.db.models import F

from lineage.artifacts.storage import Access, Storage, by_kind
from lineage.config import current
from lineage.db.models import Storage as Row
from lineage.db.models import StorageState
from lineage.errors import InconclusiveError, NotFoundError
from lineage.mlflow.connection import Connection
from lineage.mlflow.storage import MlflowStorage
from lineage.services import secret_box, sources, storages
from lineage.services.clock import now_us
from lineage.services.storages import FILE, MLFLOW, Place

FIRST_PAUSE_US = 60 * 1_000_000
LONGEST_PAUSE_US = 3600 * 1_000_000


def box_place(name: str) -> str:
    """For which place the secrets of the storage `name` are sealed (`secret_box`)."""
    return f"storage:{name}"


@contextmanager
def opened(name: str) -> Iterator[Storage]:
    """The storage, without having been reached yet: `probe` does that.

    Raises: NotFoundError for a name that is none, ConfigurationError for a secret that can't be decrypted.
    """
    place = storages.find(name)
    if place is None:
        raise NotFoundError(f"There is no storage {name}.", hint="`lineage locations list` lists them.")
    if place.kind == MLFLOW:
        source = sources.find(name.removeprefix("mlflow-"))
        with Connection(sources.settings_of(source)) as connection:
            yield MlflowStorage(connection, source.name)
        return
    with by_kind(place.kind).open(_access(place)) as storage:
        yield storage


def probe(name: str) -> str:
    """Reach the storage now and remember what came of it; empty where it is there, else why not.

    Raises: as `opened`.
    """
    try:
        with opened(name) as storage:
            storage.probe()
    except InconclusiveError as error:  # it is gone, or its answer is none
        gone(name, error.message)
        return error.message
    reached(name)
    return ""


def reached(name: str) -> None:
    """It answered."""
    now = now_us()
    values = {"reached_us": now, "tried_us": now, "gone_us": 0, "error": "", "failures": 0}
    StorageState.objects.update_or_create(storage=name, defaults=values)


def gone(name: str, why: str) -> None:
    """It did not answer: one alarm, whatever lies in it."""
    now = now_us()
    StorageState.objects.get_or_create(storage=name)
    rows = StorageState.objects.filter(storage=name)
    rows.update(tried_us=now, error=why, failures=F("failures") + 1)
    rows.filter(gone_us=0).update(gone_us=now)


def may_try(name: str, at_us: int) -> bool:
    """Whether a storage is to be reached now: one that is gone is tried ever less often, up to an hour."""
    state = StorageState.objects.filter(storage=name).first()
    if state is None or not state.failures:
        return True
    pause = min(FIRST_PAUSE_US * 2 ** min(state.failures - 1, 16), LONGEST_PAUSE_US)
    # A time that is still to come was written by a clock that was ahead.
    return bool(state.tried_us + pause <= at_us or state.tried_us > at_us)


def _access(place: Place) -> Access:
    networks = current().private_networks
    if place.kind == FILE:
        folder = os.fsdecode(unquote_to_bytes(place.root.uri.removeprefix("file://")))
        return Access(FILE, place.root.uri, root=folder, private_networks=networks)
    return access_of(Row.objects.get(name=place.name))


def access_of(row: Row) -> Access:
    """How to reach a configured storage, secrets decrypted. Raises: ConfigurationError where one can't be."""
    return Access(
        kind=row.kind,
        uri=row.uri,
        endpoint=row.endpoint,
        region=row.region,
        username=row.username,
        secret=secret_box.open_box(row.secret_box, box_place(row.name), "secret"),
        token=secret_box.open_box(row.token_box, box_place(row.name), "token"),
        ca_pem=row.ca_pem,
        private_networks=current().private_networks,
        insecure_http=row.insecure_http,
    )
