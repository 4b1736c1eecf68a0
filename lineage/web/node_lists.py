"""Lists of nodes: models, datasets, runs, hardware. One class; each page names what it lists."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from django import forms
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from lineage.errors import MalformedError
from lineage.services import lineage
from lineage.services.lineage import NodeSummary
from lineage.web import words
from lineage.web.downloads import csv_response
from lineage.web.pages import Page

PAGE_SIZE = 50
CSV_PAGE_SIZE = 500
STATUS_CHOICES = [("", "Any status"), *((s.slug, s.word) for s in words.STATUSES.values())]
TAINT_CHOICES = [("", "Tainted or not"), ("yes", "Tainted"), ("no", "Not tainted")]
CSV_HEADER = ("status", "tainted", "reasons", "notes", "name", "roles", "kind", "key", "trust", "first_index")


class NodeFilter(forms.Form):
    """The filters over a list of nodes; empty means any."""

    q = forms.CharField(required=False, max_length=200, label="Name or key")
    status = forms.ChoiceField(required=False, choices=STATUS_CHOICES, label="Status")
    tainted = forms.ChoiceField(required=False, choices=TAINT_CHOICES, label="Taint")

    def arguments(self) -> dict[str, Any]:
        """What `lineage.search` takes. Raises: MalformedError where a filter has an unknown value."""
        if not self.is_valid():
            raise MalformedError("; ".join(f"{name}: {errors[0]}" for name, errors in self.errors.items()))
        tainted = self.cleaned_data["tainted"]
        return {
            "text": self.cleaned_data["q"] or None,
            "status": self.cleaned_data["status"] or None,
            "tainted": tainted == "yes" if tainted else None,
        }


@dataclass(frozen=True, slots=True)
class Listing:
    """What a page lists: `kind` for the search, and the words around the table."""

    kind: str
    title: str
    one: str
    what: str
    empty: str
    command: str


MODELS = Listing(
    "model",
    "Models",
    "model",
    "models",
    "A model appears here as soon as a signed statement gives an artifact the role “model”.",
    "lineage attest --subject model.gguf --predicate-type urn:lineage:predicate:model:v1"
    " --predicate model.json --key pipeline.pem --url http://127.0.0.1:8000 --token lin_…",
)
DATASETS = Listing(
    "dataset",
    "Datasets",
    "dataset",
    "datasets",
    "A dataset appears here as soon as a signed statement is about it or names it as an input.",
    "lineage attest --subject train.parquet --predicate-type urn:lineage:predicate:dataset:v1"
    " --predicate dataset.json --key pipeline.pem --url http://127.0.0.1:8000 --token lin_…",
)
RUNS = Listing(
    "run",
    "Runs",
    "run",
    "runs",
    "A run appears here when a pipeline signs provenance of what it made (SLSA, in-toto link, training run).",
    "lineage attest --subject model.gguf --material train.parquet --predicate-type https://slsa.dev/provenance/v1"
    " --predicate provenance.json --key pipeline.pem --url http://127.0.0.1:8000 --token lin_…",
)
HARDWARE = Listing(
    "hardware",
    "Hardware",
    "machine",
    "machines",
    "A machine appears here when a signed statement names it, or a run names it as where it happened.",
    "lineage attest --subject identity.der --predicate-type urn:lineage:predicate:hardware-node:v1"
    " --predicate node.json --key pipeline.pem --url http://127.0.0.1:8000 --token lin_…",
)


class NodeList(Page):
    """One list, filtered, in pages of 50; `?format=csv` is the whole of it as a file."""

    template_name = "node_list.html"
    listing: ClassVar[Listing]

    def get(self, request: HttpRequest) -> HttpResponseBase:
        form = NodeFilter(request.GET)
        arguments = {"kind": self.listing.kind, **form.arguments()}
        if request.GET.get("format") == "csv":
            return csv_response(self.section, CSV_HEADER, self._rows(arguments))
        page = lineage.search(
            self.as_of, **arguments, after=request.GET.get("after") or None, limit=PAGE_SIZE
        )
        filtered = any(form.cleaned_data.values())
        return self.render(page=page, form=form, listing=self.listing, filtered=filtered)

    def _rows(self, arguments: dict[str, Any]) -> Iterator[tuple[object, ...]]:
        after: str | None = None
        while True:
            page = lineage.search(self.as_of, **arguments, after=after, limit=CSV_PAGE_SIZE)
            yield from map(csv_row, page.nodes)
            after = page.next
            if after is None:
                return


def csv_row(node: NodeSummary) -> tuple[object, ...]:
    """A node as the columns of CSV_HEADER."""
    return (
        node.status,
        "yes" if node.tainted else "no",
        " ".join(node.reasons),
        " ".join(node.notes),
        node.name,
        " ".join(node.roles),
        node.kind,
        node.key,
        node.trust,
        node.first_index,
    )


class Models(NodeList):
    section = "models"
    listing = MODELS


class Datasets(NodeList):
    section = "datasets"
    listing = DATASETS


class Runs(NodeList):
    section = "runs"
    listing = RUNS


class Hardware(NodeList):
    section = "hardware-list"
    listing = HARDWARE
