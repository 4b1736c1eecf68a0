"""What every storage beyond this machine has to do, over the network, with a real server behind a relay.

A test module has a class that inherits `Contract` and a fixture `stand` of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest

from lineage.artifacts.reading import ByteSource
from lineage.artifacts.storage import Access, GoneError, MissingError, Storage, by_kind, ranged, web
from lineage.errors import InconclusiveError, MalformedError
from tests.hostile_http import answer, hostile
from tests.relay import Relay

LOOPBACK = ("127.0.0.0/8",)
LARGE = bytes(range(256)) * 40_000
"""10 MB in which every place is known."""
ODD = ["a#b", "a?b", "a%20b", "a b", "\u00e4\u20ac", "a+b&c=d", "a;b", "a'b\"(c)", "%2e%2e"]


@dataclass
class Stand:
    """A storage under test, reached through `relay`. `wrong`: access that the server does not let in."""

    access: Access
    relay: Relay
    put: Callable[[str, bytes], None]
    at: Callable[[str], str]
    wrong: tuple[Access, ...] = ()
    open: Callable[[Access], Storage] = lambda access: by_kind(access.kind).open(access)

    def opened(self) -> Storage:
        return self.open(self.access)


def whole(source: ByteSource, step: int = 1 << 20) -> bytes:
    view, found = memoryview(bytearray(step)), bytearray()
    while count := source.readinto(view):
        found += view[:count]
    source.finish()
    source.close()
    return bytes(found)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "BACKOFF_SECONDS", 0.001)


class Contract:
    """Each member says what a storage can't do; the reason stands in docs/storage.md."""

    odd: ClassVar[list[str]] = ODD
    folders: ClassVar[bool] = True
    rewritable: ClassVar[bool] = True
    redirects: ClassVar[bool] = True

    def test_the_storage_is_there(self, stand: Stand) -> None:
        with stand.opened() as storage:
            storage.probe()

    def test_a_file_is_read_whole(self, stand: Stand) -> None:
        stand.put("whole.bin", LARGE)
        with stand.opened() as storage:
            item = storage.item(stand.at("whole.bin"))
            source = storage.open(item)
            assert (item.path, source.size, source.notes) == (b"", len(LARGE), [])
            assert whole(source) == LARGE

    def test_an_empty_file_is_read(self, stand: Stand) -> None:
        stand.put("empty.bin", b"")
        with stand.opened() as storage:
            source = storage.open(storage.item(stand.at("empty.bin")))
            assert (source.size, whole(source)) == (0, b"")

    def test_parts_are_read_anywhere(self, stand: Stand) -> None:
        stand.put("parts.bin", LARGE)
        with stand.opened() as storage:
            source = storage.open(storage.item(stand.at("parts.bin")))
            for offset, length in ((0, 4), (5_000_000, 1000), (len(LARGE) - 3, 3), (8, 3_000_000), (7, 0)):
                assert source.read_at(offset, length) == LARGE[offset : offset + length]
            with pytest.raises(MalformedError):
                source.read_at(len(LARGE) - 1, 2)
            assert source.readinto(memoryview(bytearray(100))) == 100
            assert source.read_at(77, 3) == LARGE[77:80]
            assert whole(source) == LARGE[100:]

    def test_odd_names_are_read(self, stand: Stand) -> None:
        for name in self.odd:
            stand.put(f"odd/{name}", name.encode())
        with stand.opened() as storage:
            for name in self.odd:
                assert whole(storage.open(storage.item(stand.at(f"odd/{name}")))) == name.encode()
            if self.folders:
                found = {item.path: whole(storage.open(item)) for item in storage.items(stand.at("odd/"))}
                assert found == {name.encode(): name.encode() for name in self.odd}

    def test_a_folder_is_listed_in_c_order(self, stand: Stand) -> None:
        names = ["a/b", "a-b", "a/B", "aa", "a/c/d", "\u00e4", "Z"]
        for name in names:
            stand.put(f"folder/{name}", name.encode())
        stand.put("folder2/x", b"beside")
        with stand.opened() as storage:
            if not self.folders:
                with pytest.raises(InconclusiveError):
                    storage.items(stand.at("folder/"))
                return
            for address in ("folder", "folder/"):
                found = storage.items(stand.at(address))
                assert [item.path for item in found] == sorted(name.encode() for name in names)
                assert {item.size for item in found} <= {None, *(len(name.encode()) for name in names)}
            assert [whole(storage.open(item)) for item in found] == [item.path for item in found]

    def test_threads_share_a_storage(self, stand: Stand) -> None:
        contents = {f"shared/{number}": LARGE[number : number + 100_000] for number in range(24)}
        for path, content in contents.items():
            stand.put(path, content)

        def read(path: str) -> bytes:
            return whole(storage.open(storage.item(stand.at(path))))

        with stand.opened() as storage, ThreadPoolExecutor(8) as pool:
            assert list(pool.map(read, contents)) == list(contents.values())

    def test_what_is_missing_is_told_from_what_is_gone(self, stand: Stand) -> None:
        with stand.opened() as storage:
            with pytest.raises(MissingError):
                storage.item(stand.at("none.bin"))
            if self.folders:
                with pytest.raises(MissingError):
                    storage.items(stand.at("none/"))

    def test_wrong_credentials_are_a_storage_that_is_gone(self, stand: Stand) -> None:
        stand.put("guarded.bin", b"x")
        for wrong in stand.wrong:
            with stand.open(wrong) as storage:
                with pytest.raises(GoneError):
                    storage.probe()
                with pytest.raises(GoneError):
                    storage.item(stand.at("guarded.bin"))

    def test_a_server_at_a_private_address_is_refused_unless_allowed(self, stand: Stand) -> None:
        with stand.open(replace(stand.access, private_networks=("10.0.0.0/8",))) as storage:
            before = stand.relay.connections
            with pytest.raises(GoneError, match=r"private address"):
                storage.probe()
            assert stand.relay.connections == before

    def test_a_server_that_does_not_answer_is_gone(self, stand: Stand) -> None:
        stand.put("cut.bin", b"x")
        with stand.opened() as storage:
            stand.relay.cut(*[0] * 20)
            with pytest.raises(GoneError):
                storage.probe()
            stand.relay.cut(*[0] * 20)
            with pytest.raises(GoneError):
                storage.item(stand.at("cut.bin"))

    def test_a_connection_that_is_cut_is_read_on_and_noted(self, stand: Stand) -> None:
        stand.put("cut.bin", LARGE)
        with stand.opened() as storage:
            source = storage.open(storage.item(stand.at("cut.bin")))
            stand.relay.cut(3_000_000, 2_000_000)
            assert whole(source) == LARGE
            assert len(source.notes) == 2
            assert "cut at byte" in source.notes[0]

    def test_a_connection_that_is_always_cut_is_given_up(self, stand: Stand) -> None:
        stand.put("cut.bin", LARGE)
        with stand.opened() as storage:
            source = storage.open(storage.item(stand.at("cut.bin")))
            stand.relay.cut(1_000_000, *[600] * 100)
            with pytest.raises(InconclusiveError):
                whole(source)
            source.close()

    @pytest.mark.parametrize("small", [0, ranged.SMALL_BYTES], ids=["nothing", "much"])
    def test_a_file_that_changes_while_it_is_read_is_inconclusive(
        self, stand: Stand, small: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if not self.rewritable:
            pytest.skip("nothing can change at an address that has a digest or commit in it")
        monkeypatch.setattr(ranged, "SMALL_BYTES", small)
        stand.put("changing.bin", LARGE)
        with stand.opened() as storage:
            source = storage.open(storage.item(stand.at("changing.bin")))
            assert source.read_at(0, 10) == LARGE[:10]
            assert source.readinto(memoryview(bytearray(1000))) == 1000
            stand.put("changing.bin", LARGE[::-1])
            with pytest.raises(InconclusiveError):
                whole(source)
            source.close()

    def test_no_location_leads_out(self, stand: Stand) -> None:
        stand.put("inside.bin", b"x")
        base = stand.at("")
        tails = ("../x", "%2e%2e/x", "a/%2E./../../x", "a%2f..%2fx", "./x", "a//x", "a%00b", "x?y", "x#y")
        with stand.opened() as storage:
            before = stand.relay.connections
            for location in [*(base + tail for tail in tails), "http://127.0.0.1/x", "file:///etc/passwd"]:
                for call in (storage.item, storage.items):
                    with pytest.raises(InconclusiveError) as caught:
                        call(location)
                    assert not isinstance(caught.value, MissingError | GoneError), location
            assert stand.relay.connections == before

    def test_a_redirect_out_is_refused(self, stand: Stand, request: pytest.FixtureRequest) -> None:
        if not self.redirects:
            pytest.skip("it asks for other things before a file: a test of its own")
        elsewhere: Callable[[str], Access] = request.getfixturevalue("elsewhere")
        with (
            hostile(answer(b"secret")) as other,
            hostile(answer(b"", "307 Away", f"Location: {other.url}/x")) as server,
            stand.open(elsewhere(server.url)) as storage,
        ):
            location = stand.at("x").replace(stand.access.uri, elsewhere(server.url).uri)
            with pytest.raises(InconclusiveError):
                whole(storage.open(storage.item(location)))
            assert other.requests == []
