"""Addresses of a lineage page asked otherwise, and the words for what it is asked for now."""

from __future__ import annotations

from lineage.graph.model import NodeKind
from lineage.services.as_of import AsOf
from lineage.web import picture
from lineage.web.closure_view import ClosureView
from lineage.web.details import Detail
from lineage.web.lineage_query import DIRECTIONS, FILTERS, SORTS, Asked
from lineage.web.picture_file import Told
from lineage.web.templatetags.lineage_ui import plain_moment

LIST = "#list"
COLUMNS = (
    ("status", "Status"),
    ("name", "Name"),
    ("kind", "Kind"),
    ("", "Why"),
    ("", "Key"),
    ("first", "First entry"),
)
"""Of the list: what it can be sorted by, and the title."""


def context(view: ClosureView, detail: Detail) -> dict[str, object]:
    """For picture and details."""
    asked = view.asked
    opened = asked.opened or asked.lane
    return {
        "shallow": [(depth, asked.but(depth=depth, focus="").url()) for depth in (1, 2, 3)],
        "untraced": asked.but(focus="", way=1, isolate=False).url(),
        "opened_title": picture.LANE_TITLES[opened] if opened else "",
        "closed": asked.but(opened=None, lane=None, show="").url(),
        "unisolated": asked.but(isolate=False).url(),
        **of_detail(asked, detail),
        "left_out": len(view.lane_nodes) - len(view.kept | {asked.key}) if view.narrowed else 0,
        "unfiltered": asked.unfiltered().url(),
    }


def of_detail(asked: Asked, detail: Detail) -> dict[str, object]:
    """For the details alone."""
    return {
        "gaps_url": f"{asked.url()}{'&' if asked.parameters() else '?'}part=gaps",
        "isolated": asked.but(isolate=True).url(),
        "way_before": asked.but(way=detail.way - 1).url() if detail.way > 1 else "",
        "way_after": asked.but(way=detail.way + 1).url() if detail.way < detail.ways else "",
    }


def of_page(view: ClosureView) -> dict[str, object]:
    """For what stands around them."""
    asked = view.asked
    in_list = [
        *([picture.LANE_TITLES[asked.lane]] if asked.lane else []),
        *([asked.show] if asked.show else []),
    ]

    def only(**filters: str) -> str:
        return asked.unfiltered().but(focus="", **filters).url() if view.drawable else ""

    return {
        "directions": [(Asked(asked.key, d, asked.depth, as_of=asked.as_of).url(), d) for d in DIRECTIONS],
        "chips": [(status, count, only(status=status)) for status, count in view.counts],
        "tainted_url": only(tainted="yes"),
        "wall_url": asked.unfiltered().but(focus="", opened=None).url("model-lineage-all"),
        "list_words": ", ".join(in_list) if view.drawable else "",
        "whole_list": asked.but(lane=None, show="").url() + LIST,
        "fields": view.filter.fields(view.lane_nodes.values()) if view.drawable else [],
        "kept_hidden": asked.parameters(*FILTERS, "after", "isolate", "lane", "show"),
        "depth_hidden": asked.parameters("depth", "after", "focus", "isolate", "way"),
        "columns": [(title, *_sorted(view, name)) for name, title in COLUMNS],
    }


def _sorted(view: ClosureView, name: str) -> tuple[str, str]:
    """The address that sorts by it, the other way round where that is so already; and how it is sorted now.

    Both are empty where the list can't be sorted by it.
    """
    asked = view.asked
    if not view.drawable or name not in SORTS:
        return "", ""
    now = {name: "ascending", f"-{name}": "descending"}.get(asked.sort, "")
    wanted = f"-{name}" if now == "ascending" else name
    return asked.but(sort=wanted).url() + LIST, now


def told(view: ClosureView, as_of: AsOf) -> Told:
    """What stands in a file above the picture."""
    asked, root = view.asked, view.root
    direction = "Made from" if asked.direction == "ancestors" else "Made into"
    depth = "" if "depth" not in asked.parameters() else f", at most {asked.depth} steps away"
    chosen = [f"{f.label}: {f.chosen}" for f in view.filter.fields(view.lane_nodes.values()) if f.chosen]
    if view.isolated is not None:
        chosen = [f"only what lies between it and {view.lane_nodes[asked.focused].name}"]
    only = f" · {'; '.join(chosen)}: {len(view.kept)} of them drawn" if chosen else ""
    when = plain_moment(as_of.at_us)
    kinds = view.closure.counts_by_kind
    machines = kinds.get(NodeKind.HARDWARE, 0)
    return Told(
        title=f"Lineage of {root.name or root.key}",
        lines=(
            root.key,
            f"{direction} {view.total} nodes, {machines} of them machines, {len(view.links)} links"
            f"{depth}{only}",
            f"As of {when}, tree size {as_of.size} of {as_of.head}; graph at {as_of.projected}",
        ),
        counts=[*([("tainted", view.tainted)] if view.tainted else []), *view.counts],
    )
