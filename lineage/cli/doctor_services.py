"""What `lineage doctor` finds about the services: database, broker, Neo4j, workers, jobs.

Owns: the questions to each, and what to do about the answers. Each check returns what is well, or raises a
LineageError that says what is not. Django is ready when they are called.
"""

from __future__ import annotations

from pathlib import Path

from lineage.config import current
from lineage.errors import ConfigurationError, UnavailableError
from lineage.service_urls import Postgresql

OLDEST_POSTGRESQL = 150000
"""As `server_version_num` writes version 15."""
OTHER_CONNECTIONS = 10
"""Of workers, beat and commands, beside the web processes' pools."""
BUSY_SHARE = 0.8


def database() -> str:
    from django.db import DatabaseError

    try:
        return _postgresql() if isinstance(current().database, Postgresql) else _sqlite()
    except DatabaseError as error:
        raise UnavailableError(
            f"The database does not answer: {error}".strip().rstrip("."),
            hint="Does it run, and is LINEAGE_DATABASE_URL right?",
        ) from error


def _sqlite() -> str:
    from django.db import connection

    path = Path(connection.settings_dict["NAME"])
    if not path.exists():  # looked for first, because connecting would make it
        raise ConfigurationError(f"There is no database at {path} yet.", hint="`lineage up` makes it.")
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA journal_mode")
        (mode,) = cursor.fetchone()
    return f"{path}, SQLite, journal {mode}"


def _postgresql() -> str:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('server_version'), current_setting('server_version_num')::int, "
            "current_setting('server_encoding'), current_setting('fsync'), "
            "current_setting('synchronous_commit'), current_setting('full_page_writes'), "
            "datcollate, datcollversion, pg_database_collation_actual_version(oid) "
            "FROM pg_database WHERE datname = current_database()"
        )
        row = cursor.fetchone()
    version, number, encoding, fsync, commit, pages, collation, made_with, has_now = row
    if number < OLDEST_POSTGRESQL:
        raise ConfigurationError(f"PostgreSQL {version} is too old.", hint="Install version 15 or newer.")
    if encoding != "UTF8":
        raise ConfigurationError(
            f"The database's encoding is {encoding}.",
            hint="Make one with ENCODING 'UTF8' and restore into it.",
        )
    if "off" in (fsync, commit, pages):
        raise ConfigurationError(
            "fsync, synchronous_commit or full_page_writes is off: a receipt could be lost.",
            hint="Switch them on in postgresql.conf.",
        )
    if made_with != has_now:
        raise ConfigurationError(
            f"The collation {collation} was version {made_with} when the database was made, now {has_now}.",
            hint="Run REINDEX DATABASE, then ALTER DATABASE … REFRESH COLLATION VERSION.",
        )
    return f"PostgreSQL {version}, {encoding}, {collation}"


def connections() -> str:
    from django.db import connection

    config = current()
    if not isinstance(config.database, Postgresql):
        return "SQLite needs none"
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), current_setting('max_connections')::int - "
            "current_setting('superuser_reserved_connections')::int "
            "FROM pg_stat_activity WHERE backend_type = 'client backend'"
        )
        used, most = cursor.fetchone()
    wanted = config.web_workers * (config.database_pool + 1) + OTHER_CONNECTIONS
    if wanted > most:
        raise ConfigurationError(
            f"{config.web_workers} web processes may want {wanted} connections, and PostgreSQL has {most}.",
            hint="Lower LINEAGE_DATABASE_POOL or LINEAGE_WEB_WORKERS, or raise max_connections.",
        )
    if used > most * BUSY_SHARE:
        raise UnavailableError(
            f"{used} of {most} connections are in use.",
            hint="Look in pg_stat_activity for who holds them; raise max_connections.",
        )
    return f"{used} of {most} in use; this server's web processes want {wanted} at most"


def broker() -> str:
    from lineage.services import sightings

    answer = sightings.look().broker
    if answer is None:
        return "none; the worker looks for work by itself"
    if answer:
        raise UnavailableError(
            f"Redis: {answer}", hint="Start it. Until then work begins later, and nothing is lost."
        )
    return "Redis answers"


def neo4j() -> str:
    from lineage.graph.neo4j import inspection
    from lineage.services import sightings

    bolt = current().graph
    if bolt is None:
        return "none; the database's tables answer"
    server = inspection.server(bolt)
    state = sightings.look().backends[0]
    if server.missing and state.projected:
        raise ConfigurationError(
            f"Neo4j {server.version} lacks the constraints {', '.join(server.missing)}.",
            hint="Run `lineage graph rebuild`.",
        )
    if not state.answers:
        raise UnavailableError(
            f"Neo4j {server.version}: {state.reason}",
            hint="Is its worker running? Until it has caught up the database's tables answer.",
        )
    return f"Neo4j {server.version} {server.edition}, at {state.projected}, {state.lag} entries behind"


def worker() -> str:
    from lineage.services import beats

    late = [beat.name for beat in beats.condition() if beat.late]
    if late:
        raise UnavailableError(
            f"Nobody has looked after {', '.join(late)} for {beats.ALARM_SECONDS:.0f} s.",
            hint="Start `lineage up`; with a broker also Celery's workers and beat.",
        )
    oldest = max(beat.age_seconds or 0.0 for beat in beats.condition())
    return f"every queue was looked after within {oldest:.0f} s"


def sources() -> str:
    from lineage.services import source_records
    from lineage.services import sources as servers

    for source in servers.listed():
        servers.settings_of(source)  # which refuses secrets that can't be decrypted
    found = source_records.every()
    for record in found:
        if record.sync.state in ("failing", "late"):
            raise UnavailableError(
                f"{record.name} is {record.sync.state}, its last sync {record.sync.polled_at or 'never'}: "
                f"{record.sync.error or 'nobody syncs it'}",
                hint=f"Run: lineage sources check {record.name}. Nothing is lost meanwhile.",
            )
    told = [f"{record.name} {record.sync.state}" for record in found]
    return ", ".join(told) or "no MLflow server is followed"


def jobs() -> str:
    from lineage.db.models import Job
    from lineage.services import jobs as line

    counts = line.counts()
    failed = counts[Job.State.FAILED]
    if failed:
        newest = Job.objects.filter(state=Job.State.FAILED).order_by("-finished_us")[0]
        raise UnavailableError(
            f"{failed} have failed, the newest: {newest.kind} {newest.key}".rstrip() + f": {newest.error}",
            hint="Mend the cause, then try again on the page Jobs.",
        )
    return f"{counts[Job.State.QUEUED]} queued, {counts[Job.State.RUNNING]} running, none failed"
