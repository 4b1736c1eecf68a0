"""`lineage clear-taint`: say that something is designated as bad no longer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lineage.cli.artifact_decisions import reason_option, take
from lineage.cli.output import json_option

if TYPE_CHECKING:
    from lineage.services.receipts import Submitted


@click.command()
@click.argument("key")
@reason_option
@json_option
def command(key: str, reason: str, as_json: bool) -> None:
    """Say that KEY is designated as bad no longer. What else taints it stays."""

    def decide(person: str) -> Submitted:
        from lineage.services import decide_taint

        return decide_taint.clear(key, reason, person=person)

    take(as_json, "It is designated as bad no longer", decide)
