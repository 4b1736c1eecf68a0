"""`lineage log new-epoch` and `lineage log epochs`: go on after an older state of the log came back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import msgspec

from lineage.cli import server
from lineage.cli.artifact_decisions import reason_option
from lineage.cli.output import json_option, say, show

if TYPE_CHECKING:
    from lineage.services.new_epoch import Loss


@click.command("new-epoch")
@reason_option
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.option("--unverified", is_flag=True, help="Even if no known key signed what the high-water file says.")
@json_option
def new_epoch(reason: str, yes: bool, unverified: bool, as_json: bool) -> None:
    """Go on although entries that the log had published are lost. Appends a signed entry that says so.

    Only for a log that was rolled back, when the newer database can't be put back. Its checkpoints then go by
    another name, which everybody who verifies them has to be told.
    """
    with server.log_ready():
        from lineage.services import new_epoch as deciding
        from lineage.services import publish

        found = deciding.loss()
        if found is None:
            raise deciding.nothing()
        for line in told(found):
            say(line)
        if not yes:
            _confirm(f"epoch-{found.epoch.number}")
        done, epoch = deciding.begin(reason, person=server.person(), shown=found, unverified=unverified)
        key = publish.verifier_key()
    value = {
        "epoch": epoch.number,
        "origin": epoch.origin,
        "from_size": epoch.from_size,
        "lost": {
            "origin": found.lost.origin,
            "size": found.lost.size,
            "root": found.lost.root.hex(),
            "note": found.lost.note.decode(),
        },
        "verifier_key": key,
        "entry": msgspec.to_builtins(done.receipt),
    }
    say(f"Entry {done.receipt.index:,} says so. Tell whoever verifies, and every witness, the new key:")
    show(as_json, value, key)


def told(found: Loss) -> list[str]:
    """What is lost beside what is here, and what follows, in lines."""
    lost = found.lost
    here = f"{found.published:,} published (root {found.root_hash})" if found.published else "none published"
    gone = (
        "The entries here are others than those that were published: it can't be said how many are lost."
        if found.forked
        else f"Lost are entries {found.size:,} to {lost.size - 1:,}, and any that were not published yet."
    )
    return [
        f"Published:  {lost.size:,} entries, root {lost.root.hex()}, as {lost.origin}",
        f"Here:       {found.size:,} entries, {here}",
        gone,
        "Their senders were told that they are in the log. They have to send the same bytes again.",
        f"The log goes on as {found.epoch.origin}. Pinned keys, and witnesses, don't follow by themselves.",
        *([] if found.signed else ["No key that is known here signed that checkpoint."]),
    ]


def _confirm(word: str) -> None:
    answer: str = click.prompt(f"Type {word} to go on", err=True, default="", show_default=False)
    if answer.strip() != word:
        raise click.Abort


@click.command("epochs")
@json_option
def epochs(as_json: bool) -> None:
    """How often published entries were given up: when, by whom, why, and what was lost."""
    with server.log_ready():
        from lineage.services import epoch_records

        found = epoch_records.history()
    lines = [line for each in found for line in (each.sentence(), f"  Lost root {each.lost_root}")]
    none = "The log is in its first epoch: nothing that it has published was ever given up."
    show(as_json, msgspec.to_builtins(found), lines or none)
