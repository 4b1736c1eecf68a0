"""One look at one copy: read it by a method, compare, and say what differs in words.

Owns: what is read and compared for each method, and whether bytes that match are looked into. Does not own:
which copies are looked at (`reverify`), what is learned of them (`check_learned`), formats
(`artifacts.formats`), what a look means (`graph.status_copies`).

"Could not check" is not "wrong": what is missing, unreadable or changes meanwhile is inconclusive.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any
from urllib.parse import unquote_to_bytes

from lineage.artifacts import content, formats
from lineage.artifacts.content import Content
from lineage.artifacts.formats import Description, Format, UnopenedError
from lineage.artifacts.hashing import FileDigest, Progress, dirhash
from lineage.artifacts.reading import Again, ByteSource, shown
from lineage.artifacts.storage import GoneError, Item, Storage
from lineage.errors import InconclusiveError, MalformedError, TooLargeError
from lineage.graph.check_policy import FULL, QUICK
from lineage.predicates.inventory import Inventory, InventoryFile
from lineage.services import check_learned
from lineage.services.check_learned import Seen
from lineage.services.copies import Copy

UNREAD_PICKLE = "It can't be read to its end as a pickle, so what loading it would run can't be told."
MAX_REASON_BYTES = 2_000
"""UTF-8. A statement of 1,000 rows has to fit in an envelope, whatever is wrong with all of them."""
MAX_DESCRIBED_BYTES = 64 << 30
"""Larger files are hashed and not looked into: each tensor would be read once more. It is said of each."""
UNEXAMINED_PICKLE = "What loading it would run was not looked for, so it may be anything."
MAX_DIFFERENCES = 20
MANY_TIMES = 4
"""How much larger than recorded a file may be, beside one shard, and still be read."""
QUICK_SHARDS = 2
"""Shards that a quick look reads, beside the size."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was found. `expected` and `observed` as in `check:v1`; `bytes` were read.

    `inventory`: what the bytes consist of, where they match and were not looked into under such a name yet.
    `explain`: from what was recorded to the same look with words for what differs; it reads some of the bytes
    again.
    """

    outcome: str
    method: str
    expected: str
    observed: str = ""
    reason: str = ""
    bytes: int = 0
    inventory: Inventory | None = None
    explain: Callable[[Inventory | None], Look] | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class _File:
    """A file of a folder. `seen`: what is in it, where that is not known yet."""

    item: Item
    content: Content
    seen: Seen | None = None


@dataclass(slots=True)
class Looker:
    """Looks at copies in one storage; threads may share it.

    `sizes`: bytes of the artifacts that have an inventory; `recorded`: the inventories of those of which only
    parts are to be read; `unsettled`: as `inventories.unsettled`. `sized` is told how many bytes are to be
    read of the copy, before they are.
    """

    storage: Storage
    sizes: Mapping[str, int]
    recorded: Mapping[str, Inventory | None]
    unsettled: Mapping[str, Collection[str]] = field(default_factory=dict)
    workers: int = 1
    progress: Progress | None = None
    sized: Callable[[int], None] | None = None
    chance: random.Random = field(default_factory=random.SystemRandom)

    def look(self, copy: Copy) -> Look:
        """Raises: GoneError where the storage can't be reached any more."""
        scheme = copy.key.partition(":")[0]
        look = self._folder if scheme == "dirHash" else self._file
        return look(copy)

    def _is_new(self, copy: Copy) -> bool:
        """Whether its bytes were not looked into yet, under any name that tells the same as this one."""
        known = self.unsettled.get(copy.key)
        return copy.key not in self.sizes or (known is not None and _ending(copy.location) not in known)

    # Files

    def _file(self, copy: Copy) -> Look:
        item = self.storage.item(copy.location)
        size = self.sizes.get(copy.key)
        if size is not None and item.size is not None and _far_over(item.size, size):
            return _too_long(size, item.size)
        known = _in_shards(self.recorded.get(copy.key))
        if self.sized is not None and item.size is not None:
            self.sized(item.size)
        in_parts = copy.method != FULL and not self._is_new(copy)
        if in_parts and known is not None and known.size == item.size:
            return self._shards(copy, item, known)
        return self._whole(copy, item)

    def _whole(self, copy: Copy, item: Item) -> Look:
        scheme = copy.key.partition(":")[0]
        learned, is_new = None, self._is_new(copy)
        with closing(self.storage.open(item)) as source:
            # What is inside was recorded: its BLAKE3 would cost a third of the speed, and nobody asks for it.
            found = content.read(source, scheme, self.progress, inside=is_new)
            observed, notes = f"{scheme}:{found.digest}", " ".join(found.notes)
            if observed == copy.key and is_new:
                seen = self._inside(source, item, _name(item, copy.location))
                learned = check_learned.single(scheme, found, seen, _ending(copy.location))
        if observed != copy.key:
            look = Look("mismatch", scheme, copy.key, observed, _fitted(notes), found.size)
            return replace(look, explain=partial(self._explained, look, copy, item, found))
        notes = " ".join(words for words in (notes, check_learned.unseen(learned)) if words)
        return Look("match", scheme, copy.key, observed, _fitted(notes), found.size, learned)

    def _explained(
        self, look: Look, copy: Copy, item: Item, found: Content, recorded: Inventory | None
    ) -> Look:
        known = _only(recorded)
        if known is None:
            words = [f"The bytes differ. What they were was never recorded; it has {found.size:,} bytes."]
        else:
            words = _size_words(known.size, found.size)
            if known.size == found.size:
                words += _shard_words(known, self._shards_of(item, known, found))
            words += self._differences(item, copy.location, known)
        reason = " ".join([*(words or ["The bytes differ."]), look.reason]).strip()
        return replace(look, reason=_fitted(reason), explain=None)

    def _shards_of(self, item: Item, known: InventoryFile, found: Content) -> dict[int, str]:
        """Those of the file as it is, where the recorded one has several; read once more if need be."""
        count = len(known.shards)
        if found.shards or count < 2 or count != content.shard_count(known.size):
            return dict(enumerate(found.shards))
        opened = partial(self.storage.open, item)
        return content.read_shards(opened, known.size, range(count), self.workers, self.progress)

    def _shards(self, copy: Copy, item: Item, known: InventoryFile) -> Look:
        """Some shards, or all of them, against what they were when the digest itself matched."""
        every = range(len(known.shards))
        some = copy.method == QUICK and len(known.shards) > QUICK_SHARDS
        wanted = sorted(self.chance.sample(every, QUICK_SHARDS)) if some else list(every)
        opened = partial(self.storage.open, item)
        found = content.read_shards(opened, known.size, wanted, self.workers, self.progress)
        method = "shards" if some else "blake3"
        prefix = "shards:" if some else "blake3:shards:"
        expected = prefix + content.shard_list(known.shards[number] for number in wanted)
        observed = prefix + content.shard_list(found[number] for number in wanted)
        read = sum(end - start for start, end in (content.shard_range(n, known.size) for n in wanted))
        if expected == observed:
            names = f"shards {_numbers(wanted)} of {len(known.shards)}" if some else ""
            return Look("match", method, expected, observed, names, read)
        words = " ".join(_shard_words(known, found)) or "The bytes differ."
        look = Look("mismatch", method, expected, observed, words, read)
        return replace(look, explain=partial(self._shards_explained, look, copy, item))

    def _shards_explained(self, look: Look, copy: Copy, item: Item, recorded: Inventory | None) -> Look:
        known = _only(recorded)
        inside = self._differences(item, copy.location, known) if known else []
        return replace(look, reason=_fitted(" ".join([look.reason, *inside])), explain=None)

    def _inside(self, source: ByteSource, item: Item, name: str) -> Seen:
        """What is in the file that was just read.

        The same opening is read, so that what is described are the bytes that were hashed: whoever exchanges
        the file meanwhile can't have a harmless one described in place of the one that matched. Where a
        server does not tell one version from another, its file is opened once more.
        """
        try:
            found = self._described(Again(source), name)
        except GoneError:
            raise
        except InconclusiveError:
            with closing(self.storage.open(item)) as again:
                found = self._described(again, name)
        source.finish()
        return found

    def _described(self, source: ByteSource, name: str) -> Seen:
        kind = formats.recognised(source, name)
        if kind is None:
            return Seen(None)
        form = kind.form
        if source.size > MAX_DESCRIBED_BYTES:
            words = f"It is larger than {MAX_DESCRIBED_BYTES:,} bytes, so what is in it was not looked at."
            return Seen(_unread(form, f"{UNEXAMINED_PICKLE} {words}") if kind.loads else words)
        try:
            return Seen(form.describe(source, name, self.progress), kind.by_bytes)
        except (MalformedError, TooLargeError, UnopenedError) as error:
            if kind.loads:  # loading runs what comes before the place where it breaks off
                return Seen(_unread(form, f"{UNREAD_PICKLE} {error.message}"))
            if isinstance(error, UnopenedError):
                return Seen(f"What is in it was not looked at: {error.message}")
            return Seen(f"It is no {form.title} that can be read: {error.message}")

    def _differences(self, item: Item, location: str, known: InventoryFile) -> list[str]:
        """Tensors, metadata and other parts that are not what they were."""
        if known.description is None:
            return []
        try:
            return self._parts(item, location, known.description)
        except GoneError:
            raise
        except (InconclusiveError, MalformedError, TooLargeError) as error:
            return [f"What differs inside can't be told: {error.message}"]

    def _parts(self, item: Item, location: str, known: Mapping[str, Any]) -> list[str]:
        with closing(self.storage.open(item)) as source:
            now = self._described(source, _name(item, location)).described
        if not isinstance(now, Description):
            return [now or f"It is no {known.get('format')} file any more."]
        recorded = formats.from_values(known)
        return [_sentence(words) for words in formats.differences(recorded, now)[:MAX_DIFFERENCES]]

    # Folders

    def _folder(self, copy: Copy) -> Look:
        items = self.storage.items(copy.location)
        known, there = self.sizes.get(copy.key), sum(item.size or 0 for item in items)
        is_new = self._is_new(copy)
        if known is not None and _far_over(there, known):
            return _too_long(known, there)
        if self.sized is not None:
            self.sized(there)
        found: list[_File] = []
        for item in items:
            with closing(self.storage.open(item)) as source:
                each = content.read(source, "sha256", self.progress, inside=is_new)
                name = _name(item, copy.location)
                found.append(_File(item, each, self._inside(source, item, name) if is_new else None))
        digest = dirhash(FileDigest(file.item.path, file.content.digest, file.content.size) for file in found)
        observed, size = f"dirHash:{digest}", sum(file.content.size for file in found)
        if observed != copy.key:
            self._still(copy, items)
            look = Look("mismatch", "dirHash", copy.key, observed, "", size)
            return replace(look, explain=partial(self._folder_explained, look, copy, found))
        learned = None
        if is_new:
            seen = ((shown(file.item.path), file.content, file.seen) for file in found)
            learned = check_learned.folder(seen)
        return Look(
            "match", "dirHash", copy.key, observed, _fitted(check_learned.unseen(learned)), size, learned
        )

    def _still(self, copy: Copy, items: Sequence[Item]) -> None:
        """Raises: InconclusiveError where files came, went or grew meanwhile: somebody is copying them."""
        now = self.storage.items(copy.location)
        if [(item.path, item.size) for item in now] != [(item.path, item.size) for item in items]:
            raise InconclusiveError(f"{copy.location} changed while it was read.")

    def _folder_explained(
        self, look: Look, copy: Copy, found: Sequence[_File], recorded: Inventory | None
    ) -> Look:
        words = " ".join(self._folder_words(copy, recorded, found))
        return replace(look, reason=_fitted(words), explain=None)

    def _folder_words(self, copy: Copy, recorded: Inventory | None, found: Sequence[_File]) -> list[str]:
        if recorded is None or not recorded.files:
            return [f"The folder differs. What was in it was never recorded; it has {len(found):,} files."]
        known = {file.path: file for file in recorded.files}
        there = {shown(file.item.path): file for file in found}
        words = []
        for path in sorted(known.keys() | there.keys()):
            if path not in there:
                words.append(f"{path} is missing.")
            elif path not in known:
                words.append(f"{path} was added.")
            elif known[path].sha256 != there[path].content.digest:
                file = there[path]
                told_all = len(words) >= MAX_DIFFERENCES
                inside = [] if told_all else self._differences(file.item, copy.location, known[path])
                told = f"{path} differs: expected SHA-256 {known[path].sha256}, found {file.content.digest}."
                words.append(" ".join([told, *inside]))
        more = len(words) - MAX_DIFFERENCES
        return words[:MAX_DIFFERENCES] + ([f"And {more:,} more files."] if more > 0 else [])


def _unread(form: Format, why: str) -> Description:
    """A file that says it is a pickle, and could not be read to its end: it may run anything."""
    return Description(form.name, {}, (), {}, (why,))


def _only(recorded: Inventory | None) -> InventoryFile | None:
    """The one file of an inventory of a single file."""
    return recorded.files[0] if recorded and len(recorded.files) == 1 else None


def _in_shards(recorded: Inventory | None) -> InventoryFile | None:
    """The one file, where its shards were recorded as they are read now: else the whole is read."""
    file = _only(recorded)
    if recorded is None or file is None or recorded.shard_bytes != content.SHARD_BYTES:
        return None
    return file if len(file.shards) == content.shard_count(file.size) else None


def _name(item: Item, location: str) -> str:
    """What the file is called, by which some formats are recognised; decoded, so that %2E hides none."""
    return shown(item.path) if item.path else _last(location)


def _last(location: str) -> str:
    return shown(unquote_to_bytes(location.rstrip("/").rpartition("/")[2]))


def _ending(location: str) -> str:
    return formats.ending(_last(location))


def _far_over(now: int, was: int) -> bool:
    return now > MANY_TIMES * was + content.SHARD_BYTES


def _too_long(was: int, now: int) -> Look:
    """Told by its size alone, so that nobody reads a terabyte of zeros to find out."""
    words = " ".join(_size_words(was, now))
    return Look("mismatch", "size", f"size:{was}", f"size:{now}", f"{words} It was not read.")


def _size_words(was: int, now: int) -> list[str]:
    if was == now:
        return []
    change = "shorter" if now < was else "longer"
    by = abs(now - was)
    return [f"It is {by:,} byte{'s' * (by != 1)} {change}: expected {was:,} bytes, found {now:,}."]


def _shard_words(known: InventoryFile, found: dict[int, str]) -> list[str]:
    """Where the bytes differ, by shard; nothing where a file has only one."""
    bad = [
        number for number, digest in sorted(found.items()) if known.shards[number : number + 1] != (digest,)
    ]
    if len(known.shards) < 2 or not bad:
        return []
    ranges = [content.shard_range(number, known.size) for number in bad[:MAX_DIFFERENCES]]
    places = ", ".join(f"{start:,} to {end - 1:,}" for start, end in ranges)
    return [f"Shard {_numbers(bad)} of {len(known.shards)} differs: bytes {places}."]


def _numbers(shards: Sequence[int]) -> str:
    shown_ones = ", ".join(str(number + 1) for number in shards[:MAX_DIFFERENCES])
    return shown_ones if len(shards) <= MAX_DIFFERENCES else f"{shown_ones} and more"


def _sentence(words: str) -> str:
    text = words[:1].upper() + words[1:]
    return text if text.endswith(".") else f"{text}."


def _fitted(words: str) -> str:
    """Words with nothing in them that a terminal would obey, and not too long."""
    printable = "".join(
        char if char.isprintable() else f"\\u{ord(char):04x}" for char in words[:MAX_REASON_BYTES]
    )
    return printable.encode("utf-8", "backslashreplace")[:MAX_REASON_BYTES].decode(errors="ignore")


def inconclusive(copy: Copy, error: InconclusiveError | TooLargeError | MalformedError) -> Look:
    """A look that could not be carried out."""
    return Look("inconclusive", copy.key.partition(":")[0], copy.key, "", _fitted(error.message))
