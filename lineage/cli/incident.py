"""`lineage incident`: open one on a node, close it, list them. Each decision is a signed entry of the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import msgspec

from lineage.cli import server
from lineage.cli.artifact_decisions import reason_option, take
from lineage.cli.moments import moment
from lineage.cli.output import json_option, show, table

if TYPE_CHECKING:
    from lineage.services.receipts import Submitted

SEVERITIES = ("critical", "high", "medium", "low")
STATES = ("open", "ended", "closed")


@click.group()
def command() -> None:
    """Incidents: something is wrong with a node, and somebody looks after what came of it."""


@command.command("open")
@click.argument("key")
@click.option("--title", required=True, help="What people call it, in one line.")
@click.option("--severity", type=click.Choice(SEVERITIES), required=True)
@click.option("--owner", default="", help="Who looks after it.")
@click.option("--until", type=moment, help="When it ends by itself: RFC 3339, or a date (its midnight, UTC).")
@click.option("--designates", is_flag=True, help="KEY is bad from now on: all that came of it is tainted.")
@reason_option
@json_option
def open_(
    key: str,
    title: str,
    severity: Any,
    owner: str,
    until: int | None,
    designates: bool,
    reason: str,
    as_json: bool,
) -> None:
    """Open an incident on the node KEY. Subscribers are told.

    Its name, which `close` asks for, is `digest` of --json, and on its page.
    """

    def decide(person: str) -> Submitted:
        from lineage.services import decide_incidents

        return decide_incidents.open_incident(
            key, title, severity, reason, person=person, owner=owner, until_us=until, designates=designates
        )

    take(as_json, "The incident is open", decide)


@command.command("close")
@click.argument("incident")
@click.option("--clears", is_flag=True, help="Its node is designated as bad no longer.")
@reason_option
@json_option
def close(incident: str, clears: bool, reason: str, as_json: bool) -> None:
    """Close INCIDENT, whose name is sha256:…; --reason says what came of it. Subscribers are told."""

    def decide(person: str) -> Submitted:
        from lineage.services import decide_incidents

        return decide_incidents.close_incident(incident, reason, person=person, clears=clears)

    take(as_json, "The incident is closed", decide)


@command.command("list")
@click.option("--state", type=click.Choice(STATES), help="Only these.")
@json_option
def list_(state: str | None, as_json: bool) -> None:
    """List incidents, newest first: state, severity, entry, name, title, node."""
    with server.log_ready():
        from lineage.services import as_of, incidents

        page = incidents.listed(as_of.resolve(None), state=state, limit=1000)
    rows = [
        (each.state, each.severity, str(each.index), each.title, each.key, each.digest)
        for each in page.incidents
    ]
    head = ("STATE", "SEVERITY", "ENTRY", "TITLE", "NODE", "INCIDENT")
    show(as_json, msgspec.to_builtins(page), table(head, rows))
