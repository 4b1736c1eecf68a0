"""What the audits of the log and of the graph mean for people: when, what came of them, whether to worry.

Owns: when an audit is late, what is said of it, in which tone. Does not own: reading (`log_audit_round`,
`graph_check`), the pages. What was never looked at, or long ago, is told so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lineage.config import current
from lineage.db.models import Entry, Job, LogAudit
from lineage.services import graph_check, log_audit_round
from lineage.trust.leaf import rfc3339

HOUR_US, DAY_US = 3_600_000_000, 86_400_000_000
LATE_US = 3 * log_audit_round.EVERY_US
"""The schedule reads each hour, behind what else a worker does."""
GOOD, NEW, LATE, BAD = "good", "new", "late", "bad"
"""`NEW`: not looked at yet, and too young for that to be late. It is not well known, so it is not good."""


@dataclass(frozen=True, slots=True)
class Audited:
    """How the log was read again. Times are microseconds, UTC; None: never.

    `ran_us`: when reading ended the last time, `read` so many entries; `rounded_us`: when the newest whole
    round ended; `wrong`: what is wrong with the log, "" where nothing is known; since `wrong_us`.
    """

    ran_us: int | None = None
    read: int = 0
    rounded_us: int | None = None
    wrong: str = ""
    wrong_us: int | None = None


@dataclass(frozen=True, slots=True)
class Compared:
    """How a backend of the graph was compared with the log: `at_us`, None where it never was.

    `differences` are those that were left as they are; `failed`: why the last comparison did not end.
    """

    backend: str
    at_us: int | None = None
    differences: int = 0
    failed: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """Both, and since when there is a log."""

    began_us: int | None = None
    log: Audited = Audited()
    graphs: Sequence[Compared] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence or two about one of them. `tone`: good, new, late, bad; `at_us`: when it was looked at."""

    title: str
    tone: str
    words: str
    at_us: int | None


UNKNOWN = Standing()


def standing() -> Standing:
    """As the tables have it now."""
    began = Entry.objects.values_list("received_us", flat=True).filter(pk=0).first()
    row = LogAudit.objects.filter(pk=1).first()
    audited = (
        Audited() if row is None else Audited(row.ran_us, row.read, row.rounded_us, row.wrong, row.wrong_us)
    )
    return Standing(began, audited, [_compared(name) for name in graph_check.configured()])


def _compared(backend: str) -> Compared:
    job = graph_check.newest(backend)
    if job is None:
        return Compared(backend)
    report = graph_check.kept(job.result or {}) if job.state == Job.State.DONE else None
    if report is None:
        return Compared(backend, job.finished_us, failed=job.error or "its report can't be read")
    return Compared(backend, job.finished_us, 0 if report.repaired else report.differences)


def damage() -> str:
    """`damaged`, asked for alone: for whatever is shown beside something else."""
    wrong = LogAudit.objects.values_list("wrong", flat=True).filter(pk=1).first()
    return damaged(Standing(log=Audited(wrong=wrong or "")))


def lines(found: Standing, at_us: int) -> list[Line]:
    """The log's first, then each backend's."""
    return [of_log(found, at_us), *(_of_graph(each, found, at_us) for each in found.graphs)]


def damaged(found: Standing) -> str:
    """What is wrong with the log, as a sentence; "" where nothing is known to be."""
    return f"The log is damaged: {found.log.wrong}." if found.log.wrong else ""


def of_log(found: Standing, at_us: int) -> Line:
    """How the log stands."""
    log, title = found.log, "The log, read again"
    if log.wrong:
        since = f" Found {_day(log.wrong_us)}." if log.wrong_us else ""
        return Line(
            title, BAD, f"{damaged(found)}{since} Nothing that is shown as verified is sure now.", log.ran_us
        )
    age = None if found.began_us is None else at_us - found.began_us
    if log.ran_us is None:
        if age is None or age < LATE_US:
            return Line(title, NEW, "Not yet: the log is new, and is read again each hour.", None)
        return Line(title, LATE, "Never. Does a worker run? `lineage log audit` reads it now.", None)
    if at_us - log.ran_us > LATE_US:
        words = f"Nobody has read it for {_span(at_us - log.ran_us)}. Does a worker run?"
        return Line(title, LATE, words, log.ran_us)
    return _round(found, title, at_us)


def _round(found: Standing, title: str, at_us: int) -> Line:
    """The newest entries were read lately: and all the others?"""
    log, days = found.log, current().audit_days
    since = found.began_us if log.rounded_us is None else log.rounded_us
    late = since is not None and at_us - since > (days + 1) * DAY_US
    if log.rounded_us is None:
        whole = f"It has never been read whole; that takes {_days(days)}."
    else:
        whole = f"It was read whole {_span(at_us - log.rounded_us)} ago."
    if late:
        return Line(title, LATE, f"{whole} It should be within {_days(days)}.", log.ran_us)
    return Line(title, GOOD, f"Nothing is wrong in {_entries(log.read)} read last. {whole}", log.ran_us)


def _of_graph(graph: Compared, found: Standing, at_us: int) -> Line:
    title = f"The graph in {graph_check.BACKENDS[graph.backend]}, compared with the log"
    if graph.failed:
        return Line(title, LATE, f"It could not be compared: {graph.failed.rstrip('.')}.", graph.at_us)
    if graph.differences:
        words = (
            f"It differs from the log in {_count(graph.differences, 'place')}: what pages say may be wrong."
            " `lineage graph check --repair` puts it right."
        )
        return Line(title, BAD, words, graph.at_us)
    if graph.at_us is None:
        if found.began_us is None or at_us - found.began_us < LATE_US:
            return Line(title, NEW, "Not yet: the log is new.", None)
        return Line(title, LATE, "Never. Does a worker run? `lineage graph check` compares now.", None)
    if at_us - graph.at_us > (current().audit_days + 1) * DAY_US:
        return Line(title, LATE, f"Not for {_span(at_us - graph.at_us)}.", graph.at_us)
    return Line(title, GOOD, "It was the log's, without a difference.", graph.at_us)


def _entries(count: int) -> str:
    return "the 1 entry" if count == 1 else f"the {count:,} entries"


def _count(count: int, what: str) -> str:
    return f"1 {what}" if count == 1 else f"{count:,} {what}s"


def _days(days: int) -> str:
    return _count(days, "day")


def _span(span_us: int) -> str:
    if span_us < HOUR_US:
        return _count(max(0, span_us) // 60_000_000, "minute")
    return _count(span_us // HOUR_US, "hour") if span_us < 2 * DAY_US else _count(span_us // DAY_US, "day")


def _day(at_us: int) -> str:
    return rfc3339(at_us)[:16].replace("T", " ") + " UTC"
