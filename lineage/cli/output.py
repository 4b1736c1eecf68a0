"""How commands show what they found: results to stdout, words and progress to stderr."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import click

from lineage import visible

PATIENCE_SECONDS = 1.0
"""Work shorter than this shows no progress."""
_REDRAW_SECONDS = 0.1
_BAR_CELLS = 24

json_option = click.option("--json", "as_json", is_flag=True, help="Give the result as JSON.")


def say(words: str) -> None:
    """One line of words to stderr."""
    click.echo(visible.text(words), err=True)


def show(as_json: bool, value: object, text: str | Iterable[str]) -> None:
    """The result: `value` as JSON, or `text` (a line, or lines) for people."""
    if as_json:
        click.echo(visible.json_text(json.dumps(value, indent=2, ensure_ascii=False)))
        return
    for line in [text] if isinstance(text, str) else text:
        click.echo(visible.text(line))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Rows as lines with aligned columns; nothing but the head where there is no row."""
    lines = [tuple(head), *(tuple(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]


def amount(size: float) -> str:
    """Bytes in words: `512 B`, `3.4 GB` (powers of ten)."""
    unit = "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if size < 1000:
            break
        size, unit = size / 1000, larger
    return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"


@contextmanager
def progress(
    what: str, total: int = 0, shown: Callable[[float], str] = amount
) -> Iterator[Callable[[int], None]]:
    """A function to call with each step's size. It draws on a terminal, once the work takes over a second.

    `total` 0 means that the end isn't known: then only what is done, and how fast, is shown.
    """
    started = time.monotonic()
    done, drawn = 0, 0.0
    terminal = sys.stderr.isatty()

    def advance(step: int) -> None:
        nonlocal done, drawn
        done += step
        now = time.monotonic()
        if terminal and now - started > PATIENCE_SECONDS and now - drawn > _REDRAW_SECONDS:
            drawn = now
            click.echo(
                f"\r\x1b[K{what} {_bar(done, total)}{shown(done)}, {shown(done / (now - started))}/s",
                nl=False,
                err=True,
            )

    try:
        yield advance
    finally:
        if drawn:
            click.echo("\r\x1b[K", nl=False, err=True)


def _bar(done: int, total: int) -> str:
    if not total:
        return ""
    share = min(1.0, done / total)
    return f"[{'#' * int(share * _BAR_CELLS):<{_BAR_CELLS}}] {share:4.0%} "
