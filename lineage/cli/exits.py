"""Exit codes, and how an error reads as one line."""

from __future__ import annotations

from lineage.errors import LineageError

EXIT_FAILED = 1
EXIT_REFUTED = 1
EXIT_INCONCLUSIVE = 2
EXIT_USAGE = 3
EXIT_INTERRUPTED = 130


def sentence(error: LineageError) -> str:
    """An error as one line: what, where, and what to do."""
    where = f" (at {error.where})" if error.where else ""
    parts = [error.message.rstrip(".") + where, *([error.hint.rstrip(".")] if error.hint else [])]
    return " ".join(f"{part}." for part in parts).replace("\n", " ")
