"""`lineage criticality`: say how critical an artifact is, which rules of the check policy go by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lineage.cli.artifact_decisions import reason_option, take
from lineage.cli.output import json_option

if TYPE_CHECKING:
    from lineage.services.receipts import Submitted

LEVELS = ("critical", "high", "normal", "low")


@click.command()
@click.argument("key")
@click.argument("level", type=click.Choice(LEVELS))
@reason_option
@json_option
def command(key: str, level: str, reason: str, as_json: bool) -> None:
    """Say that the artifact KEY is of LEVEL. Its copies are then checked as the policy asks for that."""

    def decide(person: str) -> Submitted:
        from lineage.services import decide_checks

        return decide_checks.set_criticality(key, level, reason, person=person)

    take(as_json, f"It is {level} now", decide)
