"""What a lineage page is asked for, and the addresses of the same page asked otherwise."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import urlencode

from django.urls import reverse

from lineage.errors import MalformedError
from lineage.graph.lanes import Lane
from lineage.graph.model import NodeKind

Direction = Literal["ancestors", "descendants"]
DIRECTIONS: tuple[Direction, ...] = ("ancestors", "descendants")
STATUSES = ("failed", "expired", "unverified", "verified")
SHOWN = ("exceptions", *STATUSES, "tainted")
SORTS = ("name", "kind", "first", "status")
MAX_DEPTH = 10_000
MAX_WAYS = 10
"""Ways between root and focus that are looked for."""
MAX_TEXT = 200

FILTERS = ("kind", "role", "status", "tainted", "signer", "place")


@dataclass(frozen=True, slots=True)
class Asked:
    """A lineage page's address, parsed.

    Attributes:
        key: the node whose lineage it is.
        depth: edges to follow, 1 to MAX_DEPTH (which stands for all).
        focus: key of the node in the detail column; empty for `key` itself.
        way: which of the ways between root and focus is highlighted, from 1.
        isolate: whether picture and list have only what lies on those ways.
        opened: the lane that gets more rows in the picture; None for none.
        lane, show: what the list alone is filtered to: a lane, one of SHOWN; None and empty for all.
        kind, role, status, tainted, signer, place: what picture and list are filtered to, empty for any.
            `status` is `exceptions` or one of STATUSES, `tainted` yes or no, `signer` and `place` node keys.
        sort: one of SORTS; empty for exceptions first. With `-` before it, backwards.
        after: offset of the list's page, or the closure's own cursor where it is too big to draw.
    """

    key: str
    direction: Direction = "ancestors"
    depth: int = MAX_DEPTH
    focus: str = ""
    way: int = 1
    isolate: bool = False
    opened: Lane | None = None
    lane: Lane | None = None
    show: str = ""
    kind: str = ""
    role: str = ""
    status: str = ""
    tainted: str = ""
    signer: str = ""
    place: str = ""
    sort: str = ""
    after: str = ""
    as_of: str = ""

    @classmethod
    def read(cls, key: str, query: Mapping[str, str], as_of: str) -> Asked:
        """Raises: MalformedError naming the parameter whose value is none that it may have."""

        def one_of(name: str, known: Collection[str], what: str) -> str:
            value = query.get(name, "")
            if value and value not in known:
                raise MalformedError(what, where=name)
            return value

        direction = one_of("direction", DIRECTIONS, "The direction is ancestors or descendants.")
        return cls(
            key,
            direction="descendants" if direction == "descendants" else "ancestors",
            depth=_number(query, "depth", MAX_DEPTH) or MAX_DEPTH,
            focus=query.get("focus", ""),
            way=_number(query, "way", MAX_WAYS) or 1,
            isolate=one_of("isolate", ("yes",), "isolate is yes, or left out.") == "yes",
            opened=_lane(query, "open"),
            lane=_lane(query, "lane"),
            show=one_of("show", SHOWN, f"The list shows one of {', '.join(SHOWN)}."),
            kind=one_of("kind", set(NodeKind), f"The kind is one of {', '.join(NodeKind)}."),
            role=_text(query, "role"),
            status=one_of("status", ("exceptions", *STATUSES), f"There are {', '.join(STATUSES)}."),
            tainted=one_of("tainted", ("yes", "no"), "tainted is yes or no."),
            signer=_text(query, "signer"),
            place=_text(query, "place"),
            sort=one_of("sort", [s + n for s in ("", "-") for n in SORTS], "The list is not sorted so."),
            after=query.get("after", ""),
            as_of=as_of,
        )

    @property
    def focused(self) -> str:
        return self.focus or self.key

    @property
    def filters(self) -> dict[str, str]:
        """The filters of picture and list that are set, by parameter."""
        return {name: value for name in FILTERS if (value := getattr(self, name))}

    def but(self, **changes: object) -> Asked:
        """The same page with some things changed; its list starts at its first page again."""
        return replace(self, **{"after": "", **changes})  # type: ignore[arg-type]

    def unfiltered(self) -> Asked:
        """Of all nodes, drawn and listed as usual."""
        plain = dict.fromkeys((*FILTERS, "show"), "")
        return self.but(**plain, lane=None, isolate=False)

    def parameters(self, *without: str) -> dict[str, str]:
        """The address's parameters, without what is as usual and without those named."""
        values = {
            "direction": "" if self.direction == "ancestors" else self.direction,
            "depth": "" if self.depth == MAX_DEPTH else str(self.depth),
            "focus": "" if self.focus == self.key else self.focus,
            "way": "" if self.way == 1 else str(self.way),
            "isolate": "yes" if self.isolate else "",
            "open": self.opened or "",
            "lane": self.lane or "",
            "show": self.show,
            **self.filters,
            "sort": self.sort,
            "after": self.after,
            "as_of": self.as_of,
        }
        return {name: value for name, value in values.items() if value and name not in without}

    def url(self, name: str = "model-lineage") -> str:
        """Its address, without what is as usual."""
        kept = self.parameters()
        return reverse(name, args=[self.key]) + (f"?{urlencode(kept)}" if kept else "")


def _lane(query: Mapping[str, str], name: str) -> Lane | None:
    lane = query.get(name, "")
    if lane and lane not in set(Lane):
        raise MalformedError(f"There is no lane {lane[:50]!r}.", where=name)
    return Lane(lane) if lane else None


def _text(query: Mapping[str, str], name: str) -> str:
    value = query.get(name, "").strip()
    if len(value) > MAX_TEXT:
        raise MalformedError(f"{name} has at most {MAX_TEXT} characters.", where=name)
    return value


def _number(query: Mapping[str, str], name: str, most: int) -> int | None:
    text = query.get(name, "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= most):
        raise MalformedError(f"{name} is a number from 1 to {most}.", where=name)
    return int(text)
