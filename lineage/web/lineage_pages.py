"""What a node was made from, or what was made from it: picture, details, list, file, wall.

Owns: the pages. Does not own: the closure and its paths (`services.lineage`), the layout (`graph.lanes`),
or what a box looks like (`web.picture`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.cache import patch_vary_headers

from lineage.services.lineage_records import NodeRecord, NodeSummary
from lineage.web import details, picture
from lineage.web.closure_view import ClosureView, ask
from lineage.web.downloads import csv_response
from lineage.web.lineage_query import DIRECTIONS, Asked
from lineage.web.node_lists import CSV_HEADER, csv_row
from lineage.web.pages import Page

CSV_PAGE = 1_000
LIST = "#list"
SECTIONS = {"run": "runs", "hardware": "hardware-list", "signer": "keys"}
ROLE_SECTIONS = {"model": "models", "adapter": "models", "dataset": "datasets"}


def section_of(node: NodeSummary | NodeRecord) -> str:
    """The link of the navigation under which a node's pages belong."""
    for role in node.roles:
        if role in ROLE_SECTIONS:
            return ROLE_SECTIONS[role]
    return SECTIONS.get(node.kind, "")


def wants_part(request: HttpRequest) -> bool:
    """Whether htmx asks for the part that changes with the focus; going back, it asks for the whole page."""
    return "HX-Request" in request.headers and "HX-History-Restore-Request" not in request.headers


class LineagePage(Page):
    """The page; for htmx, which puts another node into focus, only picture and details.

    `format=csv` is the whole list as a file.
    """

    template_name = "lineage/page.html"
    partial_template: ClassVar[str] = "lineage/_workspace.html"

    def get(self, request: HttpRequest, key: str) -> HttpResponseBase:
        asked = Asked.read(key, request.GET.dict(), self.as_of_text)
        view = ClosureView.read(asked, self.as_of)
        if request.GET.get("format") == "csv":
            return csv_response("lineage", CSV_HEADER, map(csv_row, self._listed(view)))
        context = {**self._frame(), "section": section_of(view.root), **self._context(view)}
        template = self.partial_template
        if not wants_part(request):
            template, context["rows"] = self.template_name, view.rows()
        response = render(request, template, context)
        patch_vary_headers(response, ["HX-Request"])
        return response

    def _context(self, view: ClosureView) -> dict[str, object]:
        detail = details.read(view.asked, self.as_of)
        return {
            "asked": view.asked,
            "root": view.root,
            "view": view,
            "detail": detail,
            "picture": self._picture(view, detail) if view.drawable and view.total else None,
            **_links(view),
        }

    def _picture(self, view: ClosureView, detail: details.Detail) -> picture.Picture:
        asked = view.asked
        drawn = view.layout(detail.path_keys)
        scene = picture.Scene(
            focus=asked.focused,
            trace=drawn.trace(detail.path_keys) if detail.path_keys else None,
            node_href=lambda key: asked.but(focus=key).url(),
            lane_href=lambda lane, show: asked.but(lane=lane, show=show).url() + LIST,
        )
        return picture.draw(drawn, scene)

    def _listed(self, view: ClosureView) -> Iterator[NodeSummary]:
        """What the list shows on all its pages."""
        if view.drawable:
            yield from view.chosen()
            return
        page = ask(view.asked, self.as_of, limit=CSV_PAGE)
        yield from page.nodes
        while page.next is not None:
            page = ask(view.asked, self.as_of, after=page.next, limit=CSV_PAGE)
            yield from page.nodes


def _links(view: ClosureView) -> dict[str, object]:
    """Addresses of the page asked otherwise, and the words of its filter."""
    asked = view.asked
    plain = asked.but(lane=None, show="")
    filters = [
        *([picture.LANE_TITLES[asked.lane]] if asked.lane else []),
        *([asked.show] if asked.show else []),
    ]

    def only(status: str) -> str:
        return plain.but(show=status).url() + LIST if view.drawable else ""

    return {
        "directions": [(Asked(asked.key, d, asked.depth, as_of=asked.as_of).url(), d) for d in DIRECTIONS],
        "chips": [(status, count, only(status)) for status, count in view.counts],
        "tainted_url": only("tainted"),
        "wall_url": asked.but(focus="", lane=None, show="").url("model-lineage-all"),
        "filter_words": ", ".join(filters) if view.drawable else "",
        "shallow": [(depth, plain.but(depth=depth, focus="").url()) for depth in (1, 2, 3)],
        "unfiltered": plain.url() + LIST,
        "untraced": asked.but(focus="").url(),
    }


class LineageWall(Page):
    """Every node of the closure as a small square in the colour of its status, lane by lane."""

    template_name = "lineage/wall.html"

    def get(self, request: HttpRequest, key: str) -> HttpResponse:
        asked = Asked.read(key, request.GET.dict(), self.as_of_text)
        view = ClosureView.read(asked, self.as_of)
        return self.render(
            section=section_of(view.root), asked=asked, root=view.root, view=view, lanes=view.wall()
        )
