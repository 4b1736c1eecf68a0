"""Files whose text an option stands for."""

from __future__ import annotations

import sys
from typing import TextIO

from lineage.errors import MalformedError, TooLargeError

STDIN = "-"
"""The name that stands for stdin."""
MAX_FILE = 1 << 20
"""Characters."""


def read_text(path: str, where: str) -> str:
    """The whole text, UTF-8; `where` is the field's name in errors.

    Raises: MalformedError where it can't be read; TooLargeError for more than `MAX_FILE`, never a part of it.
    """
    try:
        with open(path, encoding="utf-8") as file:
            return _whole(file, path, where)
    except (OSError, UnicodeDecodeError) as error:
        raise MalformedError(f"{path} can't be read as text.", where=where) from error


def read_stdin(where: str) -> str:
    """The same of stdin."""
    return _whole(sys.stdin, "stdin", where)


def _whole(file: TextIO, named: str, where: str) -> str:
    text = file.read(MAX_FILE + 1)
    if len(text) > MAX_FILE:
        raise TooLargeError(f"{named} has more than {MAX_FILE:,} characters.", limit=MAX_FILE, where=where)
    return text
