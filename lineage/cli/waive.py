"""`lineage waive`: take it upon oneself that a finding does not make an artifact failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lineage.cli.artifact_decisions import reason_option, take
from lineage.cli.moments import moment, shown
from lineage.cli.output import json_option

if TYPE_CHECKING:
    from lineage.services.receipts import Submitted

FINDINGS = ("unsafe-format",)


@click.command()
@click.argument("key")
@click.argument("finding", type=click.Choice(FINDINGS))
@click.option("--until", type=moment, help="When it counts again: RFC 3339, or a date (its midnight, UTC).")
@click.option("--for-ever", is_flag=True, help="It never counts again, until somebody decides anew.")
@reason_option
@json_option
def command(key: str, finding: str, until: int | None, for_ever: bool, reason: str, as_json: bool) -> None:
    """Waive FINDING of the artifact KEY, with an end. A copy that differs stays failed.

    The newest decision about a finding counts: a shorter waiver ends a longer one.
    """
    if for_ever == (until is not None):
        raise click.UsageError("Give one of --until and --for-ever.")

    def decide(person: str) -> Submitted:
        from lineage.services import decide_checks

        return decide_checks.waive(key, finding, until, reason, person=person)

    take(as_json, f"{finding} is waived {f'until {shown(until)}' if until else 'for ever'}", decide)
