"""`lineage doctor`: what is in order, and what to do about the rest."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from lineage.cli import doctor_services, server
from lineage.cli.exits import EXIT_FAILED, sentence
from lineage.cli.output import json_option, show
from lineage.config import ENVIRONMENT_FILE, current, load
from lineage.errors import ConfigurationError, LineageError, UnavailableError
from lineage.service_urls import Sqlite

OLDEST_PYTHON = (3, 11)
_OTHERS = 0o077
LOOPBACK = ("127.0.0.1", "localhost", "::1")
SECRET_CHARACTERS = 32


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, whether it is in order, and what was found or is to be done."""

    name: str
    ok: bool
    words: str


@click.command()
@json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Look at settings, database, keys, log, graph: each line ok, or what to do (exit 1)."""
    findings = examine()
    value = [{"check": finding.name, "ok": finding.ok, "words": finding.words} for finding in findings]
    width = max(len(name) for name, _ in CHECKS)
    show(as_json, value, [f"{'ok  ' if f.ok else 'MEND'}  {f.name:<{width}}  {f.words}" for f in findings])
    if not all(finding.ok for finding in findings):
        ctx.exit(EXIT_FAILED)


def examine() -> list[Finding]:
    """Every check in order. After one that fails the rest can't be looked at where it needs what failed."""
    findings = []
    for name, look in CHECKS:
        try:
            findings.append(Finding(name, True, look()))
        except LineageError as error:
            findings.append(Finding(name, False, sentence(error)))
            if name in _NEEDED_BY_ALL_LATER:
                break
    return findings


def _python() -> str:
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < OLDEST_PYTHON:
        raise ConfigurationError(f"Python {found} is too old.", hint="Install Python 3.11 or newer.")
    return found


def _server_part() -> str:
    if importlib.util.find_spec("django") is None:
        raise ConfigurationError(
            "Only the client is installed; it signs, verifies and hashes.",
            hint="For the server: pip install 'lineage[server]'",
        )
    return "installed"


def _settings() -> str:
    config = current()
    return f"LINEAGE_HOME {config.home}, serving at {config.host}:{config.port}"


def _home() -> str:
    home = current().home
    if not home.is_dir():
        raise ConfigurationError(f"{home} is not there yet.", hint="`lineage up` makes it.")
    if not os.access(home, os.W_OK):
        raise ConfigurationError(f"{home} can't be written to by this user.")
    environment = home / ENVIRONMENT_FILE
    _private(environment)
    return "writable" + (", environment readable by its owner only" if environment.exists() else "")


def _private(path: Path) -> None:
    if path.exists() and path.stat().st_mode & _OTHERS:
        raise ConfigurationError(
            f"Others may read {path}, which holds a secret.", hint=f"Run: chmod 600 {path}"
        )


def _exposed() -> str:
    """What is safe on one's own machine and nowhere else."""
    config = current()
    if config.host in LOOPBACK and isinstance(config.database, Sqlite):
        return "serves this machine alone"
    if load(os.environ).secret_key != config.secret_key:
        raise ConfigurationError(
            "LINEAGE_SECRET_KEY is not set: each process makes one, and no sign-in holds for two of them.",
            hint="Set it, or LINEAGE_SECRET_KEY_FILE; `lineage up` keeps one in LINEAGE_HOME/environment.",
        )
    if len(config.secret_key) < SECRET_CHARACTERS:
        raise ConfigurationError(
            f"LINEAGE_SECRET_KEY is shorter than {SECRET_CHARACTERS} characters.",
            hint="Make one with: openssl rand -base64 48",
        )
    if config.host not in LOOPBACK and set(config.allowed_hosts) <= {*LOOPBACK, "[::1]", config.host}:
        raise ConfigurationError(
            f"The server listens at {config.host}, and LINEAGE_ALLOWED_HOSTS names no other host.",
            hint="Set it to the names that people and programs use.",
        )
    return f"secret key set, {len(config.allowed_hosts)} allowed hosts"


def _database() -> str:
    server.start_django()
    return doctor_services.database()


def _migrations() -> str:
    waiting = server.pending_migrations()
    if waiting:
        raise ConfigurationError(f"{len(waiting)} migrations are not applied.", hint="Run `lineage up`.")
    return "all applied"


def _keys() -> str:
    from lineage.db.models import LogHead
    from lineage.services import bootstrap, platform_keys

    if not LogHead.objects.filter(pk=1).exists():
        raise ConfigurationError("There is no log yet.", hint="`lineage up` begins it.")
    bootstrap.ensure()  # where there is a log it only checks: files, modes, that they belong to this log
    safe = "the token keeps them" if current().key_token else "readable by their owner only"
    words = f"four in {platform_keys.store().where}, {safe}, and those of this log"
    for role, types in bootstrap.unnamed().items():
        words += (
            f". The log began before its {role} said {', '.join(types)}, and names no such right of it: "
            "it is believed here by its role, and not by who goes by the rights in the log alone"
        )
    return words


def _log() -> str:
    from lineage.services import condition

    now = condition.now()
    if now.published < now.size:
        raise UnavailableError(
            f"{now.size - now.published} of {now.size} entries are under no checkpoint.",
            hint="Is the worker running (`lineage up`)? Just after an entry this is normal for a second.",
        )
    return f"size {now.size}, all under a checkpoint"


def _high_water() -> str:
    from lineage.services import high_water_state

    found, place = high_water_state.state(), current().high_water
    if trouble := found.wrong or found.weak:
        raise UnavailableError(trouble, hint=f"The file is {place} (LINEAGE_HIGH_WATER).")
    return f"{found.words.rstrip('.') or 'nothing is published yet'} ({place})"


def _witnesses() -> str:
    from lineage.services import publish, witnesses
    from lineage.services.clock import now_us

    found = witnesses.states()
    if wrong := witnesses.trouble(found, publish.published_size(), now_us()):
        raise UnavailableError(" ".join(wrong), hint="Look at `lineage log witnesses`.")
    return f"{len(found)} cosign checkpoints" if found else "none is configured (LINEAGE_WITNESSES)"


def _audit() -> str:
    from lineage.services import audit_condition
    from lineage.services.clock import now_us

    lines = audit_condition.lines(audit_condition.standing(), now_us())
    if wrong := [line for line in lines if line.tone in (audit_condition.LATE, audit_condition.BAD)]:
        raise UnavailableError(
            " ".join(f"{line.title}: {line.words}" for line in wrong), hint="Look at docs/audit.md."
        )
    return " ".join(f"{line.title}: {line.words}" for line in lines).rstrip(".")


def _clock() -> str:
    from lineage.services import clock_watch

    if trouble := clock_watch.trouble():
        raise UnavailableError(trouble, hint="Have it set by NTP, and look at what was checked meanwhile.")
    return "not set lately, and not behind the log"


def _graph() -> str:
    from lineage.services import condition

    now = condition.now()
    if now.lag:
        raise UnavailableError(
            f"The graph is {now.lag} of {now.size} entries behind.",
            hint="Is the worker running (`lineage up`)?",
        )
    return f"level with the log, at {now.projected}"


CHECKS: tuple[tuple[str, Callable[[], str]], ...] = (
    ("python", _python),
    ("server", _server_part),
    ("settings", _settings),
    ("home", _home),
    ("production", _exposed),
    ("database", _database),
    ("connections", doctor_services.connections),
    ("migrations", _migrations),
    ("keys", _keys),
    ("log", _log),
    ("high-water", _high_water),
    ("witnesses", _witnesses),
    ("audit", _audit),
    ("clock", _clock),
    ("graph", _graph),
    ("neo4j", doctor_services.neo4j),
    ("broker", doctor_services.broker),
    ("worker", doctor_services.worker),
    ("jobs", doctor_services.jobs),
    ("sources", doctor_services.sources),
)
_NEEDED_BY_ALL_LATER = frozenset({"server", "settings", "database", "migrations"})
