"""What is another in a record than in the record before, in words and numbers that a page can show.

Owns: comparing two contents of one thing. Does not own: whether a change came after the thing's end.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from lineage.mlflow.fitting import is_cut
from lineage.predicates.mlflow_reading import MAX_CHANGES, Change

__all__ = ["MAX_CHANGES", "Change", "diff", "only_learned"]

MAX_SHOWN = 500
"""Characters that are shown of a value."""

MAX_CHARACTERS = 200_000
"""Characters of all changes together; after that they are only counted."""

_TIMES = frozenset({"start_time", "end_time", "created", "updated"})
_MAPS = frozenset({"params", "tags", "aliases", "files", "source", "sources", "contents"})
_LISTS = {"datasets": ("name", "digest", "context"), "models_in": (), "models_out": ("id", "step")}
"""Lists of things, and the members that say which of them is the same one in both records."""

_NOT_COMPARED = frozenset({"kind", "id", "ended", "last", "last_status"})


def diff(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> tuple[Change, ...]:
    """What changed from one content to the next; () for the first one.

    A thing that is gone, or there again, has changed its state and nothing else. At most `MAX_CHANGES`, the
    last of which (field `more`) then counts the rest.
    """
    if before is None:
        return ()
    if "purged" in (before.get("state"), after.get("state")):
        return tuple(_whole("state", "", before.get("state"), after.get("state")))
    found: list[Change] = []
    characters = more = 0
    for change in _all(before, after):
        characters += len(change.name) + len(change.before or "") + len(change.after or "")
        if len(found) < MAX_CHANGES - 1 and characters <= MAX_CHARACTERS:
            found.append(change)
        else:
            more += 1
    if more:
        found.append(Change("more", "", None, f"{more:,} more changes"))
    return tuple(found)


def only_learned(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether two records of files differ only by digests that one of them has and the other has not: that a
    file could be hashed, or why not, says nothing of the file."""
    old, new = before.get("files"), after.get("files")
    if not isinstance(old, dict) or not isinstance(new, dict) or is_cut(old) or is_cut(new):
        return False
    if set(old) != set(new) or before.get("state") != after.get("state"):
        return False
    for path, was in old.items():
        now = new[path]
        both = was.get("sha256") and now.get("sha256")
        if was.get("size") != now.get("size") or (both and was["sha256"] != now["sha256"]):
            return False
    return True


def _all(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    for member in (*before, *(name for name in after if name not in before)):
        old, new = before.get(member), after.get(member)
        if member in _NOT_COMPARED or old == new:
            continue
        if member in _MAPS:
            yield from _map(member, old, new)
        elif member == "metrics":
            yield from _metrics(old, new)
        elif member in _LISTS:
            yield from _list(member, old, new)
        elif member in _TIMES:
            yield from _whole("times", member, old, new)
        else:
            yield from _whole(member, "", old, new)


def _whole(field: str, name: str, old: Any, new: Any) -> Iterator[Change]:
    if old == new:
        return
    before, after = _shown(old), _shown(new)
    if before == after:  # a number and its digits as a text
        before, after = _json(old), _json(new)
    if before is not None and after is not None:
        at = _first_difference(before, after)
        if at >= MAX_SHOWN - 1:  # both would be cut before it
            before, after = f"…{before[at - 100 :]}", f"…{after[at - 100 :]}"
    yield Change(field, name, _cut_text(before), _cut_text(after))


def _first_difference(before: str, after: str) -> int:
    """Where two texts part; a shorter one's end."""
    pairs = enumerate(zip(before, after, strict=False))
    return next((at for at, (one, other) in pairs if one != other), min(len(before), len(after)))


def _cut_text(text: str | None) -> str | None:
    return text if text is None or len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 1]}…"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _map(field: str, old: Any, new: Any) -> Iterator[Change]:
    """Member by member; where one of them was too long to stand in its record, its digest."""
    if is_cut(old) or is_cut(new):
        yield from _whole(field, "", _counted(old), _counted(new))
        old, new = _first(old), _first(new)
        names = [name for name in old if name in new]
    elif _is(dict, old, new):
        old, new = old or {}, new or {}
        names = sorted({*old, *new})
    else:
        yield from _whole(field, "", old, new)
        return
    for name in names:
        yield from _whole(field, name, old.get(name), new.get(name))


def _is(kind: type, *values: Any) -> bool:
    return all(value is None or isinstance(value, kind) for value in values)


def _metrics(old: Any, new: Any) -> Iterator[Change]:
    """By name as far as records show them; that only others changed is seen by the digest of all."""
    if is_cut(old) or is_cut(new) or not _is(dict, old, new):
        yield from _map("metrics", old, new)
        return
    old, new = old or {}, new or {}
    shown = list(_map("metrics", old.get("values"), new.get("values")))
    yield from shown
    if not shown and old.get("sha256") != new.get("sha256"):
        yield from _whole("metrics", "", _counted(old), _counted(new))


def _list(field: str, old: Any, new: Any) -> Iterator[Change]:
    """Items by what tells them apart, in any order."""
    if _is(list, old, new):
        members = _LISTS[field]
        yield from _map(field, _by_name(old or [], members), _by_name(new or [], members))
    else:
        yield from _whole(field, "", _counted(old), _counted(new))


def _by_name(items: list[Any], members: tuple[str, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for item in items:
        parts = [item.get(member) for member in members] if isinstance(item, dict) else [item]
        called = " ".join(_shown(part) or "" for part in parts if part is not None)
        name, number = called, 2
        while name in found:
            name, number = f"{called} ({number})", number + 1
        found[name] = item
    return found


def _first(value: Any) -> dict[str, Any]:
    found = value.get("first") if is_cut(value) else value
    return found if isinstance(found, dict) else {}


def _counted(value: Any) -> str | None:
    if not isinstance(value, dict | list) or not value:
        return None
    told = value if isinstance(value, dict) else {}
    count, digest = told.get("count"), told.get("sha256")
    if isinstance(count, int) and isinstance(digest, str):  # of metrics, or of what had to be cut
        return f"{count:,}, sha256 {digest}"
    return f"{len(value):,}"


def _shown(value: Any) -> str | None:
    """A value as text; None where there is none."""
    if value is None:
        return None
    if isinstance(value, dict) and set(value) == {"sha256", "characters", "begins"}:
        text = f"{value['begins']}… ({value['characters']:,} characters, sha256 {value['sha256']})"
    elif isinstance(value, dict) and set(value) == {"value", "step", "timestamp"}:
        text = f"{value['value']} (step {value['step']}, time {value['timestamp']})"
    elif isinstance(value, dict) and value and set(value) <= {"sha256", "size", "reason"}:
        text = _file(value)
    elif isinstance(value, dict) and {"name", "digest", "source"} <= set(value):
        told = ("digest", "context", "source_type", "source", "schema_sha256")
        text = ", ".join(f"{name} {value[name]}" for name in told if value.get(name))
    elif isinstance(value, str):
        text = value
    else:
        text = _json(value)
    return text


def _file(value: Mapping[str, Any]) -> str:
    digest, size, reason = value.get("sha256"), value.get("size"), value.get("reason")
    parts = (
        f"sha256 {digest}" if digest else "not hashed",
        f"{size:,} bytes" if isinstance(size, int) else "",
        str(reason or ""),
    )
    return ", ".join(part for part in parts if part)
