"""The page of what is tainted, by which source and why; as a file too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django import forms
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from lineage.errors import MalformedError
from lineage.graph.model import NodeKind
from lineage.services import incidents, tainted
from lineage.services.tainted import REASONS, TaintedNode, Wanted
from lineage.web import words
from lineage.web.downloads import csv_response
from lineage.web.pages import Page

MAX_TEXT = 200
REASON_WORDS = {
    "bad-copy": "A bad copy may have been read",
    "designated": "Designated as bad",
    "key-compromised": "Only a compromised key vouches for it",
}
KINDS = [
    ("", "Any kind"),
    ("model", "Model"),
    ("adapter", "Adapter"),
    ("dataset", "Dataset"),
    *((kind.value, words.KINDS[kind]) for kind in NodeKind if kind in words.KINDS),
]
CSV_HEADER = (
    "key", "name", "kind", "roles", "status", "live", "steps", "source", "source_name", "reason",
)  # fmt: skip


class TaintFilter(forms.Form):
    """The filters over the list; empty means any."""

    kind = forms.ChoiceField(required=False, choices=KINDS, label="Kind")
    reason = forms.ChoiceField(
        required=False, choices=[("", "Any reason"), *((each, REASON_WORDS[each]) for each in REASONS)]
    )
    live = forms.ChoiceField(required=False, choices=[("", "Live or not"), ("yes", "Live")], label="Live")
    incident = forms.CharField(required=False, max_length=MAX_TEXT, widget=forms.HiddenInput)
    source = forms.CharField(required=False, max_length=MAX_TEXT, widget=forms.HiddenInput)

    def wanted(self) -> Wanted:
        """Raises: MalformedError where a filter has a value that it can't have."""
        if not self.is_valid():
            raise MalformedError("; ".join(f"{name}: {errors[0]}" for name, errors in self.errors.items()))
        said = self.cleaned_data
        return Wanted(said["incident"], said["source"], said["reason"], said["kind"], said["live"] == "yes")


class TaintedList(Page):
    """What is tainted at the page's moment, in pages; `?format=csv` is the whole of it."""

    section = "incidents"
    template_name = "tainted.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        form = TaintFilter(request.GET)
        wanted = form.wanted()
        if request.GET.get("format") == "csv":
            return csv_response("tainted", CSV_HEADER, rows(tainted.every(wanted, self.as_of)))
        found = tainted.listed(wanted, self.as_of, after=request.GET.get("after") or None)
        opened = incidents.opened(wanted.incident, self.as_of.size) if wanted.incident else None
        return self.render(
            found=found,
            title=opened[1].title if opened else "",
            form=form,
            of_one=bool(wanted.incident or wanted.source),
            filtered=any(form.cleaned_data[field.name] for field in form.visible_fields()),
            kinds=words.counted(found.counts_by_kind),
            reasons=[(REASON_WORDS[reason], n) for reason, n in found.by_reason.items()],
            listed=[(each, REASON_WORDS[each.source.source]) for each in found.nodes],
        )


def rows(found: Iterable[TaintedNode]) -> Iterator[tuple[object, ...]]:
    """Lines of a file under CSV_HEADER."""
    for each in found:
        node, source = each.node, each.source
        yield (
            node.key, node.name, node.kind, " ".join(node.roles), node.status, "yes" if each.live else "no",
            source.hops, source.key, source.name, source.source,
        )  # fmt: skip
