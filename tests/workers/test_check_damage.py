"""The damage table: what was done to a copy → what is said of it, through job, log, graph and status.

Each row is a test; `pytest -s` prints the table. Nothing here is told by a time or a size that was kept: each
look reads the bytes, and what could not be read is never a match and never a mismatch.
"""

from __future__ import annotations

import os
import pickle
import shutil
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from safetensors.numpy import save

from lineage.artifacts import content
from lineage.db.models import Check, Entry, Envelope
from lineage.errors import LineageError
from lineage.services import (
    as_of,
    check_sweep,
    copy_records,
    decide_checks,
    intake,
    inventories,
    lineage_closure,
    reverify,
)
from lineage.services import copies as due_copies
from lineage.services.clock import now_us
from lineage.services.lineage_nodes import Reader
from tests import factories
from tests.integration.projections import check, observe, send
from tests.unit.artifacts.formats import test_damage as damages
from tests.unit.artifacts.formats import test_oci, test_onnx, test_tables
from tests.unit.artifacts.formats.model_files import described, gguf_bytes
from tests.unit.artifacts.formats.test_damage import cut, flipped, made, replaced
from tests.workers.copies import Copies, copies_in

CONTENT = bytes(range(256)) * 40
WHO = "officer@example.com"
DAY_US = 24 * 3600 * 1_000_000
TABLE: list[tuple[str, str, str, str]] = []


@pytest.fixture(scope="module", autouse=True)
def table() -> Iterator[None]:
    """Print the table at the end."""
    yield
    print("\n\n| what | what was done to it | outcome | words |\n|---|---|---|---|")
    for row in sorted(TABLE):
        print("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |")


@pytest.fixture
def copies(tmp_path: Path, graph: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> Copies:
    return copies_in(tmp_path / "storage", graph, monkeypatch)


@dataclass(frozen=True)
class Row:
    """`words` are in the reason, in this order. `status`: of the artifact, after a match and the damage."""

    what: str
    done: str
    name: str
    make: Callable[[Path], object]
    damage: Callable[[Path], object]
    words: tuple[str, ...]
    outcome: str = "mismatch"

    @property
    def status(self) -> tuple[str, str]:
        """What can't be checked takes a fresh match not back."""
        return ("failed", "copy-mismatch") if self.outcome == "mismatch" else ("verified", "")


def holding(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


def built(make: Callable[[Path], bytes]) -> Callable[[Path], object]:
    """A file of what `make` gives; it may use the folder that is its argument."""
    return lambda path: path.write_bytes(make(path.parent.parent))


def altered(damage: damages.Damage) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(damage(path.read_bytes(), path.parent.parent))


def appended(path: Path) -> None:
    with open(path, "ab") as file:
        file.write(b"!")


def replaced_with_its_time(path: Path) -> None:
    """Another file of the same size, with the times of the one that it takes the place of."""
    before = path.stat()
    other = path.with_name("other")
    other.write_bytes(bytes(before.st_size))
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)


def folder(path: Path) -> None:
    for name, inside in {"config.json": b"{}", "weights/a.bin": b"a" * 100, "weights/b.bin": b"b"}.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(inside)


def sparse_terabyte(path: Path) -> None:
    path.touch()
    os.truncate(path, 1 << 40)


def linked_outside(path: Path) -> None:
    secret = path.parent.parent / "secret"
    secret.write_bytes(path.read_bytes())  # the very bytes, in a place that was not configured
    path.unlink()
    path.symlink_to(secret)


def made_instead(make: Callable[[Path], object]) -> Callable[[Path], object]:
    def damage(path: Path) -> None:
        path.unlink()
        make(path)

    return damage


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        here = os.open(path.parent, os.O_RDONLY)
        try:  # its address has little room
            listening.bind(f"/proc/self/fd/{here}/{path.name}")
        finally:
            os.close(here)


def a_device(path: Path) -> None:
    os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5))  # it gives zeros for ever


def a_loop(path: Path) -> None:
    path.symlink_to(path)


GGUF = built(gguf_bytes)
PICKLE = pickle.dumps({"a": [1, 2, 3]})
SAFETENSORS = holding(save(damages.TENSORS, metadata={"note": "x"}))
TEMPLATE = b"{{ messages }}"

ROWS: tuple[Row, ...] = (
    # Any file
    Row("file", "one bit flipped", "m.bin", holding(CONTENT), altered(flipped(5000)), ("bytes differ",)),
    Row(
        "file",
        "cut off",
        "m.bin",
        holding(CONTENT),
        altered(cut(10)),
        ("10 bytes shorter: expected 10,240 bytes, found 10,230",),
    ),
    Row("file", "a byte appended", "m.bin", holding(CONTENT), appended, ("1 byte longer",)),
    Row(
        "file",
        "replaced by another of its size and time",
        "m.bin",
        holding(CONTENT),
        replaced_with_its_time,
        ("bytes differ",),
    ),
    Row(
        "file", "emptied", "m.bin", holding(CONTENT), altered(made(b"")), ("10,240 bytes shorter", "found 0")
    ),
    Row(
        "file",
        "a sparse terabyte in its place",
        "m.bin",
        holding(CONTENT),
        sparse_terabyte,
        ("bytes longer: expected 10,240 bytes, found 1,099,511,627,776", "not read"),
    ),
    # Folders
    Row(
        "folder",
        "a file altered",
        "m",
        folder,
        lambda path: (path / "weights/a.bin").write_bytes(b"A" * 100),
        ("weights/a.bin differs: expected SHA-256", "found"),
    ),
    Row(
        "folder",
        "a file missing",
        "m",
        folder,
        lambda path: (path / "weights/b.bin").unlink(),
        ("weights/b.bin is missing",),
    ),
    Row(
        "folder",
        "a file added",
        "m",
        folder,
        lambda path: (path / "weights/evil.py").write_bytes(b"x"),
        ("weights/evil.py was added",),
    ),
    Row(
        "folder",
        "a file renamed",
        "m",
        folder,
        lambda path: (path / "weights/b.bin").rename(path / "weights/c.bin"),
        ("weights/b.bin is missing", "weights/c.bin was added"),
    ),
    Row(
        "folder",
        "a sparse terabyte added",
        "m",
        folder,
        lambda path: sparse_terabyte(path / "big"),
        ("bytes longer", "not read"),
    ),
    # GGUF
    Row(
        "GGUF",
        "another chat template",
        "m.gguf",
        GGUF,
        altered(lambda content, folder: gguf_bytes(folder, template="{{ evil }}")),
        ("metadata key tokenizer.chat_template differs: expected sha256", "found"),
    ),
    Row(
        "GGUF",
        "a chat template of the same length, in place",
        "m.gguf",
        GGUF,
        altered(replaced(TEMPLATE, b"{{ massages }}")),
        ("metadata key tokenizer.chat_template differs: expected sha256",),
    ),
    Row(
        "GGUF",
        "a tensor renamed",
        "m.gguf",
        GGUF,
        altered(replaced(b"blk.0.attn_q", b"blk.1.attn_q")),
        ("tensor blk.0.attn_q.weight is now called blk.1.attn_q.weight",),
    ),
    Row(
        "GGUF",
        "a shape reversed",
        "m.gguf",
        GGUF,
        altered(
            lambda content, folder: gguf_bytes(
                folder, tensors={"token_embd.weight": (4, 8), "blk.0.attn_q.weight": (4, 4)}
            )
        ),
        ("tensor token_embd.weight: shape was 4\u00d78, is 8\u00d74",),
    ),
    Row(
        "GGUF",
        "a tensor altered",
        "m.gguf",
        GGUF,
        altered(flipped(-1)),
        ("tensor blk.0.attn_q.weight differs: expected",),
    ),
    # safetensors
    Row(
        "safetensors",
        "a tensor altered",
        "m.safetensors",
        SAFETENSORS,
        altered(flipped(-1)),
        ("tensor b differs",),
    ),
    Row(
        "safetensors",
        "its header altered",
        "m.safetensors",
        SAFETENSORS,
        altered(replaced(b"[2,4]", b"[4,2]")),
        ("tensor a: shape was 2\u00d74, is 4\u00d72",),
    ),
    Row(
        "safetensors",
        "a gap made",
        "m.safetensors",
        SAFETENSORS,
        altered(replaced(b"[0,32]", b"[1,32]")),
        ("no safetensors", "The tensor a has data_offsets"),
    ),
    # Others
    Row(
        "pickle",
        "code put into it",
        "m.pkl",
        holding(PICKLE),
        altered(made(pickle.dumps(damages.Evil()))),
        ("import posix.system was not there before", "became unsafe"),
    ),
    Row(
        "Parquet",
        "a value changed",
        "t.parquet",
        holding(test_tables.parquet(test_tables.table())),
        altered(made(test_tables.parquet(test_tables.table((1.0, 2.0, 3.0, 9.0))))),
        ("row group 1 differs: expected sha256",),
    ),
    Row(
        "ONNX",
        "an operator replaced",
        "m.onnx",
        holding(test_onnx.WHOLE),
        altered(replaced(b"Relu", b"Tanh")),
        ("node activate differs: expected sha256",),
    ),
    Row(
        "OCI manifest",
        "a layer exchanged",
        "manifest.json",
        holding(test_oci.written(test_oci.MANIFEST)),
        altered(
            made(test_oci.written({**test_oci.MANIFEST, "layers": [damages.OTHER_LAYER]})),
        ),
        ("layer 1 (model.gguf): size was 10, is 11",),
    ),
    Row(
        "a model of any format",
        "overwritten by text",
        "m.gguf",
        GGUF,
        altered(made(b"hello")),
        ("bytes shorter", "no gguf file any more"),
    ),
)


def by_name(name: str, make: Callable[[Path], object], damage: Callable[[Path], object], *words: str) -> Row:
    return Row("folder" if make is folder else "file", name, "m.bin", make, damage, words, "inconclusive")


UNTELLABLE = (
    by_name("a link out of the roots, to the same bytes", holding(CONTENT), linked_outside, "leads out of"),
    by_name("a link to itself", holding(CONTENT), made_instead(a_loop), "can't be resolved"),
    by_name("a named pipe in its place", holding(CONTENT), made_instead(os.mkfifo), "a named pipe"),
    by_name("a socket in its place", holding(CONTENT), made_instead(a_socket), "a socket"),
    by_name("a device in its place", holding(CONTENT), made_instead(a_device), "a device"),
    by_name(
        "a folder in its place", holding(CONTENT), made_instead(Path.mkdir), "a folder and not a regular"
    ),
    by_name("missing", holding(CONTENT), Path.unlink, "Nothing is at"),
    by_name("missing", folder, shutil.rmtree, "Nothing is at"),
    by_name(
        "a file in it a link that leads out of it",
        folder,
        lambda path: linked_outside(path / "config.json"),
        "symlink config.json leads out of the folder",
    ),
    by_name(
        "a file in it a named pipe",
        folder,
        lambda path: os.mkfifo(path / "pipe"),
        "pipe is neither a file nor a folder",
    ),
    by_name(
        "a file in it with a newline in its name",
        folder,
        lambda path: (path / "a\nb").write_bytes(b""),
        "has a newline in it",
    ),
)


@pytest.mark.parametrize("row", UNTELLABLE, ids=[f"{row.what}: {row.done}" for row in UNTELLABLE])
def test_what_can_not_be_checked_turns_nothing_green_or_red(row: Row, copies: Copies) -> None:
    """After a match it stays verified, after a mismatch failed, and what never matched is not verified."""
    path, other = copies.root / row.name, copies.root / "never"
    row.make(path)
    row.make(other)
    key = copies.state(path)
    never = copies.state(other, {"sha512": "0" * 128} if other.is_file() else {"dirHash": "0" * 64})
    assert copies.verify(key) == "match"
    row.damage(path)
    assert copies.verify(key) == "inconclusive"
    said = copies.reason()
    TABLE.append((row.what, row.done, row.outcome, said.replace(str(copies.root), "/storage")))
    assert row.words[0] in said
    assert copies.status(key) == ("verified", "")
    assert copies.status(key, now_us() + 8 * DAY_US) == ("expired", "check-overdue")
    row_of(never, copies, row, other)


def row_of(never: str, copies: Copies, row: Row, other: Path) -> None:
    assert copies.verify(never) == "mismatch"
    row.damage(other)
    assert copies.verify(never) == "inconclusive"
    assert copies.status(never) == ("failed", "copy-mismatch")


def test_what_never_could_be_checked_is_not_verified(copies: Copies) -> None:
    path = copies.root / "m.bin"
    os.mkfifo(path)
    key = copies.state(path, {"sha256": "a" * 64})
    assert copies.verify(key) == "inconclusive"
    assert copies.status(key) == ("unverified", "inconclusive")


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.what}: {row.done}" for row in ROWS])
def test_damage(row: Row, copies: Copies) -> None:
    path = copies.root / row.name
    row.make(path)
    key = copies.state(path)
    assert copies.verify(key) == "match"
    assert copies.status(key) == ("verified", "")
    row.damage(path)
    assert copies.verify(key) == row.outcome
    said = copies.reason()
    TABLE.append((row.what, row.done, row.outcome, said))
    at = -1
    for words in row.words:
        at = said.find(words, at + 1)
        assert at >= 0, (words, said)
    assert copies.status(key) == row.status


def test_an_altered_chat_template_is_found_though_the_plain_gguf_hash_is_equal(copies: Copies) -> None:
    path = copies.root / "m.gguf"
    GGUF(path)
    key = copies.state(path)
    assert copies.verify(key) == "match"
    before = described(path.read_bytes(), path.name)
    path.write_bytes(gguf_bytes(copies.root.parent, template="{{ evil }}"))
    after = described(path.read_bytes(), path.name)
    assert before.digests["gguf-hash:sha256"] == after.digests["gguf-hash:sha256"]
    assert copies.verify(key) == "mismatch"
    assert "metadata key tokenizer.chat_template differs" in copies.reason()
    assert copies.status(key) == ("failed", "copy-mismatch")


def test_an_unsafe_pickle_fails_though_its_bytes_match_until_that_is_waived(copies: Copies) -> None:
    path = copies.root / "m.pkl"  # protocol 0 has nothing to be known by but this name
    path.write_bytes(pickle.dumps(damages.Evil(), 0))
    key = copies.state(path, location=path.as_uri().replace("m.pkl", "m%2Epkl"))
    assert copies.verify(key) == "match"
    assert copies.status(key) == ("failed", "unsafe-format")
    until_us = now_us() + DAY_US
    decide_checks.waive(key, "unsafe-format", until_us, "read line by line", person=WHO)
    copies.follow()
    assert copies.status(key) == ("verified", "")
    assert copies.status(key, until_us) == ("failed", "unsafe-format")
    TABLE.append(
        ("pickle", "its code unsafe, its bytes as they were", "match", "status failed: unsafe-format")
    )


SHARD = 1 << 16


@pytest.fixture
def sharded(copies: Copies, monkeypatch: pytest.MonkeyPatch) -> tuple[str, Path]:
    """A matched, mostly sparse file of 16 small shards."""
    monkeypatch.setattr(content, "SHARD_BYTES", SHARD)
    path = copies.root / "large.bin"
    path.write_bytes(b"begin")
    os.truncate(path, 16 * SHARD)
    key = copies.state(path)
    assert copies.verify(key) == "match"
    return key, path


def test_a_damaged_shard_is_named_and_no_quick_match_clears_it(
    sharded: tuple[str, Path], copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, path = sharded
    with open(path, "r+b") as file:
        file.seek(5 * SHARD + 7)
        file.write(b"!")
    drawn = iter([[4, 5], [0, 1]])
    monkeypatch.setattr("random.SystemRandom.sample", lambda *_: next(drawn))
    words = "Shard 6 of 16 differs: bytes 327,680 to 393,215."
    assert copies.verify(key, method="quick") == "mismatch"
    assert (copies.newest().method, copies.reason()) == ("shards", words)
    assert copies.status(key) == ("failed", "copy-mismatch")
    assert copies.verify(key, method="quick") == "match"  # other shards
    assert copies.status(key) == ("failed", "copy-mismatch")
    assert copies.verify(key, method="content") == "mismatch"
    assert (copies.newest().method, copies.reason()) == ("blake3", words)
    os.truncate(path, 0)
    path.write_bytes(b"begin")
    os.truncate(path, 16 * SHARD)
    assert copies.verify(key, method="content") == "match"
    assert copies.status(key) == ("verified", "")
    TABLE.append(("16 shards", "one byte of one altered; quick, content", "mismatch", words))


def test_a_quick_look_that_finds_nothing_does_not_clear_what_the_whole_showed(
    sharded: tuple[str, Path], copies: Copies
) -> None:
    key, path = sharded
    original = path.read_bytes()
    path.write_bytes(b"BEGIN" + original[5:])
    assert copies.verify(key) == "mismatch"
    assert copies.reason() == "Shard 1 of 16 differs: bytes 0 to 65,535."
    path.write_bytes(original)
    for method, status in (
        ("quick", ("failed", "copy-mismatch")),
        ("content", ("failed", "copy-mismatch")),  # what the digest itself showed, only it can clear
        ("full", ("verified", "")),
    ):
        assert copies.verify(key, method=method) == "match"
        assert copies.status(key) == status, method


def test_shards_of_another_length_are_not_compared(
    sharded: tuple[str, Path], copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Recorded by a version whose shards were longer or shorter: the whole is read, and nothing cried."""
    key, _ = sharded
    for size in (SHARD // 2, SHARD * 2):
        monkeypatch.setattr(content, "SHARD_BYTES", size)
        assert copies.verify(key, method="content") == "match"
        assert copies.newest().method == "sha256"


def written_to_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
    write: Callable[[], object],
) -> None:
    """While the next file is read, another thread writes: `write` is over before reading goes on."""
    left = [1]

    def read(pace: object, count: int) -> None:
        if left and left.pop():
            thread = threading.Thread(target=write)
            thread.start()
            thread.join()

    monkeypatch.setattr("lineage.services.check_sweep._Pace.read", read)


@pytest.mark.parametrize("how", ["one byte altered", "appended to", "cut off", "replaced by a rename"])
def test_a_file_that_changes_while_it_is_read(
    how: str, copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = copies.root / "m.bin"
    path.write_bytes(bytes(4 << 20))
    key = copies.state(path)
    assert copies.verify(key) == "match"

    def write() -> None:
        if how == "one byte altered":
            with open(path, "r+b") as file:
                file.write(b"!")
        elif how == "appended to":
            appended(path)
        elif how == "cut off":
            os.truncate(path, 1)
        else:
            path.with_name("other").write_bytes(b"!" * (4 << 20))
            path.with_name("other").replace(path)

    written_to_meanwhile(monkeypatch, write)
    assert copies.verify(key) == "inconclusive"
    TABLE.append(
        (
            "file",
            f"{how} while it is read",
            "inconclusive",
            copies.reason().replace(str(copies.root), "/storage"),
        )
    )
    assert copies.status(key) == ("verified", "")
    assert copies.verify(key) == "mismatch"
    assert copies.status(key) == ("failed", "copy-mismatch")


def test_a_file_exchanged_between_hashing_and_looking_into_it(
    copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A harmless pickle can't be shown for the one that matched, even where a whole folder is moved."""
    path = copies.root / "models/m.pkl"
    path.parent.mkdir()
    path.write_bytes(pickle.dumps(damages.Evil()))
    key = copies.state(path)

    def exchange() -> None:
        path.parent.rename(copies.root / "away")
        path.parent.mkdir()
        path.write_bytes(PICKLE)

    written_to_meanwhile(monkeypatch, exchange)
    copies.verify(key)
    assert copies.status(key) == ("failed", "unsafe-format")


def test_a_folder_that_is_being_copied(copies: Copies, monkeypatch: pytest.MonkeyPatch) -> None:
    path = copies.root / "m"
    folder(path)
    key = copies.state(path)
    (path / "weights/b.bin").unlink()
    written_to_meanwhile(monkeypatch, lambda: (path / "weights/b.bin").write_bytes(b"b"))
    assert copies.verify(key) == "inconclusive"
    assert "changed while it was read" in copies.reason()
    assert copies.verify(key) == "match"


def test_a_replayed_old_pass(copies: Copies) -> None:
    path = copies.root / "m.bin"
    path.write_bytes(CONTENT)
    key = copies.state(path)
    before_us = now_us()
    assert copies.verify(key) == "match"
    path.write_bytes(b"altered")
    assert copies.verify(key) == "mismatch"
    location, digest = path.as_uri(), key.partition(":")[2]
    observe(check(digest, location, "match", before_us))  # by our own key, later in the log
    copies.follow()
    assert copies.status(key) == ("failed", "copy-mismatch")
    envelope = Envelope.objects.get(
        pk=Entry.objects.get(
            index=Check.objects.filter(outcome="match").order_by("-index")[0].index
        ).envelope_digest
    )
    with pytest.raises(LineageError):  # nor from outside
        intake.submit(bytes(envelope.content).replace(b"}", b"} ", 1), token="t")
    TABLE.append(
        ("file", "altered, and an old pass logged again", "mismatch", "status failed: copy-mismatch")
    )


def test_somebody_elses_match_clears_nothing(copies: Copies) -> None:
    path = copies.root / "m.bin"
    path.write_bytes(CONTENT)
    key = copies.state(path)
    path.write_bytes(b"altered")
    assert copies.verify(key) == "mismatch"
    send(factories.registered(), check(key.partition(":")[2], path.as_uri(), "match", now_us()))
    copies.follow()
    assert copies.status(key) == ("failed", "copy-mismatch")
    TABLE.append(
        ("file", "altered, and a pipeline says that it matches", "mismatch", "status failed: copy-mismatch")
    )


def test_nobody_elses_looks_keep_us_from_looking(copies: Copies) -> None:
    """Whatever somebody else finds, and however often: a copy that we never looked at is due."""
    path = copies.root / "m.bin"
    path.write_bytes(CONTENT)
    key = copies.state(path)
    other = factories.registered()
    for outcome in ("inconclusive", "match", "mismatch"):
        send(other, check(key.partition(":")[2], path.as_uri(), outcome, now_us()))
        copies.follow()
        (place,) = {copy.storage for copy in due_copies.of_node(key)}
        assert [copy.key for copy in due_copies.due(place, limit=9)] == [key], outcome


def test_a_clock_set_back(copies: Copies, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is found after the clock went back counts as later: the log's time never goes back."""
    path = copies.root / "m.bin"
    path.write_bytes(CONTENT)
    key = copies.state(path)
    assert copies.verify(key) == "match"
    an_hour_ago = now_us() - 3600 * 1_000_000
    for module in (reverify, check_sweep):
        monkeypatch.setattr(module, "now_us", lambda: an_hour_ago)
    path.write_bytes(b"altered")
    assert copies.verify(key) == "mismatch"
    assert copies.status(key) == ("failed", "copy-mismatch")
    path.write_bytes(CONTENT)
    assert copies.verify(key) == "match"
    assert copies.status(key) == ("verified", "")
    TABLE.append(("file", "altered, the clock an hour back", "mismatch", "status failed: copy-mismatch"))


def test_a_copy_of_something_without_a_digest_spoils_no_sweep(copies: Copies) -> None:
    """It is named by a URI alone, so no bytes can be compared with it."""
    good = copies.root / "good.bin"
    good.write_bytes(CONTENT)
    key = copies.state(good)
    (copies.root / "named.bin").write_bytes(b"x")
    named = {"name": "named", "downloadLocation": (copies.root / "named.bin").as_uri()}
    made_of_it = factories.provenance([factories.artifact()], [named])
    send(copies.who, made_of_it)
    copies.follow()
    good.write_bytes(b"altered")
    assert copies.run(reverify.ALL) == {"checked": 1, "match": 0, "mismatch": 1, "inconclusive": 0}
    assert copies.status(key) == ("failed", "copy-mismatch")


def test_no_flood_of_looks_puts_a_mismatch_out_of_sight(copies: Copies) -> None:
    """A page reads as much of a copy's checks as its status does."""
    path = copies.root / "m.bin"
    path.write_bytes(CONTENT)
    key = copies.state(path)
    path.write_bytes(b"altered")
    assert copies.verify(key) == "mismatch"
    many = check(key.partition(":")[2], path.as_uri(), "inconclusive", now_us())
    (row,) = many["predicate"]["rows"]
    for start in range(0, 11_000, 1_000):
        numbers = range(start, start + 1_000)
        many["predicate"]["rows"] = [row | {"reason": f"look {number}"} for number in numbers]
        send(copies.who, many)
    copies.follow()
    assert copies.status(key) == ("failed", "copy-mismatch")
    moment = as_of.resolve("")
    number, _ = lineage_closure.find(key, moment)
    (record,), _ = copy_records.of_node(number, key, Reader(moment))
    assert (record.outcome, record.last_outcome, record.method) == ("mismatch", "inconclusive", "sha256")


def test_what_a_revoked_re_verifier_recorded_is_not_compared_with(
    copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever had its key could have recorded shards of other bytes: the whole is read again."""
    path = copies.root / "m.bin"
    path.write_bytes(CONTENT)
    key = copies.state(path)
    assert copies.verify(key) == "match"
    assert inventories.of_node(key) is not None
    signer = Check.objects.get().signer.key.partition(":")[2]
    cutoff = Entry.objects.filter(kind="observation").order_by("index")[0].index
    monkeypatch.setattr("lineage.services.inventories.cutoffs", lambda ring: {signer: cutoff})
    assert inventories.of_node(key) is None
    assert inventories.sizes([key]) == {}
