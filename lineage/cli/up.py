"""`lineage up`: set up what is missing, then web and workers in one process tree, until Ctrl-C."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

import click
import urllib3

from lineage import config as configuration
from lineage.cli import addresses, crew, first_start, server
from lineage.cli import home as homes
from lineage.cli.example_server import EXAMPLE_FOLDERS, ExampleServer
from lineage.cli.family import Child, Family
from lineage.cli.interrupts import Interrupts
from lineage.cli.output import json_option, say, show
from lineage.cli.services import FOLDER
from lineage.errors import UnavailableError
from lineage.localservices import stack
from lineage.localservices.stack import Stack

READY_SECONDS = 120.0
"""How long the web process may take to its first answer, on a slow machine."""
_TICK_SECONDS = 0.05
_LOOK_SECONDS = 0.2

_NETWORKS, _ROOTS = "LINEAGE_PRIVATE_NETWORKS", "LINEAGE_STORAGE_ROOTS"
_EXAMPLE = (sys.executable, "-m", "lineage.example")
_FOLLOW_AGAIN = (sys.executable, "-m", "lineage.cli", "sources", "change", "example", "--url")


@click.command()
@click.option("--host", help="Address to listen on.  [default: LINEAGE_HOST, 127.0.0.1]")
@click.option(
    "--port", type=click.IntRange(1, 65535), help="Port to listen on.  [default: LINEAGE_PORT, 8000]"
)
@click.option("--demo/--no-demo", default=None, help="Run the example once.  [default: LINEAGE_DEMO, yes]")
@click.option(
    "--full",
    is_flag=True,
    help="With PostgreSQL, Redis and Neo4j, those started here that no setting points elsewhere."
    "  [default LINEAGE_HOME: var/full]",
)
@json_option
def command(host: str | None, port: int | None, demo: bool | None, full: bool, as_json: bool) -> None:
    """Start everything: database, keys, web, workers; prints the address and the login.

    Asks nothing, stays in the foreground, and goes on where it was when it is started again.
    """
    server.require()
    os.umask(0o077)  # the database, keys and logs of this process and its children are nobody else's
    if full:
        os.environ.setdefault("LINEAGE_HOME", str(configuration.default_home() / "full"))
    config = _configuration(host, port, demo)
    homes.make(config.home)
    with homes.locked(config.home):
        addresses.claim(config.host, config.port)
        _remember(config)
        say(f"Lineage: state in {config.home}")
        with _services(config) if full or _was_full(config) else nullcontext() as services:
            _start(_configuration(host, port, demo), services, as_json)


def _was_full(config: configuration.Config) -> bool:
    """Whether the settings of this home point to services that an earlier `--full` started."""
    return stack.gave_out(config.home / FOLDER, _remembered(config.home) | os.environ)


def _remembered(home: Path) -> dict[str, str]:
    return configuration.read_environment_file(home / configuration.ENVIRONMENT_FILE)


@contextmanager
def _services(config: configuration.Config) -> Iterator[Stack]:
    """The services that run here, from their start, with their settings in force, to their end."""
    by_file = {name: path for name in configuration.BY_FILE if (path := os.environ.get(f"{name}_FILE"))}
    services = Stack(config.home / FOLDER, _remembered(config.home) | by_file | os.environ)
    services.begin(say)
    try:
        homes.remember(config.home, services.settings)
        os.environ.update(services.settings)
        yield services
    finally:
        services.stop()


def _start(config: configuration.Config, services: Stack | None, as_json: bool) -> None:
    if services is not None:
        services.await_ready()
    server.start_django()
    with server.database_errors():
        first_start.prepare(config.home, say)
    Run(config, as_json, services).until_stopped()


def _configuration(host: str | None, port: int | None, demo: bool | None) -> configuration.Config:
    """What counts: options, then the environment, then what was chosen last time."""
    options = {
        "LINEAGE_HOST": host,
        "LINEAGE_PORT": None if port is None else str(port),
        "LINEAGE_DEMO": None if demo is None else str(int(demo)),
    }
    return configuration.load(
        os.environ | {name: value for name, value in options.items() if value is not None}
    )


def _remember(config: configuration.Config) -> None:
    """Keep what was chosen for the next start, for other commands, and for this process and its children."""
    chosen = {
        "LINEAGE_HOST": config.host,
        "LINEAGE_PORT": str(config.port),
        "LINEAGE_DEMO": str(int(config.demo)),
    }
    if config.demo:
        known = {**_remembered(config.home), **os.environ}
        chosen |= {name: value for name, value in _for_example(config.home).items() if name not in known}
    if not os.environ.get("LINEAGE_SECRET_KEY_FILE"):  # what stands in a file of its own stays there alone
        chosen["LINEAGE_SECRET_KEY"] = config.secret_key
    homes.remember(config.home, chosen)
    os.environ.update(chosen, LINEAGE_HOME=str(config.home))


def _for_example(home: Path) -> dict[str, str]:
    """What the example needs: where its MLflow server is, and its files to be read and checked."""
    needs = {_NETWORKS: "127.0.0.0/8"}
    if not homes.example_done(home) and os.pathsep not in str(home):
        needs[_ROOTS] = os.pathsep.join(str(home / folder) for folder in EXAMPLE_FOLDERS)
    return needs


@dataclass(slots=True)
class Run:
    """One life of the process tree."""

    config: configuration.Config
    as_json: bool
    services: Stack | None
    interrupts: Interrupts = field(default_factory=Interrupts)

    @property
    def address(self) -> str:
        """Where a browser on this machine finds it."""
        return addresses.url(self.config.host, self.config.port)

    def until_stopped(self) -> None:
        """Start web and workers, say when they serve, keep them alive until a signal asks to stop."""
        family = Family({**os.environ, "LINEAGE_URL": self.address}, say)
        mlflow = ExampleServer(self.config.home, say)
        try:
            self._serve(family, mlflow)
        finally:
            say("Stopping")
            mlflow.ask_to_stop()
            family.stop()
            mlflow.stop()

    def _serve(self, family: Family, mlflow: ExampleServer) -> None:
        members = {name: family.start(name, command) for name, command in crew.members(self.config).items()}
        web = members["web"]
        if not self._await_ready(family, web):
            return
        self._announce()
        example = self._start_example(family, mlflow) if self.config.demo else None
        while not self.interrupts.came:
            if self.config.demo:
                mlflow.tend()
            if self.services is not None:
                self.services.tend(say)
            for ended in family.tend():
                if ended is example:
                    self._after_example(ended)
            time.sleep(_TICK_SECONDS)

    def _await_ready(self, family: Family, web: Child) -> bool:
        """True once it serves, False where a signal came first.

        Raises: UnavailableError where web ends or takes too long.
        """
        deadline = time.monotonic() + READY_SECONDS
        while not self.interrupts.came:
            if web in family.tend():
                raise UnavailableError("The web process ended at its start; its reason stands above.")
            if _answers(self.address):
                return True
            if time.monotonic() > deadline:
                raise UnavailableError(f"The web process does not answer after {READY_SECONDS:.0f} s.")
            time.sleep(_LOOK_SECONDS)
        return False

    def _announce(self) -> None:
        login = homes.read_login(self.config.home)
        value = {"url": self.address, "login": None, "password": None}
        lines = [f"Lineage serves at {self.address}"]
        if login is not None:
            value |= {"login": login.email, "password": login.password}
            lines.append(f"Sign in as {login.email} with the password {login.password} (until it is changed)")
        show(self.as_json, value, lines)
        sys.stdout.flush()
        say("Ctrl-C stops it.")

    def _start_example(self, family: Family, mlflow: ExampleServer) -> Child | None:
        """Its MLflow server, and what is left to do of it; None where nothing is."""
        mlflow.begin()
        if homes.example_done(self.config.home):
            if mlflow.moved:
                family.start("example", (*_FOLLOW_AGAIN, mlflow.url), once=True)
            return None
        say("Example: running a real small pipeline; --no-demo leaves it out")
        return family.start("example", (*_EXAMPLE, mlflow.url), once=True)

    def _after_example(self, example: Child) -> None:
        if example.code == 0:
            homes.mark_example_done(self.config.home)
            say("Example: done")
        else:
            say(f"Example: failed ({example.ending}); the next start tries again")


def _answers(address: str) -> bool:
    try:
        answer = urllib3.request("GET", f"{address}/health/ready", retries=False, timeout=5.0)
    except urllib3.exceptions.HTTPError:
        return False
    return answer.status == HTTPStatus.OK
