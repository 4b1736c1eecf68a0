"""The operators' page of who looked at, exported, changed or decided what."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from lineage.config import current
from lineage.db.access import AccessRecord
from lineage.db.configuration import User
from lineage.errors import MalformedError
from lineage.services import access_records
from lineage.trust.leaf import rfc3339
from lineage.web.downloads import csv_response
from lineage.web.pages import Page

CSV_HEADER = ("at", "who", "action", "route", "subject", "status", "entry", "address")
PAGE_SIZE = 50
MAX_YEAR = 9999


class Filter(forms.Form):
    """Days are whole, UTC."""

    who = forms.CharField(required=False, max_length=300, label="Who (part of the name)")
    action = forms.ChoiceField(
        required=False, choices=[("", "Anything"), *AccessRecord.Action.choices], label="Did what"
    )
    subject = forms.CharField(required=False, max_length=300, label="About (a whole key)")
    from_day = forms.DateField(
        required=False, label="First day", widget=forms.DateInput(attrs={"type": "date"})
    )
    to_day = forms.DateField(required=False, label="Last day", widget=forms.DateInput(attrs={"type": "date"}))

    def clean_to_day(self) -> date | None:
        day: date | None = self.cleaned_data["to_day"]
        if day is not None and day.year >= MAX_YEAR:
            raise forms.ValidationError("This day is too far away.")
        return day


class Accesses(Page):
    """Newest first, 50 a page; `?format=csv` is all that the filter leaves."""

    role = User.Role.OPERATOR
    rule = "accesses.see"
    section = "accesses"
    template_name = "accesses.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        form = Filter(request.GET)
        valid = form.is_valid()
        rows = _found(form) if valid else AccessRecord.objects.none()
        if valid and request.GET.get("format") == "csv":
            return csv_response("accesses", CSV_HEADER, _csv(rows))
        after = request.GET.get("after", "")
        if after:
            rows = rows.filter(pk__lt=_row_number(after))
        page = list(rows[: PAGE_SIZE + 1])
        more, page = len(page) > PAGE_SIZE, page[:PAGE_SIZE]
        return self.render(
            status=200 if valid else 422,
            form=form,
            filtered=any(form.data.get(name) for name in form.fields),
            rows=page,
            next=page[-1].pk if more else None,
            kept_days=current().people.access_days,
        )


def _found(form: Filter) -> QuerySet[AccessRecord]:
    given = form.cleaned_data
    to_day = given["to_day"]
    return access_records.listed(
        who=given["who"],
        action=given["action"],
        subject=given["subject"],
        from_us=_midnight_us(given["from_day"]),
        to_us=_midnight_us(to_day + timedelta(days=1)) if to_day else None,
    )


def _midnight_us(day: date | None) -> int | None:
    return None if day is None else int(datetime.combine(day, time(0), UTC).timestamp()) * 1_000_000


def _row_number(after: str) -> int:
    if not (after.isascii() and after.isdigit() and len(after) <= 18):
        raise MalformedError("This page of records does not exist.", where="after")
    return int(after)


def _csv(rows: QuerySet[AccessRecord]) -> Iterator[tuple[object, ...]]:
    for row in rows.iterator(chunk_size=500):
        yield (
            rfc3339(row.at_us),
            row.who,
            row.action,
            row.route,
            row.subject,
            row.status,
            row.entry_index,
            row.address,
        )
