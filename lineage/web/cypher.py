"""The operators' page that asks the graph in Cypher.

Owns: the form, how an answer, a mistake and the record of queries look. Does not own: what a query may do,
its limits, the record itself (`services.graph_query`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from django import forms
from django.http import HttpRequest, HttpResponse

from lineage.db.configuration import User
from lineage.errors import LineageError, MalformedError, TooLargeError
from lineage.services import graph_query
from lineage.services.graph_query import Asked, Found
from lineage.trust import strictjson
from lineage.web.cypher_cells import Cell, cell
from lineage.web.cypher_examples import BY_SLUG, EXAMPLES
from lineage.web.pages import Page

SHOWN_RECORDS = 20
MOST_LINE = 200
"""Characters of the line that a mistake points into."""


class CypherForm(forms.Form):
    query = forms.CharField(
        label="Query",
        max_length=graph_query.MOST_QUERY,
        widget=forms.Textarea(
            attrs={"rows": 8, "spellcheck": "false", "autocapitalize": "off", "autocomplete": "off"}
        ),
    )
    parameters = forms.CharField(
        label="Parameters",
        required=False,
        max_length=graph_query.MOST_PARAMETERS,
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false", "autocomplete": "off"}),
        help_text='A JSON object: {"name": "claims"} is $name in the query',
    )
    rows = forms.TypedChoiceField(
        label="At most", coerce=int, choices=[(n, f"{n:,} rows") for n in (100, 1_000, 10_000)], initial=1_000
    )
    seconds = forms.TypedChoiceField(
        label="For at most", coerce=int, choices=[(n, f"{n} seconds") for n in (10, 30, 60)], initial=10
    )

    def clean_parameters(self) -> dict[str, Any]:
        text = self.cleaned_data["parameters"].strip() or "{}"
        try:
            strictjson.check(text.encode(), what="the parameters")
            return msgspec.json.decode(text, type=dict[str, Any])
        except (MalformedError, TooLargeError) as error:
            raise forms.ValidationError(error.message) from error
        except msgspec.DecodeError as error:
            raise forms.ValidationError('This is no JSON object such as {"name": "claims"}.') from error


@dataclass(frozen=True, slots=True)
class Mistake:
    """What went wrong with a query. `line` and `mark` show where; both are empty where nobody knows."""

    error: LineageError
    line: str = ""
    mark: str = ""


class Cypher(Page):
    """`?example=` fills the form; a POST asks. Mistakes are told on the page itself, with status 422."""

    role = User.Role.OPERATOR
    section = "cypher"
    template_name = "cypher.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        example = BY_SLUG.get(request.GET.get("example", ""))
        initial = {"query": example.query, "parameters": example.parameters} if example else {}
        return self._page(CypherForm(initial=initial))

    def post(self, request: HttpRequest) -> HttpResponse:
        form = CypherForm(request.POST)
        if not form.is_valid():
            return self._page(form, status=422)
        values = form.cleaned_data
        asked = Asked(values["query"], values["parameters"], values["rows"], values["seconds"])
        try:
            found = graph_query.run(asked, self.person.email)
        except LineageError as error:
            return self._page(form, status=422, mistake=_mistake(error, asked.query))
        return self._page(form, found=found, table=_table(found))

    def _page(self, form: CypherForm, *, status: int = 200, **context: Any) -> HttpResponse:
        return self.render(
            status=status,
            form=form,
            examples=EXAMPLES,
            configured=graph_query.configured(),
            records=graph_query.listed()[:SHOWN_RECORDS],
            **context,
        )


def _table(found: Found) -> list[list[Cell]]:
    return [[cell(value) for value in row] for row in found.rows]


def _mistake(error: LineageError, query: str) -> Mistake:
    line, column = error.extra.get("line"), error.extra.get("column")
    lines = query.splitlines()
    if not (isinstance(line, int) and isinstance(column, int) and 1 <= line <= len(lines)):
        return Mistake(error)
    start = max(0, column - 1 - MOST_LINE // 2)
    text = lines[line - 1].replace("\t", " ")[start : start + MOST_LINE]
    return Mistake(error, text, " " * (column - 1 - start) + "^")
