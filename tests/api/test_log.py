"""/log/…: what a tlog-tiles client downloads agrees with the checkpoint, for sizes around a tile's width."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from lineage.db.models import Entry, EntrySigner, EntrySubject
from lineage.services import publish
from lineage.trust import checkpoint as notes
from lineage.trust.leaf import parse
from lineage.trust.merkle import Frontier, leaf_hash
from tests import factories
from tests.conftest import Api, problem
from tests.integration.test_publish import lifted


def grow(api: Api, size: int) -> None:
    """Fill the log up to `size` entries and publish."""
    signer = factories.registered()
    body = b"\n".join(signer.envelope(factories.statement()) for _ in range(size - 2))
    assert api.post("/api/v1/attestations", body, "application/x-ndjson").status_code == 200
    publish.publish_once()


def get(path: str) -> Any:
    """Without an API key."""
    return Client(headers={"Accept": "text/plain"}).get(f"/log/{path}")


def leaves(bundle: bytes) -> Iterator[bytes]:
    while bundle:
        length = int.from_bytes(bundle[:2], "big")
        yield bundle[2 : 2 + length]
        bundle = bundle[2 + length :]


def place(number: int, width: int) -> str:
    return f"{number:03}" if width == 256 else f"{number:03}.p/{width}"


def test_before_the_first_checkpoint(log: None) -> None:
    answer = get("checkpoint")
    assert problem(answer) == (404, "not-found")
    assert answer["Cache-Control"] == "no-store"


@pytest.mark.parametrize("size", [3, 256, 257, 600])
def test_the_tiles_give_the_root_of_the_checkpoint(api: Api, size: int) -> None:
    grow(api, size)
    note = get("checkpoint")
    assert note["Content-Type"] == "text/plain; charset=utf-8"
    assert note["Cache-Control"] == "no-cache"
    signed = notes.verify(note.content, publish.verifier_key())
    assert signed.size == size
    frontier, hashes = Frontier(0, ()), b""
    for number in range((size + 255) // 256):
        width = min(256, size - 256 * number)
        bundle = get(f"tile/entries/{place(number, width)}")
        assert bundle["Content-Type"] == "application/octet-stream"
        assert "immutable" in bundle["Cache-Control"]
        tile = get(f"tile/0/{place(number, width)}").content
        assert len(tile) == 32 * width
        hashes += tile
        for leaf in leaves(bundle.content):
            parse(leaf)
            frontier = frontier.append(leaf_hash(leaf))
    assert (frontier.size, frontier.root()) == (size, signed.root)
    for number in range(size // 256):
        above = get(f"tile/1/{place(0, size // 256)}").content[32 * number : 32 * number + 32]
        assert above == subtree(hashes[8192 * number : 8192 * (number + 1)])


def subtree(hashes: bytes) -> bytes:
    """The root over 256 leaf hashes, by the compact range that the tiles don't use."""
    frontier = Frontier(0, ())
    for start in range(0, len(hashes), 32):
        frontier = frontier.append(hashes[start : start + 32])
    return frontier.root()


def test_partial_tiles_of_every_smaller_width(api: Api) -> None:
    grow(api, 20)
    whole = get("tile/0/000.p/20").content
    for width in range(1, 20):
        assert get(f"tile/0/000.p/{width}").content == whole[: 32 * width]
        assert len(list(leaves(get(f"tile/entries/000.p/{width}").content))) == width


def test_a_full_tile_can_be_had_in_part(api: Api) -> None:
    grow(api, 300)
    assert get("tile/0/000").content[: 32 * 255] == get("tile/0/000.p/255").content


def test_a_tile_that_lacks_a_hash_is_none(api: Api) -> None:
    """A short one would be kept by a client as what the log has said."""
    grow(api, 20)
    with lifted("log_entry"), lifted("log_entry_subject"), lifted("log_entry_signer"):
        EntrySubject.objects.filter(entry=7).delete()
        EntrySigner.objects.filter(entry=7).delete()
        Entry.objects.filter(index=7).delete()
    client = Client(raise_request_exception=False)
    for path in ("tile/0/000.p/20", "tile/entries/000.p/20"):
        assert problem(client.get(f"/log/{path}")) == (500, "log-integrity")
    assert len(get("tile/0/000.p/7").content) == 7 * 32


def test_nothing_beyond_the_published_tree(api: Api) -> None:
    grow(api, 20)
    api.attest(factories.registered().envelope(factories.statement()))
    for path in (
        "tile/0/000.p/21",
        "tile/0/000",
        "tile/0/001.p/1",
        "tile/1/000.p/1",
        "tile/entries/000.p/21",
    ):
        answer = get(path)
        assert problem(answer) == (404, "not-found")
        assert answer["Cache-Control"] == "no-store", "a cache that kept it would hide what is published next"


@pytest.mark.parametrize(
    "text",
    [
        "0", "0000", "00a", "000.p/0", "000.p/256", "000.p/01", "000.p/", "000.p", "000/", "x000/000",
        "x000/001",
        "001/002", "x001", "x001/x002", "-01", "000.P/1",
        "\u0660\u0660\u0660", "x999/x999/x999/x999/x999/x999/x999/999",
    ],
)  # fmt: skip
def test_each_tile_has_one_address(api: Api, text: str) -> None:
    grow(api, 20)
    for kind in ("0", "entries"):
        assert problem(get(f"tile/{kind}/{text}")) == (404, "not-found")


@pytest.mark.parametrize("level", ["8", "63", "99999999999999999999", "-1", "data", "00", "007"])
def test_levels_that_there_are_not(api: Api, level: str) -> None:
    grow(api, 20)
    assert problem(get(f"tile/{level}/000.p/1")) == (404, "not-found")


def test_other_methods(log: None) -> None:
    for path in ("checkpoint", "tile/0/000", "tile/entries/000"):
        assert problem(Client().post(f"/log/{path}")) == (405, "method-not-allowed")
