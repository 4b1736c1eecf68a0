"""Folding entries into a graph of which nothing is in the tables that could be asked: all is in memory.

Owns: what a batch asks of the memory instead of the tables, and the rows that are written once, at the end.
Does not own: what an entry makes and which status follows: that is `project_batch`, the same for both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from django.db.backends.utils import CursorWrapper

from lineage.db.bulk import Row
from lineage.graph import sql
from lineage.graph.model import signer_key
from lineage.graph.sql_facts import NodeState
from lineage.graph.sql_plain import StatusRow, status_row
from lineage.graph.status import ALWAYS_BELIEVED, Piece, Rules
from lineage.services.fill_memory import Memory
from lineage.services.project_batch import Batch
from lineage.services.project_entries import Contribution, Judged


class ForgottenError(Exception):
    """What the entry needs is not in memory any more, but in the tables. Never leaves `fill`."""


class FillBatch(Batch):
    """Consecutive entries, folded in order, as `Batch` has them.

    Raises: ForgottenError by `fold` where a statement is taken back or given back, or a check; nothing of
    the memory has changed then.
    """

    def __init__(
        self,
        memory: Memory,
        cursor: CursorWrapper,
        entries: Iterable[Judged],
        rules: Rules,
        cutoffs: Mapping[str, int],
    ) -> None:
        self._memory = memory
        super().__init__(cursor, entries, rules, cutoffs)
        self._users = memory.users
        self._spoken: list[tuple[str, list[int]]] = []

    def fold(self) -> sql.Rows:
        for entry in self._entries:
            if entry.withdraws is not None or entry.believed_again:
                raise ForgottenError
            for key_id in entry.changed_keys if entry.revokes else ():
                self._lost_checks(signer_key(key_id))
        rows = super().fold()
        memory = self._memory
        memory.last_node, memory.last_edge = self._last_node, self.last_edge
        memory.copied.update(state.facts.key for state in self._copied.values())
        memory.keep(self._states)
        for signer, numbers in self._spoken:
            memory.speak(signer, numbers)
        return rows

    def _lost_checks(self, signer: str) -> None:
        """Of a signer's checks the memory has the newest; who disbelieves it needs the one before."""
        cutoff = self._belief.cutoffs.get(signer, ALWAYS_BELIEVED)
        for state in self._brought(self._memory.spoken_of(signer)):
            for checks in state.facts.checks.values():
                if any(who == signer and check.index >= cutoff for (who, *_), check in checks.items()):
                    raise ForgottenError

    def last_rows(self, most: int) -> Iterator[sql.Rows]:
        """Of a batch without entries: what stays open, `most` at once and a few, and how copies stand."""
        alike: dict[tuple[Piece, ...], list[StatusRow]] = {}
        statuses: list[Row] = []
        for number, opened, pieces in self._memory.open_statuses():
            rows = alike.get(pieces) or alike.setdefault(pieces, [status_row(piece) for piece in pieces])
            for row in rows:
                statuses.append((number, opened, None, *row))
            if len(statuses) >= most:
                yield sql.Rows(statuses=statuses)
                statuses = []
        for state in self.with_copies():
            self._add_copies(state)
        yield sql.Rows(statuses=statuses, copies=self.rows.copies)  # none are there that these would replace

    def _last_ids(self) -> tuple[int, int]:
        return self._memory.last_node, self._memory.last_edge

    def _prepare(self) -> None:
        """What is named is brought in when it is."""
        self.load_keys(signer_key(key) for entry in self._entries for key in entry.changed_keys)

    def _finish(self) -> None:
        """Nothing: what stays open is written at the end of the log."""

    def unknown(self, contribution: Contribution) -> list[str]:
        states, memory, cutoffs, number = self._states, self._memory, self._belief.cutoffs, self._last_node
        unknown: list[str] = []
        spoken: list[int] = []
        for key in contribution.delta.nodes:
            state = states.get(key)
            if state is None:
                state = memory.get(key, cutoffs)
                if state is None:
                    unknown.append(key)
                    spoken.append(number := number + 1)
                    continue
                states[key] = state
                if state.facts.deployed:
                    self.load_keys(state.facts.deployed)
            spoken.append(state.id)
        self._spoken.append((contribution.signer, spoken))
        return unknown

    def load_keys(self, keys: Iterable[str]) -> None:
        """Bring in the nodes that exist and are not here yet, with what deployments among them deploy."""
        wanted = [key for key in keys if key not in self._states]
        while wanted:
            found = [self._memory.get(key, self._belief.cutoffs) for key in wanted]
            here = [state for state in found if state is not None]
            self._states.update((state.facts.key, state) for state in here)
            wanted = [key for state in here for key in state.facts.deployed if key not in self._states]

    def deployments_of(self, artifacts: list[NodeState], plain: list[int]) -> list[NodeState]:
        keys = [user for state in artifacts for user in self._users.get(state.facts.key, ())]
        if not keys:
            return []
        self.load_keys(keys)
        return [self._states[key] for key in sorted(set(keys))]

    def supported_by(self, signer: str) -> list[int]:
        return self._memory.spoken_of(signer) if signer in self._belief.cutoffs else []

    def rejudge(self, ids: Iterable[int], index: int) -> tuple[list[int], list[NodeState]]:
        return [], self._brought(ids)

    def with_copies(self) -> list[NodeState]:
        self.load_keys(sorted(self._memory.copied))
        return [self._states[key] for key in sorted(self._memory.copied)]

    def _brought(self, ids: Iterable[int]) -> list[NodeState]:
        keys = [self._memory.key(number) for number in ids]
        self.load_keys(keys)
        return [self._states[key] for key in keys]
