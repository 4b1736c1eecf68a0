"""The log for any tlog-tiles client: checkpoint, hash tiles, entry bundles. No API key is needed.

Source: C2SP tlog-tiles (paths, content types, caching), tlog-checkpoint.
"""

from __future__ import annotations

import re

from django.http import HttpResponse
from rest_framework.request import Request

from api.base import PublicCall
from api.openapi import describe
from lineage.errors import NotFoundError
from lineage.services import tiles
from lineage.services.publish import TILE_WIDTH

IMMUTABLE = "public, max-age=31536000, immutable"
NUMBER = re.compile(
    r"(?P<groups>(?:x[0-9]{3}/)*)(?P<last>[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?", re.ASCII
)


def parse_place(text: str) -> tuple[int, int]:
    """Tile number and width from `x001/x234/067` or `x001/x234/067.p/8`; without `.p/` the width is 256.

    Raises: NotFoundError for any other spelling: each tile has one address.
    """
    found = NUMBER.fullmatch(text)
    if found is None:
        raise NotFoundError("A tile's number is written as in x001/x234/067 or x001/x234/067.p/8.")
    digits = found["groups"].replace("x", "").replace("/", "") + found["last"]
    if len(digits) > 18 or (found["groups"] and digits.startswith("000")):
        raise NotFoundError("A tile's number has no leading groups of zeros.")
    width = int(found["width"] or TILE_WIDTH)
    if found["width"] and width >= TILE_WIDTH:
        raise NotFoundError("A partial tile has fewer than 256 entries.")
    return int(digits), width


class Checkpoint(PublicCall):
    @describe(
        "log_checkpoint",
        "The newest checkpoint",
        "A C2SP signed note: origin, size and root hash of the published tree, signed by the log's key.",
        media="text/plain; charset=utf-8",
        problems=("not-found",),
        public=True,
    )
    def get(self, request: Request) -> HttpResponse:
        answer = HttpResponse(tiles.checkpoint(), content_type="text/plain; charset=utf-8")
        answer["Cache-Control"] = "no-cache"
        return answer


class HashTile(PublicCall):
    @describe(
        "log_hash_tile",
        "A hash tile",
        "Up to 256 hashes of 32 bytes. `place` is the tile's number in groups of three digits, each but the "
        "last after an x (`x001/x234/067`); a partial tile of W hashes ends in `.p/W`.",
        media="application/octet-stream",
        path={"level": "Level of the tile, leaves are 0", "place": "Number, and width of a partial tile"},
        problems=("not-found",),
        public=True,
    )
    def get(self, request: Request, level: int, place: str) -> HttpResponse:
        number, width = parse_place(place)
        return _immutable(tiles.hash_tile(level, number, width))


class EntryBundle(PublicCall):
    @describe(
        "log_entry_bundle",
        "An entry bundle",
        "Up to 256 leaves, each after its length as two bytes, big-endian. `place` as in a hash tile.",
        media="application/octet-stream",
        path={"place": "Number, and width of a partial bundle"},
        problems=("not-found",),
        public=True,
    )
    def get(self, request: Request, place: str) -> HttpResponse:
        number, width = parse_place(place)
        return _immutable(tiles.entry_bundle(number, width))


def _immutable(data: bytes) -> HttpResponse:
    """Full and partial tiles alike never change once they are published."""
    answer = HttpResponse(data, content_type="application/octet-stream")
    answer["Cache-Control"] = IMMUTABLE
    return answer
