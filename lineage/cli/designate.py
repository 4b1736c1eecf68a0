"""`lineage designate`: say that something is bad, so that all that came of it is tainted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lineage.cli.artifact_decisions import reason_option, take
from lineage.cli.moments import moment, shown
from lineage.cli.output import json_option

if TYPE_CHECKING:
    from lineage.services.receipts import Submitted


@click.command()
@click.argument("key")
@click.option("--until", type=moment, help="When it ends by itself: RFC 3339, or a date (its midnight, UTC).")
@click.option("--incident", default="", help="What people call the incident that it belongs to.")
@reason_option
@json_option
def command(key: str, until: int | None, incident: str, reason: str, as_json: bool) -> None:
    """Say that KEY is bad: all that was made from it, on it, there or by it is tainted.

    KEY is the node key of an artifact, run, machine, supplier or place. Without --until it is bad until it is
    cleared.
    """

    def decide(person: str) -> Submitted:
        from lineage.services import decide_taint

        return decide_taint.designate(key, reason, person=person, until_us=until, incident=incident)

    take(
        as_json,
        f"It is designated as bad {f'until {shown(until)}' if until else 'until it is cleared'}",
        decide,
    )
