"""`lineage graph check`: every node, edge and support of a backend compared with the log, and put right.

Owns: which backends there are to check, the report, the job that keeps it. The log is replayed into tables of
its own (`graph_replay`), both sides are read some node keys at a time (`graph_compare`): memory stays bounded
and nothing waits for it. What is projected meanwhile is left alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from lineage.broker import LONG
from lineage.config import current
from lineage.db.models import Entry, Job
from lineage.errors import MalformedError
from lineage.services import graph_check_tables
from lineage.services.clock import now_us
from lineage.services.graph_replay import Progress
from lineage.services.job_lease import Lease, Result

KIND = "graph-check"
"""The kind of job that holds a report. Its key begins with the backend's name."""
FIRST_US, DAY_US = 3_600_000_000, 86_400_000_000
BACKENDS = {"sql": "the database", "neo4j": "Neo4j"}


class Report(msgspec.Struct, frozen=True):
    """`size`: entries below it were compared. `compared`: rows by kind; `kinds`: differences by kind.

    `examples` are the first of the differences in words. `repaired`: they were put right.
    """

    backend: str
    size: int
    compared: dict[str, int]
    differences: int
    kinds: dict[str, int]
    examples: tuple[str, ...]
    repaired: bool

    def sentence(self) -> str:
        """What came of it, in a line."""
        name = BACKENDS.get(self.backend, self.backend)
        rows = f"{sum(self.compared.values()):,} rows of {self.size:,} entries"
        if not self.differences:
            return f"The graph in {name} is the log's: {rows} compared, no difference."
        kinds = ", ".join(f"{kind} {count:,}" for kind, count in self.kinds.items())
        end = "They were put right." if self.repaired else "They are still there."
        return f"The graph in {name} differs from the log ({rows} compared): {kinds}. {end}"


def configured() -> tuple[str, ...]:
    """The backends of this installation."""
    return tuple(BACKENDS) if current().graph is not None else ("sql",)


def check(backend: str, *, repair: bool = False, progress: Progress | None = None) -> Report:
    """Compare a backend with the log, as far as it has followed; with `repair` put right what differs.

    Raises:
        MalformedError: no such backend, or none configured.
        UnavailableError: it does not answer.
        ConflictError: it was emptied or made anew meanwhile.
        LogIntegrityError: the log has a hole.
    """
    if backend not in configured():
        known = " and ".join(configured())
        raise MalformedError(f"There is no backend {backend!r} here; there is {known}.", where="backend")
    if backend == "sql":
        outcome = graph_check_tables.check(repair, progress or _silent)
    else:
        # Neo4j's driver is loaded where there is a Neo4j.
        from lineage.services import graph_check_neo4j

        outcome = graph_check_neo4j.check(repair, progress or _silent)
    findings = outcome.findings
    return Report(
        backend=backend,
        size=outcome.size,
        compared=dict(findings.compared),
        differences=findings.differences,
        kinds=dict(sorted(findings.kinds.items())),
        examples=tuple(findings.examples),
        repaired=outcome.repaired,
    )


def due(at_us: int) -> Iterable[tuple[str, Mapping[str, object]]]:
    """A job for each backend that was not compared for `LINEAGE_AUDIT_DAYS`; first an hour after the start.

    One that failed is asked for again the next day.
    """
    began = Entry.objects.values_list("received_us", flat=True).filter(pk=0).first()
    if began is None or 0 <= at_us - began < FIRST_US:
        return
    for backend in configured():
        last = newest(backend)
        if last is None or last.finished_us is None:
            yield backend, {}
            continue
        pause = current().audit_days * DAY_US if last.state == Job.State.DONE else DAY_US
        if not 0 <= at_us - last.finished_us < pause:
            yield backend, {}


def newest(backend: str) -> Job | None:
    """The check of this backend that ended last."""
    ended = Job.objects.filter(kind=KIND, key__startswith=backend, finished_us__isnull=False)
    return ended.order_by("-finished_us").first()


def _silent(done: int, total: int, what: str) -> None:
    """Nobody watches."""


def run(lease: Lease) -> Result:
    """The job: check the backend that its key begins with; argument `repair`.

    Raises: as `check`; FencedError where the lease is lost.
    """
    backend = lease.key.partition(" ")[0]
    return _result(check(backend, repair=bool(lease.arguments.get("repair")), progress=lease.progress))


def keep(report: Report, *, started_us: int, by: str) -> None:
    """Keep the report of a check that was made by hand, where those of jobs are kept."""
    Job.objects.create(
        kind=KIND,
        key=report.backend,
        queue=LONG,
        state=Job.State.DONE,
        due_us=started_us,
        attempts=1,
        max_attempts=1,
        worker="command line",
        requested_by=by,
        result=_result(report),
        created_us=started_us,
        started_us=started_us,
        finished_us=now_us(),
    )


def _result(report: Report) -> Result:
    result: Result = msgspec.to_builtins(report)
    return result


def kept(result: Mapping[str, object]) -> Report | None:
    """The report that a job's result holds; None where it holds none."""
    try:
        return msgspec.convert(result, Report)
    except msgspec.ValidationError:
        return None
