"""Where two things differ in what they were made from, or one thing at two moments.

Owns: the page, and choosing what to compare with. Does not own: the comparison (`services.difference`), or
what a typed text stands for (`compare_choice`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from django import forms
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from lineage.errors import MalformedError, NotFoundError
from lineage.services import as_of as moments
from lineage.services import difference, lineage, lineage_closure
from lineage.services.as_of import AsOf
from lineage.services.difference import Difference, Part
from lineage.services.lineage_records import NodeSummary
from lineage.web import compare_choice, words
from lineage.web.changes import moment, usual_moments
from lineage.web.compare_choice import Choice
from lineage.web.downloads import csv_response
from lineage.web.lineage_pages import section_of
from lineage.web.pages import Page

ROWS = 25
CSV_HEADER = (
    "in", "key", "kind", "roles", "name", "status", "reasons", "tainted", "status before", "tainted before",
)  # fmt: skip


Moment = tuple[str, AsOf]
"""A node key, and when."""


@dataclass(frozen=True, slots=True)
class Unclear:
    """Why nothing can be compared yet: the answer's status, and a sentence, empty where nothing is wrong."""

    status: int
    sentence: str = ""


class Asked(forms.Form):
    """What to compare with, and the moment of the first; empty: itself, and the page's moment."""

    other = forms.CharField(
        required=False,
        label="Compare with",
        widget=forms.TextInput(
            attrs={"placeholder": "name, digest or key", "autocomplete": "off", "class": "long"}
        ),
    )
    earlier = forms.CharField(required=False, label="The first as it was at", widget=moment())

    def add_prefix(self, field_name: str) -> str:
        """The names in the address."""
        return {"other": "with", "earlier": "from_as_of"}.get(field_name, field_name)


@dataclass(frozen=True, slots=True)
class Compared:
    """A thing at its moment: `size` entries, judged by `at_us`. `total`: how much it was made from."""

    node: NodeSummary
    name: str
    at_us: int
    size: int
    total: int
    as_of_text: str


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the difference. `as_of_text`: the moment that its nodes are shown at, for their links."""

    name: str
    title: str
    empty: str
    part: Part
    as_of_text: str
    kinds: str


class ComparePage(Page):
    """`?with=` another thing, `from_as_of=` the moment of this one; neither: a page to choose on.

    `part=` lists one of `difference.PARTS` alone, in pages; `format=csv` is the whole of it as a file.
    """

    template_name = "compare/difference.html"

    def get(self, request: HttpRequest, key: str) -> HttpResponseBase:
        typed, earlier = request.GET.get("with", ""), request.GET.get("from_as_of", "").strip()
        choice = compare_choice.read(typed, self.as_of)
        if choice.key and choice.key != typed:  # the address names digests
            query = request.GET.copy()
            query["with"] = choice.key
            return redirect(f"{request.path}?{query.urlencode()}")
        meant = self._meant(key, choice, earlier)
        if isinstance(meant, Unclear):
            return self._choose(key, choice, earlier, meant)
        if request.GET.get("format") == "csv":
            return csv_response("difference", CSV_HEADER, rows(difference.every(*meant)))
        return self._difference(*meant, earlier)

    def _meant(self, key: str, choice: Choice, earlier: str) -> Unclear | tuple[Moment, Moment]:
        """Both things, each with its moment."""
        if choice.wrong:
            return Unclear(200 if choice.offered else 404, choice.wrong)
        if not choice.key and not earlier:
            return Unclear(200)
        try:
            then = moments.resolve(earlier) if earlier else self.as_of
            lineage_closure.find(key, then)
        except MalformedError as error:
            return Unclear(400, error.message)
        except NotFoundError:
            if not earlier:
                raise
            sentence = f"It was not known then: in the first {then.size} entries nobody had named it."
            return Unclear(404, sentence)
        other = choice.key or key
        if (key, then) == (other, self.as_of):
            return Unclear(200, "That is the same thing at the same moment.")
        return (key, then), (other, self.as_of)

    def _difference(self, one: Moment, other: Moment, earlier: str) -> HttpResponse:
        part, after = self.request.GET.get("part") or None, self.request.GET.get("after") or None
        found = difference.difference(one, other, part=part, after=after, limit=ROWS)
        names = compare_choice.told_apart([found.from_.node, found.to.node])
        sections = self._sections(found, names, earlier)
        before = {node.key: node for node in found.turned}
        others = [other[0]] if one[0] != other[0] else []
        return self.render(
            found=found,
            names=names,
            itself=not others,
            others=others,
            earlier=earlier,
            part=part,
            sections=sections,
            sides=[
                Compared(side.node, name, moment.at_us, side.tree_size, side.total, text)
                for side, name, (_, moment), text in zip(
                    (found.from_, found.to),
                    names,
                    (one, other),
                    (earlier or self.as_of_text, self.as_of_text),
                    strict=True,
                )
            ],
            shown=[each for each in sections if part in (None, each.name)],
            stood=[(node, before.get(node.key)) for node in found.both.nodes],
            form=Asked({"with": "".join(others), "from_as_of": earlier}),
            swapped=self._swapped(one[0], other[0], earlier),
            section=section_of(found.from_.node),
        )

    def _swapped(self, one: str, other: str, earlier: str) -> str:
        """The address of the same two the other way round; empty where a moment belongs to the first."""
        if one == other or earlier:
            return ""
        kept = {"with": one, **({"as_of": self.as_of_text} if self.as_of_text else {})}
        return f"{reverse('compare', args=[other])}?{urlencode(kept)}"

    def _sections(self, found: Difference, names: Sequence[str], earlier: str) -> list[Section]:
        then, now = earlier or self.as_of_text, self.as_of_text
        if found.from_.node.key == found.to.node.key:
            titles = ("Only then", "New since then", "Then and later")
            empty = (
                "Nothing that it was made from then is missing later.",
                "Nobody has said more of what it was made from since then.",
                "Nothing that it was made from is known at both moments.",
            )
        else:
            titles = (f"Only in {names[0]}", f"Only in {names[1]}", "In both")
            empty = (
                f"{names[1]} was made from all that {names[0]} was made from.",
                f"{names[0]} was made from all that {names[1]} was made from.",
                "Nothing is known that both were made from.",
            )
        parts = (found.only_from, found.only_to, found.both)
        return [
            Section(name, title, text, part, at, words.counted(part.counts_by_kind))
            for name, title, text, part, at in zip(
                difference.PARTS, titles, empty, parts, (then, now, now), strict=True
            )
        ]

    def _choose(self, key: str, choice: Choice, earlier: str, why: Unclear) -> HttpResponse:
        """Raises: NotFoundError where the first is not known at the page's moment."""
        node = lineage.node(key, self.as_of, gaps=False)
        form = Asked({"with": choice.text, "from_as_of": earlier})
        form.full_clean()
        if why.sentence:
            form.add_error(None, why.sentence)
        kept = {"as_of": self.as_of_text} if self.as_of_text else {}
        return self.render(
            template="compare/choose.html",
            status=why.status,
            node=node,
            form=form,
            offered=choice.offered or compare_choice.others(node, self.as_of),
            found_some=bool(choice.offered),
            presets=[
                (title, f"{self.request.path}?{urlencode({'from_as_of': value, **kept})}")
                for title, value in self._earlier(node.first_index)
            ],
            section=section_of(node),
        )

    def _earlier(self, first_index: int) -> list[tuple[str, str]]:
        """Words and text of usual moments at which it was known already."""
        first = first_index + 1
        known = [each for each in usual_moments(self.as_of) if moments.resolve(each[1]).size >= first]
        return [*known, ("Since it was first named", str(first))] if first < self.as_of.size else known


def rows(found: Iterable[tuple[str, NodeSummary, NodeSummary]]) -> Iterator[tuple[object, ...]]:
    """Lines of a file under CSV_HEADER."""
    for part, node, before in found:
        yield (
            part, node.key, node.kind, " ".join(node.roles), node.name, node.status, " ".join(node.reasons),
            _yes(node.tainted), before.status if part == "both" else "",
            _yes(before.tainted) if part == "both" else "",
        )  # fmt: skip


def _yes(value: bool) -> str:
    return "yes" if value else "no"
