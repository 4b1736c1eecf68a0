"""`manage.py <command>` for the commands of `lineage` that work on the database: one code, two ways in."""

from __future__ import annotations

import sys
from typing import Any, ClassVar

from django.core.management.base import BaseCommand, CommandParser

from lineage.cli.main import run


class Bridge(BaseCommand):
    """A Django command that hands its arguments to the `lineage` command called `name`."""

    name: ClassVar[str]

    def run_from_argv(self, argv: list[str]) -> None:
        """From `manage.py`: past Django's own options, so that `--help` is the command's."""
        sys.exit(run([self.name, *argv[2:]]))

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("arguments", nargs="*")

    def handle(self, *args: Any, **options: Any) -> None:
        """From `call_command(name, …)`. Raises SystemExit where the command fails."""
        if code := run([self.name, *args, *options["arguments"]]):
            sys.exit(code)
