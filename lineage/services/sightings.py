"""Look at every service, each within a moment: the database, both graph backends, Redis, the workers' beats.

Owns: what is asked of each, by when, and how often. Does not own: what an answer means (`condition`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db import DatabaseError

from lineage import meters
from lineage.config import current
from lineage.db.models import Entry, LogHead, ProjectionState
from lineage.errors import UnavailableError
from lineage.services import (
    audit_condition,
    beats,
    clock_watch,
    epochs,
    gone_storages,
    graph_choice,
    high_water_state,
    migrations,
    publish,
    storages,
    witnesses,
)
from lineage.services.beats import Beat
from lineage.services.clock import now_us
from lineage.services.gone_storages import GoneStorage
from lineage.services.graph_choice import BackendState
from lineage.services.probe import Probe
from lineage.services.witnesses import State

DEADLINE_SECONDS = 2.0
KEEP_SECONDS = 1.0
"""However often a load balancer asks, Redis and Neo4j are asked once a second by each process."""
REDIS_SECONDS = 1.0
NO_DATABASE = "The database does not answer, so how far it is can't be said."

_seen = {"migrated": False}


@dataclass(frozen=True, slots=True)
class Figures:
    """What the database knows.

    `unpublished_seconds`: how long the oldest entry has waited for a checkpoint, `lag_seconds` for the graph.
    `storages`: names of those that are configured; `gone`: those of them that can't be reached. `clock`: why
    this machine's can't be relied on, else empty. `witnesses`: who cosigns checkpoints. `high_water`: whether
    an older database was put back. `epoch`: the number of the log's.
    """

    migrations: str = "unknown"
    size: int = 0
    published: int = 0
    projected: int = 0
    unpublished_seconds: float = 0.0
    lag_seconds: float = 0.0
    beats: Sequence[Beat] = ()
    storages: Sequence[str] = ()
    gone: Sequence[GoneStorage] = ()
    clock: str = ""
    witnesses: Sequence[State] = ()
    high_water: high_water_state.State = high_water_state.NOTHING
    audits: audit_condition.Standing = audit_condition.UNKNOWN
    epoch: int = 1


@dataclass(frozen=True, slots=True)
class Found:
    """Everything that was looked at.

    `unanswered`: why the database is not there; empty where it is. `broker`: the same of Redis, None where
    none is configured. `backends`: the one that is preferred first.
    """

    unanswered: str
    figures: Figures
    backends: Sequence[BackendState]
    broker: str | None
    pool: dict[str, int] = field(default_factory=dict)

    @property
    def ready(self) -> bool:
        return not self.unanswered and self.figures.migrations == "ok" and self.figures.size > 0


def look() -> Found:
    """Look at every service; all of them have the same two seconds."""
    for probe, used in (
        (_database, True),
        (_neo4j, current().graph is not None),
        (_broker, bool(current().broker)),
    ):
        if used:
            probe.begin()
    unanswered, figures = "", Figures()
    try:
        figures = _database.ask()
    except UnavailableError as error:
        unanswered = error.message
    except DatabaseError:
        unanswered = "It does not answer."
    backends = [_tables(figures, answers=not unanswered)]
    if current().graph is not None:
        backends.insert(0, _neo4j_state(unanswered))
        if backends[0].answers:
            backends[1] = _tables(figures, answers=False)
    return Found(unanswered, figures, backends, _broker_answer(), meters.pool_stats())


def forget() -> None:
    """Have each service asked anew, however short ago it answered."""
    for probe in (_database, _neo4j, _broker):
        probe.forget()


def _read_database() -> Figures:
    applied = _applied()
    if applied != "ok":
        return Figures(applied)
    head = LogHead.objects.filter(pk=1).first()
    size = head.size if head else 0
    projected = ProjectionState.objects.values_list("projected", flat=True).filter(pk=1).first() or 0
    published = publish.published_size()
    return Figures(
        applied,
        size,
        published,
        projected,
        _waiting_seconds(published, size),
        _waiting_seconds(projected, size),
        beats.condition(),
        [place.name for place in storages.listed()],
        gone_storages.listed(),
        clock_watch.trouble(),
        witnesses.states(),
        high_water_state.state(),
        audit_condition.standing(),
        epochs.newest(head).number if head else 1,
    )


def _waiting_seconds(index: int, size: int) -> float:
    """Since the entry at `index` was received; 0 where there is none yet."""
    if index >= size:
        return 0.0
    received = Entry.objects.values_list("received_us", flat=True).filter(pk=index).first()
    return 0.0 if received is None else max(0.0, (now_us() - received) / 1e6)


def _applied() -> str:
    """Once all are applied they stay so for the life of the process; until then each call looks again."""
    if not _seen["migrated"]:
        if waiting := migrations.pending():
            return f"{len(waiting)} not applied; run `lineage up` or `manage.py migrate`"
        _seen["migrated"] = True
    return "ok"


def _read_neo4j() -> BackendState:
    return graph_choice.condition()[0]


def _ping_redis() -> None:
    from redis import Redis
    from redis.backoff import NoBackoff
    from redis.exceptions import RedisError
    from redis.retry import Retry

    client = Redis.from_url(
        current().broker,
        socket_connect_timeout=REDIS_SECONDS,
        socket_timeout=REDIS_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
    try:
        with client:
            client.ping()
    except (RedisError, OSError) as error:
        raise UnavailableError(f"It does not answer ({type(error).__name__}).") from error


_database = Probe(_read_database, seconds=DEADLINE_SECONDS)
_neo4j = Probe(_read_neo4j, seconds=DEADLINE_SECONDS, keep_seconds=KEEP_SECONDS)
_broker = Probe(_ping_redis, seconds=DEADLINE_SECONDS, keep_seconds=KEEP_SECONDS)


def _tables(figures: Figures, *, answers: bool) -> BackendState:
    lag = figures.size - figures.projected
    return BackendState("sql", True, answers, figures.projected, lag, figures.lag_seconds, "")


def _neo4j_state(unanswered: str) -> BackendState:
    """How far Neo4j is can't be said without the database, which knows how far the log is."""
    reason = unanswered and NO_DATABASE
    if not reason:
        try:
            return _neo4j.ask()
        except UnavailableError as error:
            reason = error.message
        except DatabaseError:
            reason = NO_DATABASE
    return BackendState("neo4j", False, False, 0, 0, 0.0, reason)


def _broker_answer() -> str | None:
    if not current().broker:
        return None
    try:
        _broker.ask()
    except UnavailableError as error:
        return error.message
    return ""
