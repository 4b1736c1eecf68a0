"""What differs between a file as it was recorded and as it is found, in sentences that can be repeated.

Owns: the words. Does not own: whether the bytes match (their digests say so).
"""

from __future__ import annotations

from collections.abc import Iterable

from lineage.artifacts.formats.base import Description, Part, label

MAX_SENTENCES = 20
REST = "rest"
"""The digest of all bytes of a file that belong to none of its parts, in order."""
_SHOWN_HEX = 16
_KINDS = {
    "metadata": "metadata key",
    "row-group": "row group",
    "schema": "schema",
}
"""What people call a kind, where that is not its name."""


def differences(recorded: Description, found: Description) -> tuple[str, ...]:
    """A sentence for each difference; after MAX_SENTENCES of them, how many more there are.

    Digests are only spoken of where no part explains them.
    """
    if recorded.format != found.format:
        return (f"the format was {recorded.format}, is {found.format}",)
    sentences = [*_parts(recorded, found)] or [*_digests(recorded, found)]
    sentences += [f"loading it became unsafe: {why}" for why in found.unsafe if why not in recorded.unsafe]
    if len(sentences) > MAX_SENTENCES:
        more = len(sentences) - MAX_SENTENCES
        sentences = [*sentences[:MAX_SENTENCES], f"and {more:,} more"]
    return tuple(sentences)


def named(part: Part) -> str:
    """A part as people speak of it: `the tensor blk.0.attn_q.weight`."""
    kind = _KINDS.get(part.kind, part.kind)
    return f"the {kind} {label(part.name)}" if part.name else f"the {kind}"


def short(digest: str) -> str:
    """The start of a digest: enough to compare by eye."""
    return digest if len(digest) <= _SHOWN_HEX else f"{digest[:_SHOWN_HEX]}…"


def _parts(recorded: Description, found: Description) -> Iterable[str]:
    before = {(part.kind, part.name): part for part in recorded.parts}
    after = {(part.kind, part.name): part for part in found.parts}
    gone = [part for key, part in before.items() if key not in after]
    came = [part for key, part in after.items() if key not in before]
    for old, new in _renamed(gone, came):
        gone.remove(old)
        came.remove(new)
        yield f"{named(old)} is now called {label(new.name)}"
    for key, old in before.items():
        if key in after and after[key] != old:
            yield from _changed(old, after[key])
    yield from (f"{named(part)} is missing" for part in gone)
    yield from (f"{named(part)} was not there before" for part in came)
    if before == after and list(before) != list(after):
        kind = next(old[0] for old, new in zip(before, after, strict=True) if old != new)
        yield f"the {_KINDS.get(kind, kind)}s stand in another order"


def _renamed(gone: list[Part], came: list[Part]) -> list[tuple[Part, Part]]:
    """The pairs that are the same but for their names; none where several could be meant."""
    pairs = []
    by_content: dict[tuple[str, str, str], list[Part]] = {}
    for part in came:
        by_content.setdefault((part.kind, part.digest, part.detail), []).append(part)
    counts: dict[tuple[str, str, str], int] = {}
    for part in gone:
        content = (part.kind, part.digest, part.detail)
        counts[content] = counts.get(content, 0) + 1
    for part in gone:
        content = (part.kind, part.digest, part.detail)
        if counts[content] == 1 and len(by_content.get(content, [])) == 1:
            pairs.append((part, by_content[content][0]))
    return pairs


def _changed(old: Part, new: Part) -> Iterable[str]:
    was, now = _fields(old.detail), _fields(new.detail)
    for name in [*was, *(name for name in now if name not in was)]:
        if was.get(name) != now.get(name):
            before, after = label(was.get(name, "not told")), label(now.get(name, "not told"))
            yield f"{named(old)}: {label(name)} was {before}, is {after}"
    if old.digest != new.digest:
        yield f"{named(old)} differs: expected sha256 {short(old.digest)}, found {short(new.digest)}"


def _fields(detail: str) -> dict[str, str]:
    pairs = (field.partition(" ") for field in detail.split(", ") if field)
    return {name: value for name, _, value in pairs}


def _digests(recorded: Description, found: Description) -> Iterable[str]:
    for name, digest in recorded.digests.items():
        other = found.digests.get(name)
        if other is None or other == digest:
            continue
        if name == REST:
            yield "bytes differ that belong to no part: in the header, or in padding"
        else:
            yield f"the {name} digest differs: expected {short(digest)}, found {short(other)}"
