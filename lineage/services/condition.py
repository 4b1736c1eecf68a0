"""In what condition the installation is: what `/health/ready`, the system page and `doctor` tell.

Owns: what the state of each service means. Does not own: looking at them (`sightings`), the form on the wire
(`api.health`).

*Ready* means that requests can be answered rightly, for which the database, its migrations and the log must
be there. Neo4j, Redis and the workers may be away: answers then come from the database's own tables, and
come later.
"""

from __future__ import annotations

import msgspec
from django.db import connection

from lineage.db.models import RefusalCount
from lineage.services import audit_condition, sightings, witnesses
from lineage.services.audit_condition import BAD, LATE, NEW
from lineage.services.clock import now_us
from lineage.services.graph_choice import LONGEST_LAG_SECONDS, BackendState
from lineage.services.sightings import Found
from lineage.trust.leaf import rfc3339

OK, DEGRADED, DOWN, OFF = "ok", "degraded", "down", "off"
LONGEST_UNPUBLISHED_SECONDS = 30.0


class Service(msgspec.Struct, frozen=True):
    """`state` is ok, degraded (works, not as it should), down, or off (not configured, or not due yet)."""

    name: str
    state: str
    reason: str


NO_NEO4J = Service("graph-neo4j", OFF, "None is configured (LINEAGE_GRAPH_URL).")
NO_STORAGE = Service(
    "storage", OFF, "None is configured (LINEAGE_STORAGE_ROOTS, sources, locations): no bytes are checked."
)
NO_BROKER = Service(
    "broker", OFF, "None is configured (LINEAGE_BROKER_URL): the worker looks for work by itself."
)


NO_WITNESS = Service(
    "witnesses",
    OFF,
    "None is configured (LINEAGE_WITNESSES): nobody outside sees whether the log was rewritten.",
)


class Condition(msgspec.Struct, frozen=True):
    """`ready`: requests can be answered. The graph may be `lag` entries behind the log, and says so."""

    ready: bool
    database: str
    migrations: str
    log: str
    size: int
    published: int
    projected: int
    lag: int
    services: list[Service]


def now() -> Condition:
    """Never raises for a service that is away: that is what it reports. Answers within some seconds."""
    found = sightings.look()
    figures = found.figures
    log = "unknown" if figures.migrations != "ok" else "ok" if figures.size else "not bootstrapped"
    log = "rolled back" if figures.high_water.wrong else log
    return Condition(
        found.ready,
        "does not answer" if found.unanswered else "ok",
        figures.migrations,
        log,
        figures.size,
        figures.published,
        figures.projected,
        figures.size - figures.projected,
        services(found),
    )


def services(found: Found) -> list[Service]:
    """Each service with its state and reason, for people."""
    return [
        _database_service(found),
        _migrations_service(found),
        _log_service(found),
        _high_water_service(found),
        _witness_service(found),
        _audit_service(found),
        *(_backend_service(found, state) for state in reversed(found.backends)),
        *([] if len(found.backends) > 1 else [NO_NEO4J]),
        _broker_service(found),
        _worker_service(found),
        _storage_service(found),
        _clock_service(found),
    ]


def refusals() -> dict[str, int]:
    """Refused envelopes since the beginning, by slug of the reason."""
    totals: dict[str, int] = {}
    for slug, count in RefusalCount.objects.values_list("slug", "count"):
        totals[slug] = totals.get(slug, 0) + count
    return totals


def _database_service(found: Found) -> Service:
    name = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}[connection.vendor]
    pool = found.pool
    if found.unanswered:
        full = bool(pool) and pool["waiting"] > 0 and pool["available"] == 0
        why = f" All {pool['most']} connections of this process are in use." if full else ""
        return Service("database", DOWN, f"{name}: {found.unanswered}{why}")
    if not pool:
        return Service("database", OK, f"{name} answers.")
    words = f"{name} answers; {pool['size'] - pool['available']} of {pool['most']} connections are in use"
    if pool["waiting"]:
        return Service("database", DEGRADED, f"{words}, {pool['waiting']} requests wait for one.")
    return Service("database", OK, words + ".")


def _migrations_service(found: Found) -> Service:
    if found.unanswered:
        return Service("migrations", DOWN, "Not known without the database.")
    if found.figures.migrations != "ok":
        return Service("migrations", DOWN, found.figures.migrations)
    return Service("migrations", OK, "The tables are those of this version.")


def _log_service(found: Found) -> Service:
    figures = found.figures
    if figures.migrations != "ok":
        return Service("log", DOWN, "Not known without the database.")
    if not figures.size:
        return Service("log", DOWN, "It has not begun; `lineage up` or `lineage prepare` begins it.")
    if figures.unpublished_seconds > LONGEST_UNPUBLISHED_SECONDS:
        waiting = figures.size - figures.published
        return Service(
            "log",
            DEGRADED,
            f"{waiting} of {figures.size} entries are under no checkpoint yet, "
            f"the oldest for {figures.unpublished_seconds:.0f} s.",
        )
    return Service("log", OK, f"{_entries(figures.size)}, {figures.published} under a checkpoint.")


def _high_water_service(found: Found) -> Service:
    state = found.figures.high_water
    if found.figures.migrations != "ok":
        return Service("high-water", DOWN, "Not known without the database.")
    if state.wrong:
        return Service("high-water", DOWN, f"Nothing is appended or published. {state.wrong}")
    if state.weak:
        return Service("high-water", DEGRADED, state.weak)
    return Service("high-water", OK, state.words or "Nothing is published yet.")


def _witness_service(found: Found) -> Service:
    figures = found.figures
    if figures.migrations != "ok":
        return Service("witnesses", DOWN, "Not known without the database.")
    if not figures.witnesses:
        return NO_WITNESS
    wrong = witnesses.trouble(figures.witnesses, figures.published, now_us())
    if wrong:
        contradicted = any(each.contradicts for each in figures.witnesses)
        return Service("witnesses", DOWN if contradicted else DEGRADED, " ".join(wrong))
    sizes = ", ".join(f"{each.witness.name} {_entries(each.size)}" for each in figures.witnesses)
    return Service("witnesses", OK, f"Cosigned: {sizes}; {figures.published} published.")


def _audit_service(found: Found) -> Service:
    if found.figures.migrations != "ok":
        return Service("audit", DOWN, "Not known without the database.")
    lines = audit_condition.lines(found.figures.audits, now_us())
    tones = {line.tone for line in lines}
    states = ((BAD, DOWN), (LATE, DEGRADED), (NEW, OFF))
    state = next((state for tone, state in states if tone in tones), OK)
    return Service("audit", state, " ".join(f"{line.title}: {line.words}" for line in lines))


def _backend_service(found: Found, state: BackendState) -> Service:
    name = f"graph-{state.name}"
    if state.name == "sql":
        return _tables_service(found, name, state)
    if not state.up:
        return Service(name, DOWN, f"{state.reason} Answers come from the database's tables.")
    if not state.answers:
        return Service(name, DEGRADED, f"{state.reason} Answers come from the database's tables.")
    return Service(name, OK, f"Answers questions; {_distance(state)}.")


def _tables_service(found: Found, name: str, state: BackendState) -> Service:
    if found.figures.migrations != "ok":
        return Service(name, DOWN, "Not known without the database.")
    part = "Answers questions" if state.answers else "Keeps statuses and names; Neo4j answers questions"
    late = state.lag_seconds > LONGEST_LAG_SECONDS
    return Service(name, DEGRADED if late else OK, f"{part}; {_distance(state)}.")


def _distance(state: BackendState) -> str:
    if not state.lag:
        return "level with the log"
    return f"{_entries(state.lag)} behind the log, for {state.lag_seconds:.0f} s"


def _entries(count: int) -> str:
    return "1 entry" if count == 1 else f"{count} entries"


def _broker_service(found: Found) -> Service:
    if found.broker is None:
        return NO_BROKER
    if found.broker:
        return Service("broker", DOWN, f"Redis: {found.broker} Work begins later, nothing is lost.")
    return Service("broker", OK, "Redis answers.")


def _storage_service(found: Found) -> Service:
    if found.figures.migrations != "ok":
        return Service("storage", DOWN, "Not known without the database.")
    count, gone = len(found.figures.storages), found.figures.gone
    if not count:
        return NO_STORAGE
    if gone:
        words = " ".join(
            f"{each.title} can't be reached since {rfc3339(each.since_us)[:16].replace('T', ' ')} UTC: "
            f"{each.error.rstrip('.') or 'it does not answer'}."
            for each in gone
        )
        words += " Copies there are not checked meanwhile, and none fails for that."
        return Service("storage", DEGRADED, words)
    return Service("storage", OK, f"None of {count} is known to be out of reach.")


def _clock_service(found: Found) -> Service:
    if found.figures.migrations != "ok":
        return Service("clock", DOWN, "Not known without the database.")
    if found.figures.clock:
        return Service("clock", DEGRADED, found.figures.clock)
    return Service("clock", OK, "It was not set lately, and is not behind the log.")


def _worker_service(found: Found) -> Service:
    if found.figures.migrations != "ok":
        return Service("worker", DOWN, "Not known without the database.")
    late = [beat for beat in found.figures.beats if beat.late]
    if not late:
        ages = [beat.age_seconds or 0.0 for beat in found.figures.beats]
        return Service("worker", OK, f"Every queue was looked after within {max(ages, default=0.0):.0f} s.")
    words = ", ".join(
        f"{beat.name} ({'never' if beat.age_seconds is None else f'{beat.age_seconds:.0f} s ago'})"
        for beat in late
    )
    taken = "No statement is accepted" if found.figures.high_water.wrong else "Statements are accepted"
    return Service("worker", DOWN, f"Nobody looks after: {words}. {taken}; graph, checkpoints and jobs wait.")
