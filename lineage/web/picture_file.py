"""The lineage picture as an SVG file: complete in itself, for a report or a mail.

Owns: its markup. No script, style sheet or link, nothing from elsewhere: presentation attributes alone, so
that it looks alike wherever it is opened. Does not own: what is drawn (`web.picture`).
Source: Scalable Vector Graphics (SVG) 2; XML 1.0, section 2.2 (characters).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from lineage import visible
from lineage.web import words
from lineage.web.picture import DrawnBox, DrawnLane, Picture

COLOURS: Mapping[str, str] = {
    "failed": "#a8241c",
    "expired": "#8a5300",
    "unverified": "#4f5b6b",
    "verified": "#1d6b45",
    "tainted": "#7a1f6b",
}
"""Those of css/tokens.css, in the light theme."""
INK, SECONDARY, LINE, ACCENT, BAND = "#1b2430", "#4a5667", "#d9dee6", "#1f4f82", "#f0f2f5"

_ICONS: Mapping[str, str] = {
    "failed": "M18 6 6 18M6 6l12 12",
    "expired": "M12 3a9 9 0 1 0 .01 0M12 7v5l3 3",
    "unverified": "M9 3.5a9 9 0 0 1 6 0M19.5 7a9 9 0 0 1 1.5 5M20 16a9 9 0 0 1-5 4.5M9 20.5A9 9 0 0 1 4 16"
    "M3 12a9 9 0 0 1 1.5-5",
    "verified": "M5 12l5 5 10-10",
    "tainted": "M9 15l-2 2a3 3 0 0 1-4-4l2-2M15 9l2-2a3 3 0 0 1 4 4l-2 2M9 3v3M3 9h3M15 21v-3M21 15h-3",
}
"""Lines on a grid of 24."""
_NO_XML = re.compile("[\ud800-\udfff\ufffe\uffff]")

MARGIN = 16
HEAD = 128
"""Pixels above the picture: title, moment, legend."""
TEXT_WIDTH = 6.4
"""Pixels of a character of 12 px on average."""


@dataclass(frozen=True, slots=True)
class Told:
    """What stands above the picture. `counts`: slug and number of each status, then of tainted."""

    title: str
    lines: Sequence[str]
    counts: Sequence[tuple[str, int]]


def svg(picture: Picture, told: Told) -> str:
    """The file's text."""
    width, height = max(picture.width, 720) + 2 * MARGIN, picture.height + HEAD + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img" font-family="Inter, Helvetica, Arial, sans-serif" '
        f'font-size="12"><title>{_text(told.title)}</title>',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        *_head(told),
        f'<g transform="translate({MARGIN} {HEAD + MARGIN})">',
        *_lines(picture),
        *(part for lane in picture.lanes for part in _lane(lane)),
        "</g></svg>\n",
    ]
    return "\n".join(parts)


def _head(told: Told) -> Iterator[str]:
    title = _text(told.title)
    yield f'<text x="{MARGIN}" y="32" font-size="18" font-weight="600" fill="{INK}">{title}</text>'
    for number, line in enumerate(told.lines):
        yield f'<text x="{MARGIN}" y="{54 + 18 * number}" fill="{SECONDARY}">{_text(line)}</text>'
    x = MARGIN
    for slug, count in told.counts:
        word = words.TAINTED.word if slug == "tainted" else words.STATUSES[slug].word
        label = f"{count} {word.lower()}"
        yield _icon(slug, x, HEAD - 10)
        yield f'<text x="{x + 20}" y="{HEAD + 1}" fill="{COLOURS[slug]}">{label}</text>'
        x += 44 + int(len(label) * TEXT_WIDTH)


def _lines(picture: Picture) -> Iterator[str]:
    if picture.band:
        x, y, width, height = picture.band
        yield f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="8" fill="{BAND}"/>'
    faint = 0.16 if picture.traced else 0.4
    for weight, path in picture.curves:
        yield (
            f'<path d="{path}" fill="none" stroke="#8691a1" stroke-opacity="{faint}" '
            f'stroke-width="{(1, 1.5, 2.5)[weight - 1]}"/>'
        )
    for path in picture.traced:
        yield f'<path d="{path}" fill="none" stroke="{ACCENT}" stroke-width="2"/>'


def _lane(lane: DrawnLane) -> Iterator[str]:
    yield (
        f'<text x="{lane.x}" y="{lane.y + 10}" font-weight="600" fill="{INK}">{_text(lane.title)}</text>'
        f'<text x="{lane.x}" y="{lane.y + 28}" fill="{SECONDARY}">{lane.total}, of them {lane.exceptions} '
        f"{'exception' if lane.exceptions == 1 else 'exceptions'}</text>"
    )
    for box in lane.boxes:
        yield "".join(_box(box))


def _box(box: DrawnBox) -> Iterator[str]:
    name = box.label + box.tail + box.suffix
    border = ACCENT if box.mark == "on" or box.current else LINE
    faded = ' opacity="0.45"' if box.mark == "off" else ""
    room = box.width - 32 - (18 if box.tainted else 0)
    yield f"<g{faded}><title>{_text(box.spoken.partition(';')[0])}</title>"
    yield (
        f'<rect x="{box.x}.5" y="{box.y}.5" width="{box.width - 1}" height="31" rx="5" fill="#ffffff" '
        f'stroke="{border}" stroke-width="{2 if box.current else 1}"/>'
        f'<rect x="{box.x}" y="{box.y}" width="4" height="32" rx="2" fill="{COLOURS[box.status]}"/>'
    )
    yield _icon(box.status, box.x + 9, box.y + 9)
    yield f'<text x="{box.x + 28}" y="{box.y + 20}" fill="{INK}">{_text(_fitted(name, room))}</text>'
    if box.tainted:
        yield _icon("tainted", box.x + box.width - 19, box.y + 9)
    yield "</g>"


def _icon(slug: str, x: int, y: int) -> str:
    return (
        f'<path transform="translate({x} {y}) scale(0.58)" d="{_ICONS[slug]}" fill="none" '
        f'stroke={quoteattr(COLOURS[slug])} stroke-width="2.4" stroke-linecap="round"/>'
    )


def _fitted(name: str, room: int) -> str:
    """Its middle left out where it is too long: names often begin and end alike."""
    most = max(int(room / TEXT_WIDTH), 6)
    if len(name) <= most:
        return name
    tail = min(8, most // 2)
    return f"{name[: most - tail - 1]}…{name[-tail:]}"


def _text(said: str) -> str:
    """Escaped; what no XML file may have, or nobody sees, as what it is."""
    seen = visible.text(_NO_XML.sub("\ufffd", said).replace("\t", " ").replace("\n", " "))
    return escape(seen)
