"""What a crash test saw, in the words of the specification (docs/spec/Log.tla), to be replayed against it.

A trace is a file of JSON lines, in the order in which things were seen. Clients' answers are written as they
come (`acknowledged`), a process's end as `crashed`, and `look` reads from the database what it holds by now.
Several processes may write one file: each line is one write to the end of it. Answers that come while `look`
reads must not be of what is written then: who looks has ended the senders.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.crash.whole import Ask

MAX_EVENTS = 200_000


@dataclass(frozen=True, slots=True)
class Trace:
    """A trace at `path`, which need not be there yet."""

    path: Path

    def acknowledged(self, digest: str, index: int) -> None:
        """A client was told that the envelope with this hex SHA-256 is entry `index`."""
        self._write({"event": "ack", "digest": digest, "index": index})

    def crashed(self) -> None:
        """The server was ended, and what it only remembered is gone."""
        self._write({"event": "crash"})

    def look(self, ask: Ask) -> None:
        """Write what the database holds: entries, checkpoints' sizes, the graph's watermark.

        All of `ask`'s answers are of one moment, or what follows the log is asked for first: it can only be
        behind then, and never seems ahead.
        """
        graph = [projected for (projected,) in ask("SELECT projected FROM graph_state WHERE id = 1")]
        sizes = [size for (size,) in ask("SELECT size FROM log_checkpoint ORDER BY size")]
        ((head,),) = ask("SELECT size FROM log_head WHERE id = 1")
        rows = ask('SELECT "index", envelope_digest FROM log_entry')
        entries = {index: bytes(digest).hex() for index, digest in rows}
        self.seen(head=head, entries=entries, checkpoints=sizes, projected=graph[0] if graph else 0)

    def seen(self, *, head: int, entries: dict[int, str], checkpoints: list[int], projected: int) -> None:
        """The same from another reader: `entries` are digests by index, `head` the head row's size."""
        self._write(
            {
                "event": "look",
                "head": head,
                "entries": sorted(entries.items()),
                "checkpoints": checkpoints,
                "projected": projected,
            }
        )

    def events(self) -> list[dict[str, Any]]:
        """Raises: ValueError where it is too long to be replayed, or a line is not JSON."""
        lines = self.path.read_text(encoding="utf-8").splitlines()
        if len(lines) > MAX_EVENTS:
            raise ValueError(f"{len(lines)} events are more than {MAX_EVENTS}")
        return [json.loads(line) for line in lines]

    def copy(self, path: Path, events: Iterable[dict[str, Any]]) -> Trace:
        """A trace at `path` that says `events` instead: a falsified one."""
        other = Trace(path)
        for event in events:
            other._write(event)
        return other

    def _write(self, event: dict[str, Any]) -> None:
        line = (json.dumps(event) + "\n").encode()
        target = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            assert os.write(target, line) == len(line), "a line of a trace is written at once"
        finally:
            os.close(target)
