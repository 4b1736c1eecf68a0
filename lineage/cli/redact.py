"""`lineage redact`: take an envelope's bytes away for ever, by a signed entry; its leaf stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lineage.cli.artifact_decisions import reason_option, take
from lineage.cli.output import json_option

if TYPE_CHECKING:
    from lineage.services.receipts import Submitted


@click.command()
@click.argument("digests", nargs=-1, required=True)
@click.option("--erase-subjects", is_flag=True, help="Erase the digests of what they were about, too.")
@click.option("--yes", is_flag=True, help="Don't ask: nothing brings the bytes back.")
@reason_option
@json_option
def command(digests: tuple[str, ...], erase_subjects: bool, yes: bool, reason: str, as_json: bool) -> None:
    """Erase the bytes of the envelopes DIGESTS, `sha256:…`, with every entry of the same statements.

    Decisions, and what found something wrong, are never erased. Write nothing personal into the reason.
    """
    if not yes:
        click.confirm(f"Erase {len(digests)} for ever?", abort=True, err=True)

    def decide(person: str) -> Submitted:
        from lineage.services import redact

        return redact.redact(list(digests), reason, person=person, erase_subjects=erase_subjects)

    take(as_json, "Erased", decide)
