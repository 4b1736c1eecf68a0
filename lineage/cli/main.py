"""The command `lineage`: which commands there are, and what exit code an error becomes.

Owns: the list of commands, loaded only when named, so that `lineage verify` does not pay for `lineage up`;
exit codes. Does not own: what any command does.

Exit codes: 0 done; 1 failed (`verify`, `hash --check`, `gate`, `predicates validate`: refuted); 2 could not
be checked (those four and `log audit`); 3 wrong arguments or settings; 130 interrupted.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn

import click

from lineage import loading, visible
from lineage.cli.exits import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_USAGE, sentence
from lineage.errors import ConfigurationError, LineageError

COMMANDS: Mapping[str, str] = {
    "attest": "lineage.cli.attest",
    "attestations": "lineage.cli.attestations",
    "backup": "lineage.cli.backup",
    "check-policy": "lineage.cli.check_policy",
    "clear-taint": "lineage.cli.clear_taint",
    "criticality": "lineage.cli.criticality",
    "designate": "lineage.cli.designate",
    "doctor": "lineage.cli.doctor",
    "export": "lineage.cli.export",
    "gate": "lineage.cli.gate",
    "graph": "lineage.cli.graph",
    "hash": "lineage.cli.hash",
    "healthy": "lineage.cli.healthy",
    "holds": "lineage.cli.holds",
    "incident": "lineage.cli.incident",
    "keys": "lineage.cli.keys",
    "locations": "lineage.cli.locations",
    "log": "lineage.cli.log",
    "predicates": "lineage.cli.predicates",
    "prepare": "lineage.cli.prepare",
    "redact": "lineage.cli.redact",
    "restore": "lineage.cli.restore",
    "retention": "lineage.cli.retention",
    "reverify": "lineage.cli.reverify",
    "send-spooled": "lineage.cli.send_spooled",
    "services": "lineage.cli.services",
    "sources": "lineage.cli.sources",
    "subscriptions": "lineage.cli.subscriptions",
    "sync": "lineage.cli.sync",
    "tokens": "lineage.cli.tokens",
    "up": "lineage.cli.up",
    "users": "lineage.cli.users",
    "verify": "lineage.cli.verify",
    "verify-layout": "lineage.cli.verify_layout",
    "waive": "lineage.cli.waive",
    "waive-taint": "lineage.cli.waive_taint",
    "worker": "lineage.cli.worker",
}
"""Name → module, whose attribute `command` it is."""


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        with loading.unsearched():
            command: click.Command = importlib.import_module(COMMANDS[cmd_name]).command
        return command


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="lineage")
def lineage() -> None:
    """Supply-chain lineage for AI: who made this model from what, on which machine, and can you prove it?"""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (default: the process's own) and give its exit code."""
    try:
        outcome = lineage.main(args=arguments, prog_name="lineage", standalone_mode=False)
    except click.UsageError as error:
        error.show()
        return EXIT_USAGE
    except click.ClickException as error:
        error.show()
        return EXIT_FAILED
    except click.Abort:
        return EXIT_INTERRUPTED
    except LineageError as error:
        click.echo(visible.text(f"lineage: {sentence(error)}"), err=True)
        return EXIT_USAGE if isinstance(error, ConfigurationError) else EXIT_FAILED
    return outcome if isinstance(outcome, int) else 0


def main() -> NoReturn:
    """The console script."""
    sys.exit(run())
