"""What a node was made from, or what was made from it: picture, details, list, files, wall.

Owns: the pages. Does not own: the closure and its paths (`services.lineage`), the layout (`graph.lanes`),
what a box looks like (`web.picture`), or the page's own addresses (`lineage_links`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.cache import patch_vary_headers

from lineage.errors import MalformedError
from lineage.services import lineage
from lineage.services.gaps import MAX_GAPS
from lineage.services.lineage_nodes import Reader
from lineage.services.lineage_records import NodeRecord, NodeSummary
from lineage.web import details, lineage_links, lineage_steps, picture, picture_file
from lineage.web.closure_view import ClosureView, ask
from lineage.web.downloads import csv_response, svg_response
from lineage.web.lineage_links import LIST
from lineage.web.lineage_query import Asked
from lineage.web.node_lists import CSV_HEADER, csv_row
from lineage.web.pages import Page

__all__ = ["LIST", "LineagePage", "LineageWall", "section_of", "wants_part"]

CSV_PAGE = 1_000
GAPS = 5
VARIES = ("HX-Request", "HX-Target")
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


def wants_details(request: HttpRequest) -> bool:
    """Whether htmx asks because somebody chose the box of a node.

    Its details need nothing of the closure, so they come first. The picture follows by a request of its own.
    """
    return wants_part(request) and request.headers.get("HX-Target") == "details"


class LineagePage(Page):
    """The page; for htmx, which puts another node into focus or opens a lane, only picture and details.

    Where a box was chosen, its node's details alone, with what asks for the picture then.
    `format=csv` is the whole list as a file, `format=svg` the picture, `part=gaps` what is missing
    at the node in focus, as a part of a page. `step=previous` and `step=next` lead
    to the page before or after a change.
    """

    template_name = "lineage/page.html"
    partial_template: ClassVar[str] = "lineage/_workspace.html"

    def get(self, request: HttpRequest, key: str) -> HttpResponseBase:
        asked = Asked.read(key, request.GET.dict(), self.as_of_text)
        if request.GET.get("part") == "gaps":
            return self._gaps(asked)
        if wants_details(request):
            return self._details(asked)
        view = ClosureView.read(asked, self.as_of)
        wanted = request.GET.get("format")
        if "step" in request.GET:
            return self._stepped(request.GET["step"], view)
        detail = details.read(asked, view.reader)
        if asked.isolate and detail.on_ways:
            view = view.only(detail.on_ways)
        if wanted == "csv":
            return csv_response("lineage", CSV_HEADER, map(csv_row, self._listed(view)))
        if wanted == "svg":
            return self._file(view, detail)
        context = {
            **self._frame(),
            "section": section_of(view.root),
            "asked": asked,
            "root": view.root,
            "view": view,
            "detail": detail,
            "picture": drawing(view, detail) if view.drawable and view.total else None,
            **lineage_links.context(view, detail),
        }
        template = self.partial_template
        if not wants_part(request):
            template = self.template_name
            context |= {"rows": view.rows(), **lineage_links.of_page(view)}
        response = render(request, template, context)
        patch_vary_headers(response, VARIES)
        return response

    def _details(self, asked: Asked) -> HttpResponse:
        detail = details.read(asked, Reader(self.as_of))
        context = {
            **self._frame(),
            "asked": asked,
            "detail": detail,
            **lineage_links.of_detail(asked, detail),
        }
        response = render(self.request, "lineage/_detail_first.html", context)
        response["HX-Push-Url"] = asked.url()  # the box may be gone by now, replaced by the picture before
        patch_vary_headers(response, VARIES)
        return response

    def _gaps(self, asked: Asked) -> HttpResponse:
        """For the column, when somebody asks for it: it looks at all that the node was made from."""
        node = lineage.node(asked.focused, self.as_of)
        more = len(node.gaps) - GAPS
        return self.render(
            template="lineage/_gaps.html",
            node=node,
            gaps=node.gaps[:GAPS],
            total=len(node.gaps),
            more=f"{more} or" if len(node.gaps) >= MAX_GAPS else more,
        )

    def _stepped(self, step: str, view: ClosureView) -> HttpResponse:
        size = lineage_steps.step(step, view)
        if size is None:
            messages.info(self.request, lineage_steps.NONE[step])
            return redirect(view.asked.url())
        return redirect(view.asked.but(as_of="" if size == self.as_of.projected else str(size)).url())

    def _file(self, view: ClosureView, detail: details.Detail) -> HttpResponse:
        """Raises: MalformedError where there is too much to draw."""
        if not view.drawable:
            raise MalformedError(
                f"{view.total} nodes are too many to draw.", hint="A smaller depth may do.", where="format"
            )
        told = lineage_links.told(view, self.as_of)
        return svg_response("lineage", picture_file.svg(drawing(view, detail), told))

    def _listed(self, view: ClosureView) -> Iterator[NodeSummary]:
        """What the list shows on all its pages."""
        if view.drawable:
            chosen = view.chosen()
            for start in range(0, len(chosen), CSV_PAGE):
                yield from view.closure.summaries(chosen[start : start + CSV_PAGE])
            return
        page = ask(view.asked, self.as_of, limit=CSV_PAGE)
        yield from page.nodes
        while page.next is not None:
            page = ask(view.asked, self.as_of, after=page.next, limit=CSV_PAGE)
            yield from page.nodes


def drawing(view: ClosureView, detail: details.Detail) -> picture.Picture:
    asked = view.asked
    drawn = view.layout(detail.path_keys)
    scene = picture.Scene(
        focus=asked.focused,
        trace=drawn.trace(detail.path_keys) if detail.path_keys else None,
        node_href=lambda key: asked.but(focus=key, way=1, isolate=False).url(),
        list_href=lambda lane, show: asked.but(lane=lane, show=show).url() + LIST,
        open_href=lambda lane: asked.but(opened=lane).url(),
        opened=asked.opened or asked.lane,
    )
    return picture.draw(drawn, scene)


class LineageWall(Page):
    """Every node of the closure as a small square in the colour of its status, lane by lane."""

    template_name = "lineage/wall.html"

    def get(self, request: HttpRequest, key: str) -> HttpResponse:
        asked = Asked.read(key, request.GET.dict(), self.as_of_text)
        view = ClosureView.read(asked, self.as_of)
        return self.render(
            section=section_of(view.root), asked=asked, root=view.root, view=view, lanes=view.wall()
        )
