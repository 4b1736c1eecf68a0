"""Pickles, and what holds pickles: PyTorch's, joblib's and NumPy's files, and archives of them.

Owns: finding every pickle in a file, whatever it is packed in. Does not own: judging one (`pickle_scan`),
opening archives (`archives`). Nothing is ever unpickled.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from lineage.artifacts.formats.archives import (
    Budget,
    Member,
    TwoDirectoriesError,
    budget_for,
    decompressed,
    is_compressed,
    is_tar,
    is_tar_of_pytorch,
    is_zip,
    refuse_unopened,
    tar_members,
    zip_members,
)
from lineage.artifacts.formats.base import (
    HEAD_BYTES,
    Description,
    Format,
    Part,
    UnopenedError,
    has_suffix,
    label,
)
from lineage.artifacts.formats.pickle_scan import Candidate, Judged, judge
from lineage.artifacts.formats.pickle_signs import runs
from lineage.artifacts.formats.pickle_walk import Walked, walk
from lineage.artifacts.formats.regions import sha256_of
from lineage.artifacts.formats.streams import Stream, of_source
from lineage.artifacts.hashing import Progress
from lineage.artifacts.reading import ByteSource, MemoryBytes
from lineage.errors import MalformedError, TooLargeError

MAX_PICKLES = 10_000
MAX_NESTING = 3
MAX_EXAMINED_BYTES = 64 << 20
MAX_NESTED_ZIP_BYTES = 64 << 20
MAX_SENTENCES = 20
MAX_NUMPY_HEADER_BYTES = 1 << 16
"""A longer one is passed over, and what is behind it is looked into whatever it says."""

_ALWAYS = (".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".joblib", ".npy", ".npz", ".ptl", ".nemo", ".mar")
_IF_IT_LOOKS_SO = (".bin", ".dat", ".data", ".model", ".sav", ".zip", ".7z", ".tar", ".tar.gz", ".tgz")
ENDINGS = (*_ALWAYS, *_IF_IT_LOOKS_SO)
"""Endings of names that have a say in whether a file is one."""
_NUMPY = b"\x93NUMPY"
_PLAIN_HEADER = re.compile(
    rb"\{'descr': (?P<descr>[ -\[\]-~]+), 'fortran_order': (?:True|False), 'shape': \([0-9L, ]*\),? ?\} *\n?"
)
"""No backslash is in it, and nothing that is no ASCII."""
_OF_PYTORCH = b"data.pkl"
"""A file that PyTorch's archives begin with."""
_HEAD = 512


@dataclass(slots=True)
class _Found:
    """What was found in a file so far. `failed`: why files of an archive could not be read.

    `unsafe`: what is so whatever the examiners say of the pickles.
    """

    candidates: list[Candidate] = field(default_factory=list)
    members: list[Part] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    failed: list[MalformedError | UnopenedError] = field(default_factory=list)
    unsafe: list[str] = field(default_factory=list)
    bytes: int = 0

    def fails(self, error: MalformedError | UnopenedError) -> None:
        self.failed.append(error)
        if isinstance(error, TwoDirectoriesError) and b".pkl" in error.other:
            self.unsafe.append(f"an archive can't be told: {error.message}")

    def add(self, walked: Walked, where: str) -> None:
        self.candidates.append(
            Candidate(where, walked.condensed, walked.instructions, walked.remembered, walked.imports)
        )
        self.bytes += len(walked.condensed)
        if len(self.candidates) > MAX_PICKLES:
            raise TooLargeError(f"It holds more than {MAX_PICKLES:,} pickles.", limit=MAX_PICKLES)
        if self.bytes > MAX_EXAMINED_BYTES:
            raise TooLargeError("Its pickles are too long to be examined.", limit=MAX_EXAMINED_BYTES)


def describe(source: ByteSource, name: str, progress: Progress | None = None) -> Description:
    """What a file of the pickle family holds: a part for each member of an archive, and for each name that
    its pickles import. Raises: see `Format`; MalformedError where no pickle is in what should be one;
    what is wrong with a part of it only where nothing unsafe is in the others."""
    found = _Found()
    try:
        container = _opened(source, name, found)
    except MalformedError as error:
        found.fails(error)
        if not found.candidates and not found.unsafe:
            raise
        container = "broken"  # loading it runs what comes before
    if container != "pickle" and runs(of_source(source)):
        # The name of the first file in a tar may be a pickle that is run by whoever does not ask for a tar.
        _pickles(of_source(source), found, label(name), False)
    source.finish()
    if progress is not None:
        progress(source.size)
    judged = judge(found.candidates)
    if found.failed and not found.unsafe and not any(one.unsafe for one in judged):
        raise found.failed[0]
    return _described(container, found, judged)


def _opened(source: ByteSource, name: str, found: _Found) -> str:
    """Look into the whole file; what kind it is."""
    budget = budget_for(source.size)
    if is_zip(source.read_at(0, min(_HEAD, source.size))):
        _members(zip_members(source, budget), budget, found, 0, "")
        return "zip"
    return _open(of_source(source), budget, found, 0, label(name), True)


def _described(container: str, found: _Found, judged: list[Judged]) -> Description:
    names = sorted({label(name) for one in judged for name in one.globals})
    parts = [*found.members, *(Part("import", name, sha256_of(name.encode())) for name in names)]
    facts = {"container": container, "pickles": str(len(judged))}
    if names:
        facts["imports"] = ", ".join(names[:20]) + (" and more" if len(names) > 20 else "")
    if alone := [one.where for one in judged if not one.fickling]:
        facts["fickling"] = f"can't judge {', '.join(alone[:3])}: picklescan alone did"
    if found.unread:
        facts["not looked into"] = ", ".join(found.unread[:10])
    unsafe = list(dict.fromkeys([*(why for one in judged for why in one.unsafe), *found.unsafe]))
    if len(unsafe) > MAX_SENTENCES:
        unsafe = [*unsafe[:MAX_SENTENCES], f"and {len(unsafe) - MAX_SENTENCES:,} more"]
    return Description("pickle", {}, tuple(parts), facts, tuple(unsafe))


def _open(stream: Stream, budget: Budget, found: _Found, depth: int, where: str, must: bool) -> str:
    """Look into one stream of any kind; what kind it was. `must` where it has to hold a pickle."""
    if depth > MAX_NESTING:
        raise TooLargeError(f"Archives are nested deeper than {MAX_NESTING}.", limit=MAX_NESTING)
    head = stream.peek(_HEAD)
    refuse_unopened(head)
    if (inner := decompressed(head, stream, budget)) is not None:
        return f"compressed {_open(inner, budget, found, depth + 1, where, must)}"
    if is_tar(head):
        _members(tar_members(stream, budget), budget, found, depth, f"{where}/" if depth else "")
        return "tar"
    if is_zip(head):
        size = len(stream.peek(MAX_NESTED_ZIP_BYTES + 1))
        if size > MAX_NESTED_ZIP_BYTES:
            raise TooLargeError("A zip inside another archive is too large.", limit=MAX_NESTED_ZIP_BYTES)
        _members(zip_members(MemoryBytes(stream.take(size)), budget), budget, found, depth + 1, f"{where}/")
        return "zip"
    if head.startswith(_NUMPY):
        _numpy(stream, found, where)
        return "npy"
    _pickles(stream, found, where, must)
    return "pickle"


def _members(members: Iterator[Member], budget: Budget, found: _Found, depth: int, prefix: str) -> None:
    seen: dict[str, int] = {}
    for member in members:
        where = prefix + label(member.name)
        before = len(found.candidates)
        try:
            _member(member, budget, found, depth, where)
        except (MalformedError, UnopenedError) as error:
            found.fails(_failure(error, where, member.encrypted))
            found.unread.append(f"{where} (encrypted)" if member.encrypted else where)
            continue
        if member.encrypted and len(found.candidates) == before:
            found.unread.append(f"{where} (encrypted)")
        seen[where] = seen.get(where, 0) + 1
        name = where if seen[where] == 1 else f"{where} ({seen[where]})"
        size = f"size {member.stream.position}"
        found.members.append(Part("file", name, member.stream.digest.hexdigest(), size))


def _failure(
    error: MalformedError | UnopenedError, where: str, encrypted: bool
) -> MalformedError | UnopenedError:
    if encrypted:
        return UnopenedError(f"{where} is encrypted.")
    return UnopenedError(f"{where}: {error.message}") if isinstance(error, UnopenedError) else error


def _member(member: Member, budget: Budget, found: _Found, depth: int, where: str) -> None:
    """Look into one file of an archive, and read it to its end."""
    if member.link:
        found.unsafe.append(f"{where} is a link, so what loading it runs can't be told")
    head = member.stream.peek(_HEAD)
    named = member.of_pytorch or has_suffix(member.name, (*_ALWAYS, ".bin"))
    if is_zip(head) or is_tar(head) or head.startswith(_NUMPY) or (named and is_compressed(head)):
        _open(member.stream, budget, found, depth + 1, where, False)
    elif named or _has_protocol(head):
        before = len(found.candidates)
        whole = _pickles(member.stream, found, where, False)
        if member.of_pytorch and len(found.candidates) > before and not whole:
            # PyTorch passes over what is no pickle, and loads more of them behind it.
            found.unsafe.append(f"{where} holds more than pickles, so what loading it runs can't be told")
    member.stream.to_end()


def _has_protocol(head: bytes) -> bool:
    """Whether the bytes start as pickles of protocol 2 and later do."""
    return head[:1] == b"\x80" and head[1:2] <= b"\x05"


def _numpy(stream: Stream, found: _Found, where: str) -> None:
    """An array of objects is a pickle behind the header; another array's numbers are hardly ever one.

    NumPy reads the header as Python's literals, in which a letter may be written in other ways. So numbers
    are taken for numbers only where the header is written as NumPy writes it.
    """
    head = stream.take(8)
    length = int.from_bytes(stream.take(2 if head[6] == 1 else 4), "little")
    header = b""
    if length > MAX_NUMPY_HEADER_BYTES:
        stream.skip(length)
    else:
        header = stream.take(length)
    plain = _PLAIN_HEADER.fullmatch(header)
    if plain is None or b"o" in plain["descr"].lower():
        _pickles(stream, found, where, False)


def _pickles(stream: Stream, found: _Found, where: str, must: bool) -> bool:
    """All pickles that follow each other; whether nothing else is there.

    One that breaks off counts if it imports something before.
    """
    number = 0
    while stream.peek(1):
        walked = walk(stream)
        if walked.why and not walked.imports:
            if must and number == 0:
                raise MalformedError(f"It is no whole pickle: {walked.why}.")
            return False
        number += 1
        found.add(walked, where if number == 1 else f"{where} (pickle {number})")
        if walked.why:
            found.unsafe.append(f"{where} breaks off after an import, so what loading it runs can't be told")
            return False
    if must and number == 0:
        raise MalformedError("It is empty.")
    return True


def _recognises(head: bytes, name: str) -> bool:
    if _starts_as_one(head) or has_suffix(name, _ALWAYS):
        return True
    if not has_suffix(name, _IF_IT_LOOKS_SO):
        return False
    return head.startswith((b"\x1f\x8b", b"7z\xbc\xaf")) or _is_pickle(
        head, broken=has_suffix(name, (".bin",))
    )


def _starts_as_one(head: bytes) -> bool:
    """Whether the bytes alone tell a pickle, or what loaders of pickles open, whatever the file is called."""
    if is_zip(head) or is_tar(head) or head.startswith(_NUMPY):
        return True
    # One that breaks off may have run something by then.
    return _has_protocol(head) and _is_pickle(head, broken=True)


def runs_in(source: ByteSource, head: bytes) -> bool:
    """Whether the file, of which `head` is the start, runs something as a pickle, whatever else it is.

    More than the start is read only where that could be one of a pickle. Raises: InconclusiveError.
    """
    found = runs(of_source(MemoryBytes(head)))
    return bool(runs(of_source(source)) if found is None and source.size > len(head) else found)


@dataclass(frozen=True, slots=True)
class Packed:
    """What is compressed in a file: a pickle, or what pickles are packed in? `says_so`: as below."""

    is_one: bool
    says_so: bool


def packed_in(source: ByteSource, head: bytes) -> Packed:
    """What is compressed in the file of which `head` is the start, if anything. Raises: InconclusiveError."""
    stream, depth = of_source(source), 0
    budget = budget_for(source.size)
    try:
        while is_compressed(head) and depth < MAX_NESTING:
            stream, depth = decompressed(head, stream, budget) or stream, depth + 1
            head = stream.peek(HEAD_BYTES)
        if not depth:
            return Packed(False, False)
        loads = bool(runs(stream))
        return Packed(loads or _starts_as_one(head), loads or says_so(head, ""))
    except (MalformedError, TooLargeError):
        return Packed(False, False)


def says_so(head: bytes, name: str) -> bool:
    """Whether a file says itself that it is a pickle, by its name or its first bytes: not just by chance."""
    return has_suffix(name, _ALWAYS) or _has_protocol(head) or _is_of_pytorch(head)


def _is_of_pytorch(head: bytes) -> bool:
    return (is_zip(head) and _OF_PYTORCH in head) or is_tar_of_pytorch(head)


def _is_pickle(head: bytes, broken: bool = False) -> bool:
    """Whether the head is a pickle or the start of one; with `broken` also one that breaks off after it
    imported something. Text that happens to begin with an instruction is neither."""
    walked = walk(of_source(MemoryBytes(head)))
    whole = not walked.why or (walked.cut and len(head) >= HEAD_BYTES)
    return whole or (broken and walked.imports)


PICKLE = Format("pickle", "pickle (PyTorch, joblib, NumPy), or an archive", _ALWAYS, _recognises, describe)
