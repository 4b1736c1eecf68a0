"""One look at one copy: read it by a method, compare, and say what differs in words.

Owns: what is read and compared for each method, and what is learned of bytes that match. Does not own: which
copies are looked at (`reverify`), formats (`artifacts.formats`), what a look means (`graph.status_copies`).

"Could not check" is not "wrong": what is missing, unreadable or changes meanwhile is inconclusive.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial

from lineage.artifacts import content, formats
from lineage.artifacts.content import SHARD_BYTES, Content
from lineage.artifacts.formats import Description
from lineage.artifacts.hashing import FileDigest, Progress, dirhash
from lineage.artifacts.reading import shown
from lineage.artifacts.storage import Item, Storage
from lineage.errors import InconclusiveError, MalformedError, TooLargeError
from lineage.graph.check_policy import FULL, QUICK
from lineage.predicates.inventory import MAX_FINDINGS, Finding, Inventory, InventoryFile
from lineage.services import inventories
from lineage.services.copies import Copy

MAX_REASON = 2_000
MAX_DESCRIBED_BYTES = 64 << 30
"""Larger files are hashed and not looked into: each tensor would be read once more."""
MAX_DIFFERENCES = 20
MANY_TIMES = 4
"""How much larger than recorded a file may be, beside one shard, and still be read."""
QUICK_SHARDS = 2
"""Shards that a quick look reads, beside the size."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was found. `expected` and `observed` as in `check:v1`; `bytes` were read.

    `inventory`: what the bytes consist of, where they match and nothing was recorded yet. `explain`: from
    what was recorded to the same look with words for what differs; it reads some of the bytes again.
    """

    outcome: str
    method: str
    expected: str
    observed: str = ""
    reason: str = ""
    bytes: int = 0
    inventory: Inventory | None = None
    explain: Callable[[Inventory | None], Look] | None = field(default=None, compare=False)


@dataclass(slots=True)
class Looker:
    """Looks at copies in one storage; threads may share it.

    `sizes`: bytes of the artifacts that have an inventory; `recorded`: the inventories of those of which only
    parts are to be read.
    """

    storage: Storage
    sizes: Mapping[str, int]
    recorded: Mapping[str, Inventory | None]
    workers: int = 1
    progress: Progress | None = None
    chance: random.Random = field(default_factory=random.SystemRandom)

    def look(self, copy: Copy) -> Look:
        """Raises: GoneError where the storage can't be reached any more."""
        scheme = copy.key.partition(":")[0]
        look = self._folder if scheme == "dirHash" else self._file
        return look(copy)

    # Files

    def _file(self, copy: Copy) -> Look:
        item = self.storage.item(copy.location)
        size = self.sizes.get(copy.key)
        if size is not None and item.size is not None and item.size > MANY_TIMES * size + SHARD_BYTES:
            return _too_long(size, item.size)
        recorded = self.recorded.get(copy.key)
        known = _only(recorded)
        if copy.method != FULL and known is not None and known.shards and known.size == item.size:
            return self._shards(copy, item, known)
        return self._whole(copy, item)

    def _whole(self, copy: Copy, item: Item) -> Look:
        scheme = copy.key.partition(":")[0]
        with closing(self.storage.open(item)) as source:
            found = content.read(source, scheme, self.progress)
        observed, notes = f"{scheme}:{found.digest}", " ".join(found.notes)[:MAX_REASON]
        if observed != copy.key:
            look = Look("mismatch", scheme, copy.key, observed, notes, found.size)
            return replace(look, explain=partial(self._explained, look, copy, item, found))
        learned = None
        if copy.key not in self.sizes:
            learned = _single(self._described(item, copy.location), found)
        return Look("match", scheme, copy.key, observed, notes, found.size, learned)

    def _explained(
        self, look: Look, copy: Copy, item: Item, found: Content, recorded: Inventory | None
    ) -> Look:
        known = _only(recorded)
        if known is None:
            words = [f"The bytes differ. What they were was never recorded; it has {found.size:,} bytes."]
        else:
            words = _size_words(known.size, found.size)
            if known.size == found.size:
                words += _shard_words(known, dict(enumerate(found.shards)))
            words += self._differences(item, copy.location, known)
        reason = " ".join([*(words or ["The bytes differ."]), look.reason]).strip()
        return replace(look, reason=reason[:MAX_REASON], explain=None)

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
        words = _shard_words(known, found) + self._differences(item, copy.location, known)
        reason = " ".join(words) or "The bytes differ."
        return Look("mismatch", method, expected, observed, reason[:MAX_REASON], read)

    def _described(self, item: Item, location: str) -> Description | str | None:
        """What is in the file: by its format, why that can't be told, or None where it is just a file."""
        name = shown(item.path) or location.rpartition("/")[2]
        with closing(self.storage.open(item)) as source:
            form = formats.recognise(formats.head_of(source), name)
            if form is None:
                return None
            if source.size > MAX_DESCRIBED_BYTES:
                return f"It is larger than {MAX_DESCRIBED_BYTES:,} bytes, and was not looked into."
            try:
                return form.describe(source, name, self.progress)
            except (MalformedError, TooLargeError) as error:
                return f"It is no {form.title} that can be read: {error.message}"

    def _differences(self, item: Item, location: str, known: InventoryFile) -> list[str]:
        """Tensors, metadata and other parts that are not what they were."""
        if known.description is None:
            return []
        now = self._described(item, location)
        if not isinstance(now, Description):
            was = known.description.get("format")
            return [now or f"It is no {was} file any more."]
        recorded = formats.from_values(known.description)
        return [_sentence(words) for words in formats.differences(recorded, now)[:MAX_DIFFERENCES]]

    # Folders

    def _folder(self, copy: Copy) -> Look:
        found: list[tuple[Item, Content]] = []
        for item in self.storage.items(copy.location):
            with closing(self.storage.open(item)) as source:
                found.append((item, content.read(source, "sha256", self.progress)))
        digest = dirhash(FileDigest(item.path, each.digest, each.size) for item, each in found)
        observed, size = f"dirHash:{digest}", sum(each.size for _, each in found)
        if observed != copy.key:
            look = Look("mismatch", "dirHash", copy.key, observed, "", size)
            return replace(look, explain=partial(self._folder_explained, look, copy, found))
        learned = None if copy.key in self.sizes else self._folder_inventory(copy, found)
        return Look("match", "dirHash", copy.key, observed, "", size, learned)

    def _folder_explained(
        self, look: Look, copy: Copy, found: Sequence[tuple[Item, Content]], recorded: Inventory | None
    ) -> Look:
        words = " ".join(self._folder_words(copy, recorded, found))
        return replace(look, reason=words[:MAX_REASON], explain=None)

    def _folder_inventory(self, copy: Copy, found: Sequence[tuple[Item, Content]]) -> Inventory:
        files, unsafe = [], []
        for item, each in found:
            file, findings = _described_file(shown(item.path), each, self._described(item, copy.location))
            files.append(file)
            unsafe += findings
        return _inventory(files, unsafe)

    def _folder_words(
        self, copy: Copy, recorded: Inventory | None, found: Sequence[tuple[Item, Content]]
    ) -> list[str]:
        if recorded is None or not recorded.files:
            return [f"The folder differs. What was in it was never recorded; it has {len(found):,} files."]
        known = {file.path: file for file in recorded.files}
        there = {shown(item.path): (item, each) for item, each in found}
        words = []
        for path in sorted(known.keys() | there.keys()):
            if path not in there:
                words.append(f"{path} is missing.")
            elif path not in known:
                words.append(f"{path} was added.")
            elif known[path].sha256 != there[path][1].digest:
                item, each = there[path]
                inside = self._differences(item, copy.location, known[path])
                told = f"{path} differs: expected SHA-256 {known[path].sha256}, found {each.digest}."
                words.append(" ".join([told, *inside]))
        more = len(words) - MAX_DIFFERENCES
        return words[:MAX_DIFFERENCES] + ([f"And {more:,} more files."] if more > 0 else [])


def _single(described: Description | str | None, found: Content) -> Inventory:
    file, unsafe = _described_file("", found, described)
    return _inventory([file], unsafe)


def _described_file(
    path: str, found: Content, described: Description | str | None
) -> tuple[InventoryFile, list[Finding]]:
    description = described if isinstance(described, Description) else None
    file = InventoryFile(
        path=path,
        size=found.size,
        sha256=found.digest if len(found.digest) == 64 else "",
        blake3=found.blake3,
        shards=found.shards,
        description=formats.to_values(description) if description else None,
        problem=described if isinstance(described, str) else "",
    )
    return file, [Finding(path, words) for words in (description.unsafe if description else ())]


def _inventory(files: Sequence[InventoryFile], unsafe: Sequence[Finding]) -> Inventory:
    return Inventory(
        size=sum(file.size for file in files),
        files=tuple(files),
        unsafe=tuple(unsafe[:MAX_FINDINGS]),
        shard_bytes=SHARD_BYTES,
        tools=inventories.tools(),
    )


def _only(recorded: Inventory | None) -> InventoryFile | None:
    """The one file of an inventory of a single file."""
    return recorded.files[0] if recorded and len(recorded.files) == 1 else None


def _too_long(was: int, now: int) -> Look:
    """Told by its size alone, so that nobody reads a terabyte of zeros to find out."""
    words = " ".join(_size_words(was, now))
    return Look("mismatch", "size", f"size:{was}", f"size:{now}", f"{words} It was not read.")


def _size_words(was: int, now: int) -> list[str]:
    if was == now:
        return []
    change = "shorter" if now < was else "longer"
    return [f"It is {abs(now - was):,} bytes {change}: expected {was:,} bytes, found {now:,}."]


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


def inconclusive(copy: Copy, error: InconclusiveError | TooLargeError | MalformedError) -> Look:
    """A look that could not be carried out."""
    return Look("inconclusive", copy.key.partition(":")[0], copy.key, "", error.message[:MAX_REASON])
