"""`lineage waive-taint`: take it upon oneself that no taint gets to something."""

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
@click.option("--until", type=moment, help="When it ends: RFC 3339, or a date (its midnight, UTC).")
@click.option("--for-ever", is_flag=True, help="Until somebody decides anew.")
@reason_option
@json_option
def command(key: str, until: int | None, for_ever: bool, reason: str, as_json: bool) -> None:
    """Take it upon yourself that no taint gets to KEY, or through it to what was made from it."""
    if for_ever == (until is not None):
        raise click.UsageError("Give one of --until and --for-ever.")

    def decide(person: str) -> Submitted:
        from lineage.services import decide_taint

        return decide_taint.waive_taint(key, until, reason, person=person)

    take(as_json, f"Its taint is waived {f'until {shown(until)}' if until else 'for ever'}", decide)
