"""Facts of host and code, found out by a thread while the work goes on.

Owns: that nobody waits long for them. Does not own: the facts (`host_facts`, `code_facts`).
"""

from __future__ import annotations

import logging
import os
import threading

from lineage.client.code_facts import CodeFacts, code_facts
from lineage.client.host_facts import HostFacts, host_facts

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 2.0
"""How long the end of a run waits for facts that are still being asked for."""


class Facts:
    """Begins to ask at once. The code's facts are those of the start, before the run could change a file."""

    def __init__(self, script: str | os.PathLike[str] | None = None) -> None:
        self._script = script
        self._host: HostFacts | None = None
        self._code: CodeFacts | None = None
        self._ready = threading.Event()
        threading.Thread(target=self._ask, name="lineage-facts", daemon=True).start()

    def _ask(self) -> None:
        try:
            self._code = code_facts(self._script)
            self._host = host_facts()
        except (OSError, ValueError) as error:
            log.warning("Facts of this machine can't be recorded: %s", error)
        finally:
            self._ready.set()

    def get(self) -> tuple[HostFacts | None, CodeFacts | None]:
        """What is known, within `PATIENCE_SECONDS`."""
        if not self._ready.wait(PATIENCE_SECONDS):
            log.warning("Facts of this machine are still being asked for, and are left out.")
        return self._host, self._code
