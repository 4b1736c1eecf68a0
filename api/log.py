"""The log for any tlog-tiles client: checkpoint, hash tiles, entry bundles. No API key is needed.

Source: C2SP tlog-tiles (paths, content types, caching), tlog-checkpoint.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from api import tile_place
from api.base import PublicCall
from api.openapi import describe
from lineage.services import tiles

IMMUTABLE = "public, max-age=31536000, immutable"


class LogCall(PublicCall):
    """What answers for caches between here and a client, too."""

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        """What is not there yet is in a second; a cache may keep a 404 that doesn't say how long it holds.

        Source: RFC 9110 section 15.5.5, RFC 9111 section 4.2.2.
        """
        answer = super().finalize_response(request, response, *args, **kwargs)
        answer.headers.setdefault("Cache-Control", "no-store")
        return answer


class Checkpoint(LogCall):
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


class HashTile(LogCall):
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
        number, width = tile_place.parse(place)
        return _immutable(tiles.hash_tile(level, number, width))


class EntryBundle(LogCall):
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
        number, width = tile_place.parse(place)
        return _immutable(tiles.entry_bundle(number, width))


def _immutable(data: bytes) -> HttpResponse:
    """Full and partial tiles alike never change once they are published."""
    answer = HttpResponse(data, content_type="application/octet-stream")
    answer["Cache-Control"] = IMMUTABLE
    return answer
