"""The difference of two moments: what came into the log, what is new, what stands otherwise."""

from __future__ import annotations

from typing import ClassVar

from django import forms
from django.http import HttpRequest, HttpResponse

from lineage.services import changes
from lineage.web import words
from lineage.web.pages import Page


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
    """`?from=&to=`; the page's own moment stands for `to` where that is empty."""

    section: ClassVar[str] = "changes"
    template_name = "changes.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        earlier, later = request.GET.get("from", ""), request.GET.get("to", "")
        after, after_entry = request.GET.get("after", ""), request.GET.get("after_entry", "")
        compared = changes.resolve(earlier, later or self.as_of_text)
        found = changes.between(*compared, after=after, after_entry=after_entry)
        return self.render(
            found=found,
            form=Compared({"from": earlier, "to": later}),
            filtered=bool(earlier or later),
            after=after,
            after_entry=after_entry,
            added=[(words.KINDS[kind].lower(), count) for kind, count in found.nodes_added.items()],
            added_total=sum(found.nodes_added.values()),
            turned_total=sum(each.count for each in found.statuses if each.before),
        )
