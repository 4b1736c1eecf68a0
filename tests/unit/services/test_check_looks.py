"""One look at one copy, in a storage that is in memory: what is read, compared, learned and told."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from blake3 import blake3

from lineage.artifacts import content
from lineage.artifacts.hashing import FileDigest, dirhash
from lineage.artifacts.reading import ByteSource, MemoryBytes
from lineage.artifacts.storage import GoneError, Item, MissingError, Storage
from lineage.errors import InconclusiveError
from lineage.graph.check_policy import CONTENT, FULL, QUICK
from lineage.predicates.inventory import ANY_NAME, Inventory
from lineage.services.check_looks import UNREAD_PICKLE, Look, Looker
from lineage.services.copies import Copy
from tests.unit.artifacts.formats.test_damage import Evil
from tests.unit.artifacts.formats.test_pickles import by_method

FOLDER = "memory://storage/folder/"


@dataclass
class Memory(Storage):
    """Files by location. `told`: sizes that its listing tells, where they are not the files' own."""

    files: dict[str, bytes]
    told: Mapping[str, int | None] = field(default_factory=dict)
    opened: list[str] = field(default_factory=list)
    source: type[MemoryBytes] = MemoryBytes

    def probe(self) -> None:
        """It is there."""

    def item(self, location: str) -> Item:
        if location not in self.files:
            raise MissingError(f"Nothing is at {location}.")
        return Item(b"", self.told.get(location, len(self.files[location])), location)

    def items(self, location: str) -> list[Item]:
        return [
            Item(name.removeprefix(location).encode(), len(data), name)
            for name, data in sorted(self.files.items())
            if name.startswith(location)
        ]

    def open(self, item: Item) -> ByteSource:
        self.opened.append(item.opened)
        return self.source(self.files[item.opened])

    def close(self) -> None:
        """Nothing is held."""


def looked(
    storage: Memory, key: str, location: str, recorded: Inventory | None = None, method: str = FULL
) -> Look:
    """The look, with words where it differs."""
    sizes = {key: recorded.size} if recorded else {}
    look = Looker(storage, sizes, {key: recorded}).look(Copy(key, location, "memory", method))
    return look.explain(recorded) if look.explain else look


def key_of(data: bytes, algorithm: str = "sha256") -> str:
    hasher: Any = blake3(data) if algorithm == "blake3" else hashlib.new(algorithm, data)
    return f"{algorithm}:{hasher.hexdigest()}"


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha3_256", "blake3"])
def test_what_is_learned_of_a_match_is_called_what_it_is(algorithm: str) -> None:
    storage = Memory({"memory://a": b"weights"})
    look = looked(storage, key_of(b"weights", algorithm), "memory://a")
    assert look.outcome == "match"
    assert look.inventory is not None
    (file,) = look.inventory.files
    assert file.sha256 == (hashlib.sha256(b"weights").hexdigest() if algorithm == "sha256" else "")
    assert (file.blake3, file.size) == (blake3(b"weights").hexdigest(), 7)


@pytest.mark.parametrize("location", ["memory://a/m.pkl", "memory://a/m%2Epkl", "memory://a/m.%70kl"])
def test_no_spelling_of_a_name_hides_a_pickle(location: str) -> None:
    """Of protocol 0: nothing else tells that it is one."""
    data = pickle.dumps(Evil(), 0)
    look = looked(Memory({location: data}), key_of(data), location)
    assert look.inventory is not None
    assert "posix.system" in look.inventory.unsafe[0].finding


SEVEN_Z = b"7z\xbc\xaf\x27\x1c" + bytes(100)


def unopened(name: str) -> bytes:
    return by_method({name: b"1,2"}, {name: 14})


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("report.docx", unopened("a.xml")),
        ("lib.jar", unopened("A.class")),
        ("data.zip", unopened("a.csv")),
        ("blob", unopened("a.csv")),
        ("data.7z", SEVEN_Z),
    ],
    ids=["docx", "jar", "zip", "blob", "7z"],
)
def test_an_archive_that_can_not_be_opened_matches_all_the_same(name: str, data: bytes) -> None:
    """Alone and in a folder: what can't be told of it is a note, and what it consists of is recorded."""
    alone = looked(Memory({f"memory://{name}": data}), key_of(data), f"memory://{name}")
    files = {f"{FOLDER}{name}": data, f"{FOLDER}a.txt": b"hello"}
    for look in (alone, looked(Memory(files), folder_key(files), FOLDER)):
        assert look.outcome == "match"
        assert "can't be opened here" in look.reason
        assert look.inventory is not None
        assert look.inventory.unsafe == ()
        (problem,) = [file.problem for file in look.inventory.files if file.problem]
        assert problem in look.reason
    again = looked(
        Memory({f"memory://{name}": data}), key_of(data), f"memory://{name}", alone.inventory, QUICK
    )
    assert (again.outcome, again.method) == ("match", "blake3")


@pytest.mark.parametrize(
    ("name", "data"),
    [("m.pkl", SEVEN_Z), ("m.joblib", b"\x04\x22\x4d\x18" + bytes(100)), ("m.pt", unopened("a.csv"))],
    ids=["7z", "lz4", "zip"],
)
def test_a_pickle_that_can_not_be_opened_may_run_anything(name: str, data: bytes) -> None:
    look = looked(Memory({f"memory://{name}": data}), key_of(data), f"memory://{name}")
    assert look.outcome == "match"
    assert look.inventory is not None
    assert [finding.finding.startswith(UNREAD_PICKLE) for finding in look.inventory.unsafe] == [True]


class Unversioned(MemoryBytes):
    """Of a server that tells no version: of each opening one part can be read, and then no other."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._asked = False

    def readinto(self, view: memoryview) -> int:
        self._asked = True
        return super().readinto(view)

    def read_at(self, offset: int, length: int) -> bytes:
        if self._asked:
            raise InconclusiveError("Parts of it can't be known to belong together.")
        return super().read_at(offset, length)


def test_a_server_without_versions_can_be_checked_all_the_same() -> None:
    storage = Memory({"memory://a": b"weights"}, source=Unversioned)
    assert looked(storage, key_of(b"weights"), "memory://a").outcome == "match"
    assert len(storage.opened) == 2


@pytest.mark.parametrize(
    ("location", "names", "again"),
    [
        ("memory://blob", None, False),
        ("memory://blob", {""}, False),
        ("memory://m.pt", None, False),
        ("memory://m.pt", {"", ".pt"}, False),
        ("memory://m.pt", {""}, True),
        ("memory://m%2Ept", {""}, True),
        ("memory://blob", {".pt"}, True),
        ("memory://blob", set(), True),
    ],
)
@pytest.mark.parametrize("method", [FULL, CONTENT, QUICK])
def test_only_a_name_that_tells_something_new_has_it_looked_into_again(
    location: str, names: set[str] | None, again: bool, method: str
) -> None:
    """Whatever is asked for: else its bytes are read in order, or in shards, and nothing in them is."""
    data = b"weights"
    key, known = key_of(data), recorded(data)
    storage = Memory({location: data})
    unsettled = {} if names is None else {key: names}
    looker = Looker(storage, {key: len(data)}, {key: known}, unsettled)
    look = looker.look(Copy(key, location, "memory", method))
    assert look.outcome == "match"
    assert (look.inventory is not None) == again
    if look.inventory is not None:
        assert look.inventory.looked_as == (".pt" if "pt" in location else "",)


def test_a_folder_is_looked_into_once_for_its_names_are_in_its_digest() -> None:
    files = {f"{FOLDER}blob": b"weights"}
    key = folder_key(files)
    known = looked(Memory(files), key, FOLDER).inventory
    assert known is not None
    assert known.looked_as == (ANY_NAME,)
    assert looked(Memory(files), key, FOLDER, known).inventory is None


def recorded(data: bytes, location: str = "memory://a") -> Inventory:
    found = looked(Memory({location: data}), key_of(data), location).inventory
    assert found is not None
    return found


def test_a_listing_that_tells_no_size_has_the_whole_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "SHARD_BYTES", 4)
    storage = Memory({"memory://a": b"weights"}, {"memory://a": None})
    look = looked(storage, key_of(b"weights"), "memory://a", recorded(b"weights"), CONTENT)
    assert (look.outcome, look.method) == ("match", "sha256")


def test_bytes_behind_the_shards_are_no_match(monkeypatch: pytest.MonkeyPatch) -> None:
    """The listing is of before they were appended."""
    monkeypatch.setattr(content, "SHARD_BYTES", 4)
    known = recorded(b"weights")
    storage = Memory({"memory://a": b"weights!"}, {"memory://a": 7})
    for method in (QUICK, CONTENT):
        with pytest.raises(InconclusiveError, match="7 bytes became 8"):
            looked(storage, key_of(b"weights"), "memory://a", known, method)


def test_a_quick_look_at_few_shards_is_one_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "SHARD_BYTES", 4)
    storage = Memory({"memory://a": b"weights"})
    look = looked(storage, key_of(b"weights"), "memory://a", recorded(b"weights"), QUICK)
    assert (look.outcome, look.method, look.bytes) == ("match", "blake3", 7)
    assert look.expected.startswith("blake3:shards:")


def test_what_is_far_larger_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "SHARD_BYTES", 4)
    storage = Memory({"memory://a": bytes(100)})
    look = looked(storage, key_of(b"weights"), "memory://a", recorded(b"weights"))
    assert (look.outcome, look.expected, look.observed) == ("mismatch", "size:7", "size:100")
    assert storage.opened == []


def folder_key(files: Mapping[str, bytes]) -> str:
    digests = [
        FileDigest(name.removeprefix(FOLDER).encode(), hashlib.sha256(data).hexdigest(), len(data))
        for name, data in sorted(files.items())
    ]
    return f"dirHash:{dirhash(digests)}"


def test_many_differences_are_cut_short() -> None:
    files = {f"{FOLDER}{number:03}": b"a" for number in range(60)}
    known = looked(Memory(files), folder_key(files), FOLDER).inventory
    look = looked(Memory(dict.fromkeys(files, b"b")), folder_key(files), FOLDER, known)
    assert look.outcome == "mismatch"
    assert look.reason.startswith("000 differs: expected SHA-256")
    assert len(look.reason.encode()) <= 2_000


def test_the_storage_may_go_while_it_is_told_what_differs() -> None:
    class Going(Memory):
        def open(self, item: Item) -> ByteSource:
            if self.opened:
                raise GoneError("It went.")
            return super().open(item)

    data = pickle.dumps([1, 2])
    known = recorded(data, "memory://a.pkl")
    storage = Going({"memory://a.pkl": b"altered"})
    look = Looker(storage, {}, {}).look(Copy(key_of(data), "memory://a.pkl", "memory", FULL))
    assert look.outcome == "mismatch"
    assert look.explain is not None
    with pytest.raises(GoneError):
        look.explain(known)
