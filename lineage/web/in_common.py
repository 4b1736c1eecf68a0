"""What two things or more have in common: everything that all of them were made from, nearest first.

Owns: the page. Does not own: the comparison (`services.common_ancestors`), or what a typed text stands for
(`compare_choice`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import urlencode

from django import forms
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from lineage.errors import MalformedError
from lineage.services import common_ancestors, lineage
from lineage.services.common_ancestors import MOST_NODES, CommonAncestor
from lineage.web import compare_choice, words
from lineage.web.compare_choice import Choice
from lineage.web.downloads import csv_response
from lineage.web.lineage_pages import section_of
from lineage.web.pages import Page

ROWS = 25
CSV_HEADER = ("key", "kind", "roles", "name", "status", "reasons", "tainted", "steps")
"""Before one column for each thing compared."""


class Another(forms.Form):
    """One more thing to compare with."""

    other = forms.CharField(
        required=False,
        label="One more",
        widget=forms.TextInput(attrs={"placeholder": "name, digest or key", "autocomplete": "off"}),
    )

    def add_prefix(self, field_name: str) -> str:
        """The name in the address."""
        return "with"


class InCommonPage(Page):
    """`?with=` once for each of the others; `format=csv` is the whole list as a file."""

    template_name = "compare/common.html"

    def get(self, request: HttpRequest, key: str) -> HttpResponseBase:
        typed = [text for text in request.GET.getlist("with") if text.strip()]
        if len(typed) >= MOST_NODES:
            raise MalformedError(f"At most {MOST_NODES} things are compared.", where="with")
        choices = [compare_choice.read(text, self.as_of) for text in typed]
        keys = list(dict.fromkeys(choice.key for choice in choices if choice.key and choice.key != key))
        wrong = next((choice for choice in choices if choice.wrong), None)
        if wrong is None and keys != typed:  # the address names digests, and each once
            return redirect(self._address(key, keys))
        if wrong is not None or not keys:
            return self._choose(key, keys, wrong or Choice(""))
        if request.GET.get("format") == "csv":
            header = (*CSV_HEADER[:-1], *(f"{CSV_HEADER[-1]} from {each}" for each in (key, *keys)))
            every = common_ancestors.every([key, *keys], self.as_of)
            return csv_response("in-common", header, rows(every))
        after = request.GET.get("after") or None
        found = common_ancestors.common_ancestors([key, *keys], self.as_of, after=after, limit=ROWS)
        names = compare_choice.told_apart(found.nodes)
        compared = [
            (node, name, self._without(key, keys, node.key))
            for node, name in zip(found.nodes, names, strict=True)
        ]
        return self.render(
            found=found,
            compared=compared,
            listed=[
                (each, list(zip(found.nodes, names, each.hops, strict=True))) for each in found.ancestors
            ],
            kinds=words.counted(found.counts_by_kind),
            keys=keys,
            form=Another(),
            full=len(keys) + 1 >= MOST_NODES,
            section=section_of(found.nodes[0]),
        )

    def _choose(self, key: str, keys: Sequence[str], choice: Choice) -> HttpResponse:
        node = lineage.node(key, self.as_of, gaps=False)
        form = Another({"with": choice.text})
        form.full_clean()
        if choice.wrong:
            form.add_error(None, choice.wrong)
        offered = choice.offered or compare_choice.others(node, self.as_of)
        return self.render(
            template="compare/choose.html",
            status=404 if choice.wrong and not choice.offered else 200,
            node=node,
            form=form,
            offered=offered,
            found_some=bool(choice.offered),
            in_common=True,
            kept=keys,
            section=section_of(node),
        )

    def _address(self, key: str, keys: Sequence[str]) -> str:
        query = [("with", each) for each in keys]
        query += [("as_of", self.as_of_text)] if self.as_of_text else []
        query += [("format", "csv")] if self.request.GET.get("format") == "csv" else []
        return reverse("in-common", args=[key]) + (f"?{urlencode(query)}" if query else "")

    def _without(self, key: str, keys: Sequence[str], left_out: str) -> str:
        """The address that compares the others alone; empty where there would be only one."""
        rest = [each for each in (key, *keys) if each != left_out]
        return self._address(rest[0], rest[1:]) if len(rest) > 1 else ""


def rows(found: Iterable[CommonAncestor]) -> Iterator[tuple[object, ...]]:
    """Lines of a file: the columns of CSV_HEADER, then how many steps it is away from each."""
    for each in found:
        node = each.node
        yield (
            node.key, node.kind, " ".join(node.roles), node.name, node.status, " ".join(node.reasons),
            "yes" if node.tainted else "no", *each.hops,
        )  # fmt: skip
