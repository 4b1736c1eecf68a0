"""Files whose text an option stands for."""

from __future__ import annotations

from lineage.errors import MalformedError

MAX_FILE = 1 << 20


def read_text(path: str, where: str) -> str:
    """At most MAX_FILE characters of UTF-8. Raises: MalformedError that names the field `where`."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read(MAX_FILE)
    except (OSError, UnicodeDecodeError) as error:
        raise MalformedError(f"{path} can't be read as text.", where=where) from error
