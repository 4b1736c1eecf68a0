"""`lineage holds`: keep entries from being redacted, by signed entries, and say what is held."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import msgspec

from lineage.cli import server
from lineage.cli.artifact_decisions import reason_option, take
from lineage.cli.output import json_option, show

if TYPE_CHECKING:
    from lineage.services.receipts import Submitted


@click.group()
def command() -> None:
    """Legal holds: what must not be redacted."""


@command.command("list")
@json_option
def listed(as_json: bool) -> None:
    """The holds that stand."""
    with server.log_ready():
        from lineage.services import forgetting_records

        holds = forgetting_records.now().holds
    lines = []
    for hold in holds:
        named = (*hold.subjects, *hold.envelopes, *hold.signers, *hold.predicate_types)
        lines.append(f"entry {hold.decided.index}  {hold.name}  {' '.join(named) or 'everything'}")
    show(as_json, msgspec.to_builtins(holds), "\n".join(lines) or "Nothing is held.")


@command.command("place")
@click.argument("name")
@click.option(
    "--subject", "subjects", multiple=True, help="A digest that entries are about, `<alg>:<value>`."
)
@click.option("--envelope", "envelopes", multiple=True, help="An envelope or statement, `sha256:…`.")
@click.option("--signer", "signers", multiple=True, help="A key id, or `identity:…`.")
@click.option("--predicate-type", "types", multiple=True, help="A predicate type's URI.")
@click.option("--everything", is_flag=True, help="All of the log.")
@reason_option
@json_option
def place(
    name: str,
    subjects: tuple[str, ...],
    envelopes: tuple[str, ...],
    signers: tuple[str, ...],
    types: tuple[str, ...],
    everything: bool,
    reason: str,
    as_json: bool,
) -> None:
    """Place the hold NAME on every entry that any of these names."""

    def decide(person: str) -> Submitted:
        from lineage.services import holds
        from lineage.trust.forgetting_decisions import Hold

        return holds.place(Hold(name, reason, subjects, envelopes, signers, types, everything), person=person)

    take(as_json, "Held", decide)


@command.command("release")
@click.argument("entry", type=click.IntRange(min=0, max=2**63 - 1))
@reason_option
@json_option
def release(entry: int, reason: str, as_json: bool) -> None:
    """End the hold that the log's ENTRY placed."""

    def decide(person: str) -> Submitted:
        from lineage.services import holds

        return holds.release(entry, reason, person=person)

    take(as_json, "Released", decide)
