"""`lineage retention`: for how long entries are kept, by a signed entry, and following that now."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from lineage.cli import server
from lineage.cli.artifact_decisions import reason_option, take
from lineage.cli.output import json_option, show
from lineage.errors import MalformedError

if TYPE_CHECKING:
    from lineage.services.receipts import Submitted

MAX_BYTES = 1 << 17


@click.group()
def command() -> None:
    """Retention by class of statement."""


@command.command("show")
@json_option
def shown(as_json: bool) -> None:
    """The policy in force."""
    with server.log_ready():
        from lineage.services import forgetting_records

        found = forgetting_records.now().retention
    lines = ["Everything is kept for ever."] if found is None or not found.classes else []
    for each in found.classes if found else ():
        of = " ".join((*each.kinds, *each.predicate_types)) or "all statements"
        lines.append(f"{each.name}: {of}: {'for ever' if each.days is None else f'{each.days} days'}")
    show(as_json, msgspec.to_builtins(found), "\n".join(lines))


@command.command("adopt")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@reason_option
@json_option
def adopt(file: Path, reason: str, as_json: bool) -> None:
    """Adopt the classes in FILE: JSON, a list of name, days (null: for ever), kinds, predicateTypes.

    From then on what is older is redacted once a day. Nothing brings it back.
    """
    with file.open("rb") as opened:
        data = opened.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise click.UsageError(f"{file} has more than {MAX_BYTES:,} bytes, the limit.")

    def decide(person: str) -> Submitted:
        from lineage.services import retention
        from lineage.trust import strictjson
        from lineage.trust.forgetting_decisions import Retention, RetentionClass

        strictjson.check(data, what="policy")
        try:
            classes = msgspec.json.decode(data, type=tuple[RetentionClass, ...])
        except msgspec.DecodeError as error:
            raise MalformedError(f"The policy can't be read: {error}.") from None
        return retention.adopt(Retention(classes, reason), person=person)

    take(as_json, "In force", decide)


@command.command("apply")
@json_option
def apply(as_json: bool) -> None:
    """Redact now what the policy no longer keeps, instead of within a day."""
    with server.log_ready():
        from lineage.services import erasing, follow, log_head, retention, standing
        from lineage.services.clock import now_us

        erasing.carry_out()
        size = log_head.size()
        follow.project()
        standing.begin(size, standing.JOB_SECONDS)
        decided, kept = retention.enforce(now_us(), size)
        erased = erasing.carry_out()
        follow.project()
    told = {"decided": decided, "kept_all_the_same": kept, "erased": erased}
    show(as_json, told, f"{erased:,} erased; {kept:,} as old must stay.")
