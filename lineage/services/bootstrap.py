"""The first start: the platform's keys, the log's head and entry 0; at every later start, that they agree."""

from __future__ import annotations

from django.db import connection, transaction
from django.db.models import Subquery

from lineage.config import current
from lineage.db.models import Checkpoint, Entry, LogHead
from lineage.errors import ConfigurationError, LogIntegrityError
from lineage.services import append, decide, high_water, keyring, log_batch, platform_keys
from lineage.services.clock import now_us
from lineage.services.platform_keys import PlatformKeys
from lineage.trust import decisions
from lineage.trust.policy import KeyRing, Registration, Scopes

PERSON = "lineage bootstrap"


def ensure() -> None:
    """Make the log where there is none, else check that keys, origin and log belong together.

    Raises: ConfigurationError for missing or foreign keys; LogIntegrityError for a log that is not whole.
    """
    if LogHead.objects.filter(pk=1).exists():
        _check()
        return
    if Entry.objects.exists() or Checkpoint.objects.exists():
        raise LogIntegrityError("the log has entries but no head; restore the database from its backup")
    _refuse_second_beginning()
    platform_keys.forget()
    platform_keys.store().create_missing()
    keys = platform_keys.of(KeyRing())
    with transaction.atomic(durable=True):
        # Whoever comes second waits here for the write lock, and finds the log made.
        head, created = LogHead.objects.get_or_create(
            pk=1, defaults={"origin": keys.origin, "size": 0, "last_received_us": 0, "policy_index": -1}
        )
        if created:
            _append_first(head, keys)
    _check()


def _refuse_second_beginning() -> None:
    """A log that has published was there: another from entry 0 on, under its keys, would be a second one."""
    high = high_water.unverified()
    if high is not None:
        raise ConfigurationError(
            f"The database is empty, but this installation has published {high.size} entries of the log"
            f" {high.origin}.",
            hint="Set LINEAGE_DATABASE_URL to the database that holds them, or restore the newest backup"
            f" (`lineage restore`). If a new log is to begin here, move the keys and {current().high_water}"
            " to another place first.",
        )


def _append_first(head: LogHead, keys: PlatformKeys) -> None:
    registrations = [
        Registration(
            key=key.public,
            name=f"{role} key of {keys.origin}",
            scopes=_SCOPES[role],
            not_before_us=None,
            not_after_us=None,
            index=0,
            registered_us=0,
            role=role,  # type: ignore[arg-type]  # ROLES are four of the literals
        )
        for role, key in keys.by_role().items()
    ]
    payload = decisions.build_bootstrap(PERSON, now_us(), keys.origin, registrations)
    batch = log_batch.Batch(head, connection)
    prepared = decide.sign(payload, KeyRing(), _accept)
    append.raise_first(batch.add_all([[prepared]])[0])
    batch.write()


_SCOPES = {
    "log": Scopes(),
    "platform": Scopes(any=True),
    "collector": Scopes(any=True),
    "reverifier": Scopes(
        predicate_types=("urn:lineage:predicate:check:v1", "urn:lineage:predicate:inventory:v1")
    ),
}


def unnamed() -> dict[str, tuple[str, ...]]:
    """By role, what its key says here although the log, which began before, names it among no key's rights.

    What the platform says itself is judged by the role alone, so it is taken and believed here. Somebody who
    goes by the rights that the log names would not believe it, and should be told.
    """
    ring = keyring.current()
    found = {}
    for role, scopes in _SCOPES.items():
        key = ring.holder(role)  # type: ignore[arg-type]  # keys of _SCOPES are roles
        known = ring.keys[key.key_id].scopes if key is not None else scopes
        missing = tuple(each for each in scopes.predicate_types if each not in known.predicate_types)
        if missing and not known.any:
            found[role] = missing
    return found


def _accept(ring: KeyRing, at_us: int) -> None:
    """Nothing is registered before entry 0 that could forbid it."""


def _check() -> None:
    platform_keys.forget()
    store = platform_keys.store()
    # One query, because others may append meanwhile.
    newest_entry = Entry.objects.order_by("-index").values("index")[:1]
    head = LogHead.objects.annotate(newest=Subquery(newest_entry)).get(pk=1)
    if store.origin() != head.origin:
        raise ConfigurationError(
            f"the keys in {store.where} are of the log {store.origin()}, but the database holds the log "
            f"{head.origin}; use the keys that belong to it"
        )
    ring = keyring.current()
    settle(ring)
    platform_keys.of(ring)
    if head.newest is None or head.newest + 1 != head.size:
        raise LogIntegrityError(f"the log's head says {head.size} entries, but the newest is {head.newest}")


def settle(ring: KeyRing) -> None:
    """Go on with a change of keys that was killed after the log had it, or do nothing."""
    for role in platform_keys.OWN_ROLES:
        key = ring.holder(role)
        if key is not None:
            platform_keys.store().settle(role, key.key_id)
