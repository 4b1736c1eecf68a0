"""How the address of a tile says its number and width.

Source: C2SP tlog-tiles, `tile/<L>/<N>[.p/<W>]`.
"""

from __future__ import annotations

import re

from lineage.errors import NotFoundError

TILE_WIDTH = 256
MAX_DIGITS = 18
_PLACE = re.compile(
    r"(?P<groups>(?:x[0-9]{3}/)*)(?P<last>[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?", re.ASCII
)


def parse(text: str) -> tuple[int, int]:
    """Tile number and width from `x001/x234/067` or `x001/x234/067.p/8`; without `.p/` the width is 256.

    Raises: NotFoundError for any other spelling: each tile has one address.
    """
    found = _PLACE.fullmatch(text)
    if found is None:
        raise NotFoundError("A tile's number is written as in x001/x234/067 or x001/x234/067.p/8.")
    digits = found["groups"].replace("x", "").replace("/", "") + found["last"]
    if len(digits) > MAX_DIGITS or (found["groups"] and digits.startswith("000")):
        raise NotFoundError("A tile's number has no leading groups of zeros.")
    width = int(found["width"] or TILE_WIDTH)
    if found["width"] and width >= TILE_WIDTH:
        raise NotFoundError("A partial tile has fewer than 256 entries.")
    return int(digits), width
