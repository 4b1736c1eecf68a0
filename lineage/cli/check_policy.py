"""`lineage check-policy`: how often copies are checked and how thoroughly, as a signed decision."""

from __future__ import annotations

import json

import click
import msgspec

from lineage.cli import server
from lineage.cli.output import json_option, say, show
from lineage.cli.text_files import STDIN, read_stdin, read_text


@click.group()
def command() -> None:
    """When copies are to be checked: show the policy, adopt another one."""


@command.command("show")
@click.option("--body", is_flag=True, help="The policy alone as JSON, as `set` takes it.")
@json_option
def showing(body: bool, as_json: bool) -> None:
    """The policy in force, in words; who decided it, in which entry."""
    with server.log_ready():
        from lineage.services import policy_records

        record = policy_records.current()
    if body:
        show(False, {}, json.dumps(record.body, indent=2, ensure_ascii=False))
        return
    by = f"Decided by {record.person}, {record.decided_at}, in entry {record.entry}."
    head = by if record.entry is not None else "Nobody has decided yet; this is the default."
    lines = [head]
    for part in (*record.parts, *record.limits):
        lines += ["", f"{part.title}", *(f"  {line}" for line in part.lines)]
    show(as_json, msgspec.to_builtins(record), lines)


@command.command("set")
@click.argument("file", metavar="FILE")
@json_option
def adopt(file: str, as_json: bool) -> None:
    """Adopt the policy in FILE (JSON; - is stdin). Appends a signed entry; statuses change from there on."""
    text = read_stdin("file") if file == STDIN else read_text(file, "file")
    with server.log_ready():
        from lineage.graph import check_policy
        from lineage.services import decide_checks

        policy = check_policy.parse(text.encode())
        done = decide_checks.set_check_policy(policy, person=server.person())
    say(f"In force from entry {done.receipt.index} on.")
    show(as_json, msgspec.to_builtins(done.receipt), str(done.receipt.index))
