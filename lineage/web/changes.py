"""The difference of two moments: what stands otherwise, is new, was decided, came into the log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import ClassVar
from urllib.parse import urlencode

from django import forms
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from lineage.services import audit_condition, changes, decision_words
from lineage.services.as_of import AsOf
from lineage.services.consequences import NodeChange
from lineage.trust.leaf import rfc3339
from lineage.web import words
from lineage.web.downloads import csv_response
from lineage.web.pages import Page

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ROWS = 25
CSV_HEADER = (
    "change", "key", "kind", "roles", "name", "status before", "reasons before", "status after",
    "reasons after",
)  # fmt: skip
CURSORS = ("after", "after_new", "after_decision", "after_entry")
"""Parameters that continue the four lists."""


def moment() -> forms.TextInput:
    """A field for a tree size, date or time."""
    return forms.TextInput(attrs={"placeholder": "entries, or 2026-11-22", "autocomplete": "off"})


class Compared(forms.Form):
    """The two moments; empty: a day before the later one, and now."""

    earlier = forms.CharField(required=False, max_length=64, label="From", widget=moment())
    later = forms.CharField(required=False, max_length=64, label="To", widget=moment())

    def add_prefix(self, field_name: str) -> str:
        """The names in the address."""
        return {"earlier": "from", "later": "to"}.get(field_name, field_name)


class Changes(Page):
    """`?from=&to=`; the page's own moment stands for `to` where that is empty. `format=csv`: the nodes."""

    section: ClassVar[str] = "changes"
    template_name = "changes.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        earlier, later = request.GET.get("from", ""), request.GET.get("to", "")
        compared = changes.resolve(earlier, later or self.as_of_text)
        if request.GET.get("format") == "csv":
            return csv_response("changes", CSV_HEADER, rows(changes.all_nodes(*compared)))
        cursors = {name: request.GET.get(name, "") for name in CURSORS}
        readers = changes.readers_of(*compared)
        found = changes.between(*compared, after_entry=cursors["after_entry"], limit=ROWS, readers=readers)
        turned, next_turned = changes.nodes(readers, new=False, after=cursors["after"], limit=ROWS)
        new, next_new = changes.nodes(readers, new=True, after=cursors["after_new"], limit=ROWS)
        decisions, next_decision = changes.decisions(*compared, after=cursors["after_decision"], limit=ROWS)
        said = decision_words.told([each.digest for each in decisions])
        return self.render(
            found=found,
            form=Compared({"from": earlier, "to": later}),
            presets=self._presets(compared[1], earlier, later),
            filtered=bool(earlier or later),
            cursors=cursors,
            turned=turned,
            next_turned=next_turned,
            turned_counts=[each for each in found.statuses if each.before],
            turned_total=sum(each.count for each in found.statuses if each.before),
            new=new,
            next_new=next_new,
            new_counts=[each for each in found.statuses if not each.before],
            added=words.counted(found.nodes_added),
            added_total=sum(found.nodes_added.values()),
            decisions=[(each, *said.get(each.digest, ("", ()))) for each in decisions],
            next_decision=next_decision,
            decisions_total=found.entries_by_kind.get("decision", 0),
        )

    def _presets(self, later: AsOf, chosen: str, to: str) -> list[tuple[str, str, bool]]:
        """Words, address and whether it is chosen: usual moments to compare with."""
        kept = {name: value for name, value in (("to", to), ("as_of", self.as_of_text)) if value}
        return [
            (title, f"{self.request.path}?{urlencode({'from': value, **kept})}", value == chosen)
            for title, value in usual_moments(later)
        ]


def usual_moments(later: AsOf) -> list[tuple[str, str]]:
    """Words and text of moments that people compare a later one with. Days are those of UTC."""
    day = (EPOCH + timedelta(microseconds=later.at_us)).date()
    found = [
        ("Since yesterday", str(day - timedelta(days=1))),
        ("Last 7 days", str(day - timedelta(days=7))),
        ("Last 30 days", str(day - timedelta(days=30))),
    ]
    audited = audit_condition.standing().log.rounded_us
    if audited is not None and audited <= later.at_us:
        found.append(("Since the last audit of the log", rfc3339(audited)))
    return found


def rows(found: Iterable[NodeChange]) -> Iterator[tuple[object, ...]]:
    """Lines of a file under CSV_HEADER."""
    for node in found:
        yield (
            "status changed" if node.before else "added",
            node.key,
            node.kind,
            " ".join(node.roles),
            node.name,
            node.before,
            " ".join(node.reasons_before),
            node.after,
            " ".join(node.reasons_after),
        )
