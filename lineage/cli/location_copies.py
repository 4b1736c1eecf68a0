"""`lineage locations add-copy` and `withdraw-copy`: signed decisions about where a copy lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lineage.cli.artifact_decisions import reason_option, take
from lineage.cli.output import json_option

if TYPE_CHECKING:
    from lineage.services.receipts import Submitted


@click.command("add-copy")
@click.argument("key")
@click.argument("uri")
@reason_option
@json_option
def add_copy(key: str, uri: str, reason: str, as_json: bool) -> None:
    """Say that a copy of the artifact KEY lies at URI, in a configured storage. It is then checked."""

    def decide(person: str) -> Submitted:
        from lineage.services import decide_checks

        return decide_checks.add_location(key, uri, reason, person=person)

    take(as_json, f"A copy lies at {uri}", decide)


@click.command("withdraw-copy")
@click.argument("key")
@click.argument("uri")
@reason_option
@json_option
def withdraw_copy(key: str, uri: str, reason: str, as_json: bool) -> None:
    """Say that no copy of the artifact KEY lies at URI any more: nothing is judged or opened there."""

    def decide(person: str) -> Submitted:
        from lineage.services import decide_checks

        return decide_checks.withdraw_location(key, uri, reason, person=person)

    take(as_json, f"The copy at {uri} is withdrawn", decide)
