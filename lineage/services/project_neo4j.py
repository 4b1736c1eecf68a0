"""The projector of Neo4j: follows the log by index, and heals what it finds wrong there.

Owns: whether what is stored belongs to this log, and starting over where it does not. Any process may call it
at any time: whoever was overtaken throws its work away. Does not own: what entries say (`project_entries`),
how it is written (`graph.neo4j.store`).

The graph there is emptied and projected anew where it is of another log, of other rules, ahead of the log, or
was edited by hand: the log is the truth. What an older copy of the store lacks is caught up.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import cache

from lineage.config import current
from lineage.db.models import Entry, LogHead
from lineage.errors import UnavailableError
from lineage.graph.backend import GraphEntry
from lineage.graph.neo4j.store import SCHEMA, EditedError, Neo4jGraph, OvertakenError, State
from lineage.graph.status import RULES_VERSION
from lineage.services import project_entries, redactions

logger = logging.getLogger(__name__)

RULES = f"v{RULES_VERSION}"
"""What entries say changes with the rules' version; where storage lies changes statuses alone."""
REBUILD_ENTRIES = 2_000
"""Entries in one transaction of a rebuild: about 18,000 relationships."""
MAX_ATTEMPTS = 5
"""How often a projection that was overtaken, or found the graph edited, looks again at once."""


def made_by() -> str:
    """The rules, and which bytes the log still has: a graph from before a redaction is made anew."""
    mark = redactions.mark()
    return f"{RULES} redacted {mark}" if mark else RULES


def configured() -> bool:
    return current().graph is not None


@cache
def graph() -> Neo4jGraph:
    """The writing half of this installation's Neo4j. Raises: UnavailableError where none is configured."""
    bolt = current().graph
    if bolt is None:
        raise UnavailableError("No Neo4j is configured.", hint="Set LINEAGE_GRAPH_URL.")
    return Neo4jGraph(bolt)


def watermark() -> int:
    """Entries below this index are in Neo4j. Raises: UnavailableError where it does not answer."""
    state = graph().state()
    return 0 if state is None else state.projected


def project_pending(limit: int = 500) -> int:
    """Bring the next batch of at most `limit` entries into Neo4j; returns how many, 0 when it is level.

    Raises:
        UnavailableError: Neo4j does not answer; what was written is known at the next call.
        LogIntegrityError: the log has a hole.
    """
    for _ in range(MAX_ATTEMPTS):
        state = _ours()
        entries = project_entries.read(state.projected, limit)
        if not entries:
            return 0
        try:
            graph().apply([graph_entry(one) for one in entries], seen=state, leaf=_leaf(entries[-1].index))
        except OvertakenError:
            continue
        except EditedError as error:
            _start_over(state, f"the graph in Neo4j was changed by hand: {error}")
            continue
        return len(entries)
    raise UnavailableError("Others keep changing the graph in Neo4j; this process tries again later.")


def rebuild(progress: Callable[[int, int], None] | None = None) -> int:
    """Empty the graph in Neo4j and project the log from entry 0; returns the number of entries.

    Readers are answered by the database's tables meanwhile. A killed rebuild is taken up by the next
    projection. `progress` is called with entries done and entries in all.
    """

    def tell(done: int) -> None:
        if progress is not None:
            progress(min(done, total), total)

    state = graph().state()
    if state is not None:
        _start_over(state, "a rebuild was asked for")
    total = _head().size
    with suppress(OvertakenError, EditedError):  # what is left then, the projection below takes up
        _project_all(_ours(), tell)
    while watermark() < total and project_pending(REBUILD_ENTRIES):
        tell(watermark())
    return watermark()


def _project_all(state: State, tell: Callable[[int], None]) -> None:
    """Project to the log's end: Neo4j writes a batch while the next one is read here."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="neo4j") as writer:
        start = state.projected
        writing: Future[State] | None = None
        while entries := project_entries.read(start, REBUILD_ENTRIES):
            start = entries[-1].index + 1
            batch, leaf = [graph_entry(one) for one in entries], _leaf(start - 1)
            if writing is not None:
                state = writing.result()
                tell(state.projected)
            writing = writer.submit(graph().apply, batch, seen=state, leaf=leaf)
        if writing is not None:
            tell(writing.result().projected)


def _head() -> LogHead:
    return LogHead.objects.get(pk=1)


def _ours() -> State:
    """The state of a graph that is of this log, from which projection goes on."""
    head = _head()
    state = graph().state()
    if state is None:
        return graph().start(head.origin, made_by(), "there was no graph of this log")
    reason = wrong(state, head)
    if reason:
        return _start_over(state, reason)
    return state if state.cleared else graph().start(head.origin, made_by())


def wrong(state: State, head: LogHead) -> str:
    """Why the stored graph can't be continued; empty where it can."""
    if state.origin != head.origin:
        return "the graph in Neo4j is of another log"
    if (state.schema, state.rules) != (SCHEMA, made_by()):
        return "the graph in Neo4j was made by other rules, or before a redaction"
    if state.projected > head.size:
        return f"the graph in Neo4j has {state.projected} entries, the log only {head.size}"
    if state.projected and state.leaf != _leaf(state.projected - 1):
        return f"entry {state.projected - 1} in Neo4j is not the log's"
    return ""


def _start_over(state: State, reason: str) -> State:
    logger.warning("Neo4j is emptied and projected anew from the log: %s.", reason)
    return graph().reset(state, _head().origin, made_by(), reason)


def _leaf(index: int) -> str:
    """Lowercase hex leaf hash of an entry; empty where there is none."""
    found = Entry.objects.values_list("leaf_hash", flat=True).filter(pk=index).first()
    return "" if found is None else bytes(found).hex()


def graph_entry(judged: project_entries.Judged) -> GraphEntry:
    """The entry as a graph backend takes it."""
    said = tuple((one.signer, one.delta) for one in judged.contributions)
    return GraphEntry(judged.index, judged.trust.value, said)
