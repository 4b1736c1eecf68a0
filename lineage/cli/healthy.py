"""`lineage healthy`: one process of an installation, looked at from its own machine; for healthchecks."""

from __future__ import annotations

from collections.abc import Sequence

import click
import urllib3

from lineage.cli import addresses, server
from lineage.cli.output import say
from lineage.config import Config, current
from lineage.errors import ConfigurationError

WEB = "web"
ANSWER_SECONDS = 5.0


@click.command()
@click.argument("names", nargs=-1, required=True)
@click.pass_context
def command(ctx: click.Context, names: Sequence[str]) -> None:
    """Exit 0 where all of NAMES are well, 1 where one is not, with the reason.

    NAMES are `web`, which is asked whether it is ready, and the workers' queues `graph`, `short`, `sync` and
    `long`, which are well while something has looked after them lately.
    """
    server.require()
    troubles = [trouble for trouble in (_web(current()) if WEB in names else "", *_queues(names)) if trouble]
    for trouble in troubles:
        say(trouble)
    ctx.exit(1 if troubles else 0)


def _web(config: Config) -> str:
    """What is wrong with the web server; empty where nothing is."""
    url = f"{addresses.url(config.host, config.port)}/health/ready"
    # By a name that it answers to: who serves one public name has no other in the list.
    name = config.allowed_hosts[0]
    try:
        answer = urllib3.request("GET", url, headers={"Host": name}, retries=False, timeout=ANSWER_SECONDS)
    except urllib3.exceptions.HTTPError as error:
        return f"web: no answer ({type(error).__name__})"
    return (
        "" if answer.status == 200 else f"web: {answer.status} {answer.data[:500].decode(errors='replace')}"
    )


def _queues(names: Sequence[str]) -> list[str]:
    """What is wrong with each of these queues.

    Raises: ConfigurationError for a name that no queue has.
    """
    wanted = [name for name in names if name != WEB]
    if not wanted:
        return []
    with server.database():
        from lineage.services import beats

        found = {beat.name: beat for beat in beats.condition()}
    unknown = [name for name in wanted if name not in found]
    if unknown:
        raise ConfigurationError(f"{unknown[0]!r} is neither {WEB} nor a queue: {', '.join(sorted(found))}.")
    return [f"{name}: last beat {_age(found[name].age_seconds)}" for name in wanted if found[name].late]


def _age(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds:.0f} s ago"
