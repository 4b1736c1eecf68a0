"""What a lineage page is asked for, and the addresses of the same page asked otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import urlencode

from django.urls import reverse

from lineage.errors import MalformedError
from lineage.graph.lanes import Lane

Direction = Literal["ancestors", "descendants"]
DIRECTIONS: tuple[Direction, ...] = ("ancestors", "descendants")
SHOWN = ("exceptions", "failed", "expired", "unverified", "verified", "tainted")
MAX_DEPTH = 10_000


@dataclass(frozen=True, slots=True)
class Asked:
    """A lineage page's address, parsed.

    Attributes:
        key: the node whose lineage it is.
        depth: edges to follow, 1 to MAX_DEPTH (which stands for all).
        focus: key of the node in the detail column; empty for `key` itself.
        lane: the lane that the list is filtered to and that gets more rows; None for all.
        show: one of SHOWN, what the list is filtered to; empty for all.
        after: offset of the list's page, or the closure's own cursor where it is too big to draw.
    """

    key: str
    direction: Direction = "ancestors"
    depth: int = MAX_DEPTH
    focus: str = ""
    lane: Lane | None = None
    show: str = ""
    after: str = ""
    as_of: str = ""

    @classmethod
    def read(cls, key: str, query: Mapping[str, str], as_of: str) -> Asked:
        """Raises: MalformedError naming the parameter whose value is none that it may have."""
        direction = query.get("direction", "ancestors")
        if direction not in DIRECTIONS:
            raise MalformedError("The direction is ancestors or descendants.", where="direction")
        lane = query.get("lane", "")
        if lane and lane not in set(Lane):
            raise MalformedError(f"There is no lane {lane!r}.", where="lane")
        show = query.get("show", "")
        if show and show not in SHOWN:
            raise MalformedError(f"The list shows one of {', '.join(SHOWN)}.", where="show")
        return cls(
            key,
            direction,
            _depth(query.get("depth", "")),
            query.get("focus", ""),
            Lane(lane) if lane else None,
            show,
            query.get("after", ""),
            as_of,
        )

    @property
    def focused(self) -> str:
        return self.focus or self.key

    def but(self, **changes: object) -> Asked:
        """The same page with some things changed; its list starts at its first page again."""
        return replace(self, **{"after": "", **changes})  # type: ignore[arg-type]

    def url(self, name: str = "model-lineage") -> str:
        """Its address, without what is as usual."""
        usual = Asked(self.key)
        values = {
            "direction": self.direction,
            "depth": self.depth,
            "focus": "" if self.focus == self.key else self.focus,
            "lane": self.lane or "",
            "show": self.show,
            "after": self.after,
            "as_of": self.as_of,
        }
        kept = {field: value for field, value in values.items() if value != (getattr(usual, field) or "")}
        query = f"?{urlencode(kept)}" if kept else ""
        return reverse(name, args=[self.key]) + query


def _depth(text: str) -> int:
    if not text:
        return MAX_DEPTH
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MAX_DEPTH):
        raise MalformedError(f"The depth is a number from 1 to {MAX_DEPTH}.", where="depth")
    return int(text)
