"""`lineage graph`: the projection of the log that pages and programs read."""

from __future__ import annotations

import click
import msgspec

from lineage.cli import server
from lineage.cli.output import json_option, progress, show, table


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
