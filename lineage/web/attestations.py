"""The list of log entries: attestations, observations and decisions, newest first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django import forms
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from lineage import predicates
from lineage.db.models import Entry
from lineage.errors import MalformedError
from lineage.services import records
from lineage.services.records import AttestationSummary
from lineage.web import words
from lineage.web.downloads import csv_response
from lineage.web.pages import Page

PAGE_SIZE = 50
CSV_PAGE_SIZE = 500
CSV_HEADER = (
    "index",
    "received_at",
    "kind",
    "predicate_type",
    "subjects",
    "signers",
    "trust",
    "state",
    "digest",
)


def predicate_choices() -> list[tuple[str, str]]:
    known = [(uri, f"{p.title} ({uri})") for p in predicates.PREDICATES for uri in p.uris]
    return [("", "Any statement"), *known]


class AttestationFilter(forms.Form):
    """The filters over the entries; empty means any."""

    subject = forms.CharField(required=False, max_length=200, label="Digest of a subject")
    predicate_type = forms.CharField(
        required=False, max_length=500, label="Statement", widget=forms.Select(choices=predicate_choices())
    )
    signer = forms.CharField(required=False, max_length=64, label="Key id of a signer")
    kind = forms.ChoiceField(
        required=False, choices=[("", "Any kind"), *Entry.Kind.choices], label="Kind of entry"
    )
    trust = forms.ChoiceField(
        required=False, choices=[("", "Any trust"), *((t, t) for t in words.TRUST)], label="Trust"
    )

    def arguments(self) -> dict[str, str]:
        """What `records.listed` takes. Raises: MalformedError where a filter has an unknown value."""
        if not self.is_valid():
            raise MalformedError("; ".join(f"{name}: {errors[0]}" for name, errors in self.errors.items()))
        values: dict[str, Any] = self.cleaned_data
        return {name: value.strip() for name, value in values.items()}


class Attestations(Page):
    """The list, filtered, in pages of 50; `?format=csv` is the whole of it as a file."""

    section = "attestations"
    template_name = "attestation_list.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        form = AttestationFilter(request.GET)
        arguments = form.arguments()
        if request.GET.get("format") == "csv":
            return csv_response("attestations", CSV_HEADER, self._rows(arguments))
        page = records.listed(self.as_of, **arguments, after=request.GET.get("after", ""), limit=PAGE_SIZE)
        return self.render(page=page, form=form, filtered=any(arguments.values()))

    def _rows(self, arguments: dict[str, str]) -> Iterator[tuple[object, ...]]:
        after = ""
        while True:
            page = records.listed(self.as_of, **arguments, after=after, limit=CSV_PAGE_SIZE)
            yield from map(csv_row, page.attestations)
            if page.next is None:
                return
            after = page.next


def csv_row(entry: AttestationSummary) -> tuple[object, ...]:
    """An entry as the columns of CSV_HEADER. At most three subjects are named."""
    names = [subject.name or subject.key for subject in entry.subjects]
    more = entry.subject_count - len(names)
    return (
        entry.index,
        entry.received_at,
        entry.kind,
        entry.predicate_type,
        " ".join([*names, f"(+{more})"] if more else names),
        " ".join(signer.name or signer.key_id for signer in entry.signers),
        entry.trust,
        entry.state,
        entry.digest,
    )
