"""Secrets as commands take them: from files, stdin or a prompt, never from arguments: others see those."""

from __future__ import annotations

import sys

import click

from lineage.cli.text_files import STDIN, read_stdin, read_text


def read_secret(path: str, field: str, *, ask: str = "") -> str | None:
    """The secret in a file, without the line end behind it; None where no file is named.

    `field` is what errors call it. `ask`: what a terminal is asked for instead; "" asks nothing.
    Raises: MalformedError for a file that can't be read, or is too long.
    """
    if path == STDIN:
        return read_stdin(field).strip("\r\n")
    if path:
        return read_text(path, field).strip("\r\n")
    if ask and sys.stdin.isatty():
        answer: str = click.prompt(ask, hide_input=True, err=True)
        return answer
    return None
