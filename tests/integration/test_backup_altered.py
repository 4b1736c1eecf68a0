"""Archives that somebody has altered: each is refused with its reason, and leaves nothing behind.

Three strengths of forger: who changes bytes; who also makes the manifest fit (`resum`); who also holds the
platform's key (`reseal`), and is stopped by what the log's own leaves and checkpoints say.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.db import connection

from lineage.config import current
from lineage.errors import LineageError
from lineage.services import backup_format, backup_tables, restore, restore_keys
from lineage.trust import checkpoint as notes
from lineage.trust.digest import sha256_hex
from lineage.trust.keys import generate_ed25519, load_private
from tests.integration.backups import Installation, Parts, truncations

ENTRIES, CHECKPOINTS = backup_format.ENTRIES, backup_format.CHECKPOINTS
USERS, TOKENS = "configuration/account_user", "configuration/account_token"
JOBS, STEPS = "configuration/job", "configuration/job_step"
STATEMENTS = 20
DIGEST, STATEMENT, RECEIVED, KEYS, POLICY, CONTENT = 2, 3, 4, 5, 6, 7


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A good one, and small: it is read by each test."""
    old = Installation(tmp_path_factory.mktemp("old"))
    old.fill(statements=STATEMENTS, refused_bytes=400)
    old.lineage("backup", str(old.home / "backup.tar.gz"))
    return old.home / "backup.tar.gz"


@pytest.fixture
def keys(transactional_db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where restored keys go. The database is empty."""
    folder = tmp_path / "keys"
    configured = replace(current(), keys=folder)
    monkeypatch.setattr(restore_keys, "current", lambda: configured)
    return folder


def refused(path: Path, reason: str, keys: Path) -> None:
    """The restore fails with the reason, and nothing is left of it."""
    with pytest.raises(LineageError) as caught:
        restore.read(path, report=lambda done, total: None)
    assert re.search(reason, caught.value.message), caught.value.message
    assert_nothing(keys)


def assert_nothing(keys: Path) -> None:
    assert not keys.exists() or not list(keys.iterdir())
    kept = {*backup_tables.LOG_TABLES, *map(backup_tables.name, backup_tables.BACKED_UP)}
    for model in apps.get_models():
        if model._meta.db_table in kept:
            assert not model._default_manager.exists(), model
    assert not connection.in_atomic_block


Edit = Callable[[Parts], object]


def in_rows(section: str, edit: Callable[[list[list[Any]]], object]) -> Edit:
    def apply(parts: Parts) -> None:
        rows = parts.rows(section)
        edit(rows)
        parts.replace_rows(section, rows)

    return apply


def in_header(**members: Any) -> Edit:
    return lambda parts: parts.edit_json("header.json", **members)


def in_head(**members: Any) -> Edit:
    def apply(parts: Parts) -> None:
        head = json.loads(parts.content("header.json"))["log"]
        parts.edit_json("header.json", log=head | members)

    return apply


def cell(place: int, column: int, value: Any) -> Callable[[list[list[Any]]], None]:
    def edit(rows: list[list[Any]]) -> None:
        rows[place][column] = value(rows[place][column]) if callable(value) else value

    return edit


def swap(rows: list[list[Any]]) -> None:
    rows[5], rows[6] = rows[6], rows[5]


def another_envelope(rows: list[list[Any]]) -> None:
    """All that an entry says of itself fits; it is another entry."""
    rows[9][CONTENT] = base64.b64encode(base64.b64decode(rows[9][CONTENT]) + b" ").decode()
    rows[9][DIGEST] = sha256_hex(base64.b64decode(rows[9][CONTENT]))


def flipped(content: str) -> str:
    data = bytearray(base64.b64decode(content))
    data[len(data) // 2] ^= 1
    return base64.b64encode(data).decode()


def as_redacted(rows: list[list[Any]]) -> None:
    rows[7][CONTENT:] = [None, ["https://example.com/anything/v1", [], []]]


def beside(rows: list[list[Any]]) -> None:
    rows[7][CONTENT + 1 :] = [["https://example.com/anything/v1", [], []]]


def cut_last(count: int) -> Edit:
    """The newest entries away, as if they had never been."""

    def apply(parts: Parts) -> None:
        rows = parts.rows(ENTRIES)
        last = rows[-count - 1]
        parts.replace_rows(ENTRIES, rows[:-count])
        in_head(size=len(rows) - count, last_received_us=last[RECEIVED], policy_index=last[POLICY])(parts)

    return apply


def without_root(edit: Edit) -> Edit:
    """Also without the newest checkpoint's help: entries after it are held by the seal alone."""

    def apply(parts: Parts) -> None:
        edit(parts)
        parts.edit_json("manifest.json", root_hash="00" * 32)

    return apply


def resigned(key: str) -> Edit:
    """A checkpoint over the right entries by another key; with the log's own: over others."""

    def apply(parts: Parts) -> None:
        origin = json.loads(parts.content("header.json"))["log"]["origin"]
        pem = parts.content("keys/log.pem")
        private = load_private(pem[pem.index(b"---") :]) if key == "own" else generate_ed25519()
        rows = parts.rows(CHECKPOINTS)
        root = bytes(32) if key == "own" else tree_root(base64.b64decode(rows[-1][1]))
        note = notes.sign(notes.Checkpoint(origin, rows[-1][0], root), private)
        rows[-1][1] = base64.b64encode(note).decode()
        parts.replace_rows(CHECKPOINTS, rows)

    return apply


def tree_root(note: bytes) -> bytes:
    return base64.b64decode(note.split(b"\n")[2])


def raw_row(section: str, old: bytes, new: bytes) -> Edit:
    """A change that `json` would not write."""

    def apply(parts: Parts) -> None:
        name = f"{section}-000000.ndjson"
        content = parts.content(name)
        assert old in content
        parts.replace(name, content.replace(old, new, 1))

    return apply


def other_key(parts: Parts) -> None:
    parts.replace("keys/collector.pem", generate_ed25519().to_pem())


def without_key(parts: Parts) -> None:
    del parts.files[parts.place("keys/log.pem")]


def long_row(parts: Parts) -> None:
    parts.replace(f"{USERS}-000000.ndjson", b"[" + b"1," * 5_000_000 + b"1]\n")


RESEALED: dict[str, tuple[Edit, str]] = {
    "a byte in an envelope": (in_rows(ENTRIES, cell(7, CONTENT, flipped)), "envelope of entry 7"),
    "a missing entry": (in_rows(ENTRIES, lambda rows: rows.pop(5)), "entry 5 is missing"),
    "a doubled entry": (in_rows(ENTRIES, lambda rows: rows.insert(5, rows[5])), "entry 6 is missing"),
    "swapped entries": (in_rows(ENTRIES, swap), "entry 5 is missing"),
    "a renumbered entry": (in_rows(ENTRIES, cell(5, 0, 500)), "entry 5 is missing"),
    "a negative index": (in_rows(ENTRIES, cell(5, 0, -5)), "row of entry 5"),
    "an entry too many": (
        in_rows(ENTRIES, lambda rows: rows.append([len(rows), *rows[-1][1:]])), "contradict each other",
    ),
    "the last entry missing": (in_rows(ENTRIES, lambda rows: rows.pop()), "head says"),
    "newest entries cut off": (cut_last(3), "checkpoint at .* can't follow"),
    "the uncovered tail cut off": (cut_last(1), "another root hash"),
    "another root": (without_root(lambda parts: None), "another root hash"),
    "another envelope": (in_rows(ENTRIES, another_envelope), "signed over other entries"),
    "another statement": (in_rows(ENTRIES, cell(7, STATEMENT, "00" * 32)), "statement of entry 7"),
    "an envelope left out": (in_rows(ENTRIES, cell(7, CONTENT, None)), "neither an envelope nor"),
    "an envelope that nobody redacted": (in_rows(ENTRIES, as_redacted), "no decision of the log redacted it"),
    "an envelope beside what is left": (in_rows(ENTRIES, beside), "neither an envelope nor"),
    "another time": (in_rows(ENTRIES, cell(7, RECEIVED, lambda us: us - 10**9)), "entry 7 was received"),
    "a time one later": (in_rows(ENTRIES, cell(-1, RECEIVED, lambda us: us + 1)), "head says another time"),
    "no time at all": (in_rows(ENTRIES, cell(7, RECEIVED, 2**62)), "entry 7 can't be a leaf"),
    "other signers": (in_rows(ENTRIES, cell(7, KEYS, "ab" * 32)), "signed over other entries"),
    "no signer": (in_rows(ENTRIES, cell(7, KEYS, "")), "entry 7 can't be a leaf"),
    "another kind": (in_rows(ENTRIES, cell(7, 1, "observation")), "signed over other entries"),
    "no kind": (in_rows(ENTRIES, cell(7, 1, "x")), "entry 7 can't be a leaf"),
    "another policy": (in_rows(ENTRIES, cell(7, POLICY, 5)), "entry 7 names another newest decision"),
    "a policy of the head": (in_head(policy_index=0), "head names another newest decision"),
    "a policy that is none": (in_head(policy_index=STATEMENTS + 8), "is named as a decision about keys"),
    "another origin": (in_head(origin="lineage/other"), "no signature by"),
    "a checkpoint by another key": (resigned("other"), "does not verify"),
    "a checkpoint over others": (resigned("own"), "signed over other entries"),
    "no checkpoint": (in_rows(CHECKPOINTS, cell(0, 1, "AAAA")), "does not verify"),
    "checkpoints in another order": (in_rows(CHECKPOINTS, lambda rows: rows.reverse()), "can't follow"),
    "another key": (other_key, "collector key is not"),
    "a role that is none": (in_rows(USERS, cell(0, 5, "root")), "row of account_user"),
    "a NUL": (in_rows(USERS, cell(0, 4, "a\0b")), "row of account_user"),
    "a text too long": (in_rows(USERS, cell(0, 4, "a" * 10_000)), "row of account_user"),
    "a column too many": (in_rows(USERS, lambda rows: rows[0].append(1)), "row of account_user"),
    "a column too few": (in_rows(USERS, lambda rows: rows[0].pop()), "row of account_user"),
    "an id too large": (in_rows(USERS, cell(0, 0, 2**63)), "row of account_user"),
    "a very large number": (in_rows(USERS, cell(0, 0, 10**4000)), "row of account_user"),
    "a time without a zone": (in_rows(USERS, cell(0, 7, "2026-01-01T00:00:00")), "row of account_user"),
    "bad base64": (in_rows(ENTRIES, cell(7, CONTENT, lambda text: text[:-1])), "row of entry 7"),
    "two accounts of one name": (
        in_rows(USERS, lambda rows: rows.append([99, *rows[0][1:]])), "can't be stored",
    ),
    "a token twice": (in_rows(TOKENS, lambda rows: rows.append(rows[0])), "can't be stored"),
    "a step of no job": (in_rows(STEPS, cell(0, 1, 999)), "rows"),
    "NaN": (raw_row(JOBS, b"2.5", b"NaN"), "NaN"),
    "equal keys": (raw_row(JOBS, b"{\"entry\":3}", b"{\"entry\":3,\"entry\":4}"), "twice"),
    "deep nesting": (raw_row(JOBS, b"2.5", b"[" * 5000 + b"]" * 5000), "nested deeper"),
    "half a surrogate": (raw_row(JOBS, b'"entry"', b'"\\ud800"'), "surrogate"),
    "no UTF-8": (raw_row(JOBS, b'"entry"', b'"\xff"'), "UTF-8"),
    "no UTF-8 in an entry": (raw_row(ENTRIES, b'"attestation"', b'"\xff"'), "row of entry"),
    "an empty line": (raw_row(JOBS, b"\n", b"\n\n"), "JSON"),
    "half a line": (raw_row(JOBS, b"]\n", b"]"), "ends within a line"),
    "a row of the wrong kind": (lambda parts: parts.replace(f"{JOBS}-000000.ndjson", b"{}\n"), "row of job"),
    "a very long row": (long_row, "row of account_user"),
    "another format": (in_header(format="lineage-backup/2"), "reads lineage-backup/1"),
    "another schema": (in_header(schema="0001_initial"), "made by Lineage"),
    "other columns": (in_header(columns={}), "made by Lineage"),
    "a member of the header too many": (in_header(extra=1), "header.json"),
    "an empty log": (in_head(size=0), "header.json"),
    "a log too large": (in_head(size=2**63), "header.json"),
    "a header that is none": (lambda parts: parts.replace("header.json", b"[]"), "header.json"),
    "equal keys in the header": (
        lambda parts: parts.replace("header.json", b'{"format": "lineage-backup/1", "format": "x"}'), "twice",
    ),
    "a large readme": (lambda parts: parts.replace("README.txt", b"x" * 100_000), "limit"),
    "keys that are announced and missing": (without_key, "keys/log.pem"),
    "keys that are not announced": (in_header(keys=False), "keys/log.pem"),
}  # fmt: skip


@pytest.mark.parametrize("name", RESEALED)
def test_what_no_signature_makes_good(archive: Path, keys: Path, tmp_path: Path, name: str) -> None:
    edit, reason = RESEALED[name]
    parts = Parts(archive)
    edit(parts)
    parts.resum()
    parts.reseal()
    refused(parts.save(tmp_path / "altered"), reason, keys)


def test_the_test_would_accept_a_good_one(archive: Path, keys: Path, tmp_path: Path) -> None:
    parts = Parts(archive)
    parts.resum()
    parts.reseal()
    restored = restore.read(parts.save(tmp_path / "good"), report=lambda done, total: None)
    assert restored.keys
    assert len(list(keys.iterdir())) == 4


def to_operator(rows: list[list[Any]]) -> None:
    rows[0][5] = "auditor"


@pytest.mark.parametrize("edit", [in_rows(USERS, to_operator), in_rows(ENTRIES, cell(7, 1, "observation"))])
def test_whoever_has_no_key_can_alter_nothing(archive: Path, keys: Path, tmp_path: Path, edit: Edit) -> None:
    parts = Parts(archive)
    edit(parts)
    refused(parts.save(tmp_path / "altered"), "altered|other entries", keys)
    parts.resum()
    refused(parts.save(tmp_path / "altered"), "not signed by the platform's key|other entries", keys)


@pytest.mark.parametrize("seal", [b"", b"AAAA\n", b"%%\n", b"\xff\n", base64.b64encode(bytes(64)) + b"\n"])
def test_the_seal_must_be_one(archive: Path, keys: Path, tmp_path: Path, seal: bytes) -> None:
    parts = Parts(archive)
    parts.replace("manifest.sig", seal)
    refused(parts.save(tmp_path / "altered"), "base64|not signed", keys)


def strange(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, size, link
    return info


STRANGE = [
    strange("more"),
    strange("../../x"),
    strange("/etc/x"),
    strange("log/entries-000009.ndjson"),
    strange("log/entries-000000.ndjson"),
    strange("header.json"),
    strange("log", tarfile.DIRTYPE),
    strange("keys/log.pem", tarfile.SYMTYPE, link="/etc/passwd"),
    strange("keys/log.pem", tarfile.LNKTYPE, link="../../x"),
    strange("keys/log.pem", tarfile.AREGTYPE),
    strange("keys/log.pem", tarfile.GNUTYPE_SPARSE),
    strange("keys/log.pem", tarfile.CHRTYPE),
    strange("keys/log.pem", tarfile.FIFOTYPE),
    strange("././@LongLink", tarfile.GNUTYPE_LONGNAME, 1 << 40),
    strange("././@PaxHeader", tarfile.XHDTYPE, 1 << 40),
    strange("pax_global_header", tarfile.XGLTYPE, 1 << 40),
]


@pytest.mark.parametrize("info", STRANGE, ids=lambda info: f"{info.name}-{info.type.decode()}")
@pytest.mark.parametrize("before", ["README.txt", "keys/log.pem", "manifest.sig", "end"])
def test_what_else_stands_in_it(
    archive: Path, keys: Path, tmp_path: Path, info: tarfile.TarInfo, before: str
) -> None:
    parts = Parts(archive)
    place = len(parts.files) if before == "end" else parts.place(before)
    parts.insert(place, info)
    parts.resum()
    parts.reseal()
    path = tmp_path / "inside" / "altered"
    path.parent.mkdir()
    data = strange_tar(parts)
    path.write_bytes(data)
    refused(path, "where|after its end|no plain file|no header", keys)
    assert [found.name for found in tmp_path.rglob("*") if found.is_file()] == ["altered"]


def strange_tar(parts: Parts) -> bytes:
    """GNU's form: it can say sizes that ustar can't."""
    blocks = b""
    for info, content in parts.files:
        if info.isreg():
            info.size = len(content)
        blocks += info.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % 512)
    return gzip.compress(blocks + bytes(1024), 1)


def test_a_file_that_says_it_is_huge_is_not_read(archive: Path, keys: Path, tmp_path: Path) -> None:
    parts = Parts(archive)
    place = parts.place(f"{ENTRIES}-000000.ndjson")
    info = strange(f"{ENTRIES}-000000.ndjson", size=1 << 40)
    head = b"".join(
        one.tobuf(tarfile.USTAR_FORMAT) + content + bytes(-len(content) % 512)
        for one, content in parts.files[:place]
    )
    path = tmp_path / "bomb"
    with gzip.open(path, "wb", 1) as packed:
        packed.write(head + info.tobuf(tarfile.GNU_FORMAT))
        for _ in range(10):
            packed.write(bytes(1 << 20))
    refused(path, "limit", keys)


def test_a_sealed_part_of_nothing_is_refused_at_its_first_line(
    archive: Path, keys: Path, tmp_path: Path
) -> None:
    parts = Parts(archive)
    parts.replace(f"{ENTRIES}-000000.ndjson", b"\n" * (50 << 20))
    parts.resum()
    parts.reseal()
    refused(parts.save(tmp_path / "bomb"), "row of entry 0", keys)


@pytest.mark.parametrize("tail", [b"x", bytes(1 << 20), b"\0" * 512 + b"x" * 512])
def test_nothing_follows_its_end(archive: Path, keys: Path, tmp_path: Path, tail: bytes) -> None:
    path = tmp_path / "altered"
    path.write_bytes(gzip.compress(gzip.decompress(archive.read_bytes()) + tail, 1))
    refused(path, "follows the end", keys)
    path.write_bytes(archive.read_bytes() + b"x" * 100)
    refused(path, "cut off or damaged", keys)


def test_something_between_files(archive: Path, keys: Path, tmp_path: Path) -> None:
    data = bytearray(gzip.decompress(archive.read_bytes()))
    data[512 + len(Parts(archive).content("README.txt")) + 3] = 1
    path = tmp_path / "altered"
    path.write_bytes(gzip.compress(bytes(data), 1))
    refused(path, "behind the end of README.txt", keys)


def test_an_archive_cut_anywhere(archive: Path, keys: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut"
    for data in truncations(archive.read_bytes()):
        path.write_bytes(data)
        refused(path, "cut off or damaged|its end", keys)
    whole = gzip.decompress(archive.read_bytes())
    for data in truncations(whole.rstrip(b"\0")):
        path.write_bytes(gzip.compress(data, 1))
        refused(path, "cut off or damaged", keys)


@pytest.mark.parametrize(
    "content",
    [b"", b"no archive", gzip.compress(b""), gzip.compress(bytes(10240))],
    ids=["nothing", "text", "nothing compressed", "zeros compressed"],  # its bytes have the time in them
)
def test_what_is_no_archive(keys: Path, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "none"
    path.write_bytes(content)
    refused(path, "cut off or damaged|its end where README.txt", keys)


def test_what_can_not_be_read(keys: Path, tmp_path: Path) -> None:
    refused(tmp_path, "can't be read", keys)
    refused(tmp_path / "nowhere", "can't be read", keys)


@pytest.fixture
def foreign(keys: Path) -> Iterator[Path]:
    keys.mkdir()
    path = keys / "platform.pem"
    path.write_bytes(b"another")
    yield path
    assert path.read_bytes() == b"another"


def test_no_other_key_is_ever_overwritten(archive: Path, foreign: Path) -> None:
    with pytest.raises(LineageError, match="other keys"):
        restore.read(archive, report=lambda done, total: None)
    assert list(foreign.parent.iterdir()) == [foreign]
    foreign.rename(foreign.parent / "aside")
    assert_nothing(foreign.parent / "none")
    (foreign.parent / "aside").rename(foreign)


def test_keys_of_which_some_are_there(archive: Path, keys: Path) -> None:
    """What a restore leaves that was killed between two of them."""
    keys.mkdir()
    (keys / "log.pem").write_bytes(Parts(archive).content("keys/log.pem"))
    assert restore.read(archive, report=lambda done, total: None).keys
    assert len(list(keys.iterdir())) == 4
