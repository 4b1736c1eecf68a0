"""`lineage graph`: the projection of the log that pages and programs read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import msgspec

from lineage.cli import server
from lineage.cli.exits import EXIT_FAILED
from lineage.cli.output import json_option, progress, show, table

if TYPE_CHECKING:
    from lineage.services.graph_check import Report


@click.group()
def command() -> None:
    """The graph: a projection of the log, rebuilt from it at any time."""


@command.command()
@json_option
def rebuild(as_json: bool) -> None:
    """Empty the graph and make it again from entry 0. Readers see a graph that is behind meanwhile."""
    with server.log_ready():
        from lineage.db.models import LogHead
        from lineage.services import project

        total = LogHead.objects.values_list("size", flat=True).get(pk=1)
        with progress("projecting", total, shown=lambda count: f"{count:.0f} entries") as advance:
            before = 0

            def report(done: int, _total: int) -> None:
                nonlocal before
                advance(done - before)
                before = done

            entries = project.rebuild(report)
    show(as_json, {"entries": entries}, f"Projected {entries} entries.")


@command.command()
@click.option("--repair", is_flag=True, help="Put right what differs.")
@click.option("--backend", type=click.Choice(["sql", "neo4j"]), help="Only this one; otherwise each.")
@json_option
@click.pass_context
def check(ctx: click.Context, repair: bool, backend: str | None, as_json: bool) -> None:
    """Compare every node, edge and support with the log. Exits with 1 where something stays different."""
    with server.log_ready():
        from lineage.services import graph_check

        names = [backend] if backend else graph_check.configured()
        reports = [_checked(name, repair) for name in names]
    lines = [line for report in reports for line in (report.sentence(), *report.examples)]
    show(as_json, {"checks": msgspec.to_builtins(reports)}, lines)
    if any(report.differences and not report.repaired for report in reports):
        ctx.exit(EXIT_FAILED)


def _checked(backend: str, repair: bool) -> Report:
    """Check one backend and keep the report for the pages. Progress counts the steps of each stage anew."""
    from lineage.services import graph_check
    from lineage.services.clock import now_us

    started_us = now_us()
    with progress(f"checking {backend}", shown=lambda count: f"{count:,.0f}") as advance:
        stage, before = "", 0

        def step(done: int, _total: int, what: str) -> None:
            nonlocal stage, before
            advance(max(0, done - (before if what == stage else 0)))
            stage, before = what, done

        report = graph_check.check(backend, repair=repair, progress=step)
    graph_check.keep(report, started_us=started_us, by=server.person())
    return report


@command.command()
@json_option
def stats(as_json: bool) -> None:
    """How many nodes, edges and claims there are, and how far the graph has followed the log."""
    with server.database():
        from lineage.services import graph_stats

        found = graph_stats.read()
    parts = (("node", found.nodes), ("edge", found.edges), ("claim", found.claims))
    rows = [(what, kind, str(count)) for what, counts in parts for kind, count in counts.items()]
    level = f"graph at {found.projected} of {found.entries} entries, {found.skipped} skipped"
    show(as_json, msgspec.to_builtins(found), [level, *table(("WHAT", "KIND", "COUNT"), rows)])
