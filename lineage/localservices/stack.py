"""The three services of one installation, side by side in one folder.

Owns: which of them run here (those that no setting points elsewhere), and that what ends is started again.
Neo4j takes the longest to start and nothing waits for it but the first time: until it is up, the database
answers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from lineage.errors import LineageError
from lineage.localservices.neo4j import HEAP, PAGE_CACHE, Neo4j
from lineage.localservices.postgresql import Postgresql
from lineage.localservices.redis import Redis
from lineage.localservices.service import LocalService

GRAPH = "LINEAGE_GRAPH_URL"
LOOK_SECONDS = 1.0
"""Between two looks whether one that starts answers."""
PAUSE_SECONDS = 5.0
"""Between two tries to start a service again."""

Say = Callable[[str], None]


class Stack:
    """Services by the setting that says where they are."""

    def __init__(self, directory: Path, elsewhere: Mapping[str, str]) -> None:
        """`elsewhere`: settings that may hold URLs. A service whose URL stands there does not run here, but
        for a URL that an earlier start in this folder gave out."""
        self._services = {
            setting: service
            for setting, service in _all(directory).items()
            if not elsewhere.get(setting) or service.gave_out(elsewhere[setting])
        }
        self._due: dict[str, float] = {}
        self._silent = set(self._services)
        """Those that have not answered since they were started."""

    def begin(self, say: Say) -> None:
        """Start all without waiting until they are ready. Those that run are ended where one can't be."""
        try:
            for service in self._services.values():
                say(f"{service.name}: starting")
                service.begin()
        except BaseException:
            self.stop()
            raise

    def await_ready(self, *, everything: bool = False) -> None:
        """Wait until all answer, or all that something waits for.

        Raises: what `LocalService.await_ready` does.
        """
        for setting, service in self._services.items():
            if setting == GRAPH and service.served_before and not everything:
                continue
            service.await_ready()
            self._silent.discard(setting)

    @property
    def settings(self) -> dict[str, str]:
        """Setting → URL of each; known once begun."""
        return {setting: service.url for setting, service in self._services.items()}

    def tend(self, say: Say) -> None:
        """Say what has become ready; start again what has ended, at most every `PAUSE_SECONDS`."""
        for setting, service in self._services.items():
            if time.monotonic() < self._due.get(setting, 0.0):
                continue
            if not service.running:
                self._due[setting] = time.monotonic() + PAUSE_SECONDS
                self._begin_again(setting, service, say)
            elif setting in self._silent:
                self._due[setting] = time.monotonic() + LOOK_SECONDS
                self._look(setting, service, say)

    def _begin_again(self, setting: str, service: LocalService, say: Say) -> None:
        say(f"{service.name} ended; starting it again (its log: {service.log_path})")
        self._silent.add(setting)
        try:
            service.begin()
        except LineageError as error:
            say(f"{service.name}: {error.message}")

    def _look(self, setting: str, service: LocalService, say: Say) -> None:
        if service.answers:
            self._silent.discard(setting)
            say(f"{service.name}: ready")

    def stop(self) -> None:
        """End all, those that take long at the same time."""
        for service in self._services.values():
            service.ask_to_stop()
        for service in self._services.values():
            service.stop()


def gave_out(directory: Path, settings: Mapping[str, str]) -> bool:
    """Whether one of the URLs in `settings` is of a service that has been started in this folder."""
    return any(service.gave_out(settings.get(name, "")) for name, service in _all(directory).items())


def _all(directory: Path) -> dict[str, LocalService]:
    return {
        # The slowest first: it starts while the others do.
        GRAPH: Neo4j(directory / "neo4j", None, HEAP, PAGE_CACHE),
        "LINEAGE_DATABASE_URL": Postgresql(directory / "postgresql"),
        "LINEAGE_BROKER_URL": Redis(directory / "redis"),
    }
