"""Searching by a subject alone goes by a query of its own, and finds what the framework's finds."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from lineage.db import entry_reads
from lineage.db.models import Entry, EntrySubject
from lineage.errors import LogIntegrityError
from lineage.graph.sql_query import fetch
from lineage.services import as_of, intake, records
from tests import factories
from tests.integration.projections import RandomLog

pytestmark = pytest.mark.usefixtures("log")
ROWS = f'SELECT {entry_reads.COLUMNS} FROM log_entry e ORDER BY e."index"'


@pytest.fixture
def subjects() -> list[str]:
    """Of a random log, in which one statement names a subject twice, and eleven name one more."""
    RandomLog(11).grow(50)
    signer, twice = factories.registered(), factories.artifact("twice.bin")
    other = factories.artifact("other name", twice["digest"]["sha256"])
    often = factories.artifact("often.bin")
    lines = [signer.envelope(factories.statement(twice, other))]
    lines += [signer.envelope(factories.statement(often, factories.artifact())) for _ in range(11)]
    intake.submit_set(lines, token="test")
    return sorted(set(EntrySubject.objects.values_list("digest", flat=True)))


def found(subject: str, moment: as_of.AsOf, limit: int, **more: Any) -> list[records.AttestationSummary]:
    """All pages."""
    pages: list[records.AttestationSummary] = []
    after: str | None = ""
    while after is not None:
        page = records.listed(moment, subject=subject, after=after, limit=limit, **more)
        pages, after = pages + page.attestations, page.next
    return pages


def test_it_finds_the_same_entries(subjects: list[str]) -> None:
    assert len(subjects) > 20
    size = as_of.resolve(None).head
    for moment in (as_of.resolve(None), as_of.resolve(str(size // 2))):
        end = records.log_size(moment)
        for subject in subjects:
            rows = Entry.objects.filter(index__lt=end, subjects__digest=subject).distinct()
            expected = list(rows.order_by("-index").values_list("index", flat=True))
            for limit in (1, 3, 50):
                assert [each.index for each in found(subject, moment, limit)] == expected


def test_it_tells_the_same_of_them(subjects: list[str]) -> None:
    moment = as_of.resolve(None)
    for subject in subjects:
        by_kind = [each for kind in Entry.Kind for each in found(subject, moment, 4, kind=kind.value)]
        assert found(subject, moment, 4) == sorted(by_kind, key=lambda each: -each.index)


def test_an_entry_is_read_as_by_the_framework(subjects: list[str]) -> None:
    made = [entry_reads.entry(row) for row in fetch(ROWS)]
    for one, other in zip(made, Entry.objects.order_by("index"), strict=True):
        names = [field.attname for field in Entry._meta.concrete_fields]
        told = [[getattr(each, name) for name in names] for each in (one, other)]
        told = [[bytes(value) if isinstance(value, memoryview) else value for value in row] for row in told]
        assert told[0] == told[1]
        assert not one.get_deferred_fields()
        assert one == other


@pytest.mark.parametrize(("place", "value"), [(1, 9), (2, b"\1"), (3, b""), (5, b"\1"), (8, None)])
def test_what_no_entry_has_is_no_entry(place: int, value: object) -> None:
    """Kind, envelope, statement, keys, predicate type: the tables refuse most of it, and are not trusted."""
    row = list(fetch(ROWS)[0])
    entry_reads.entry(tuple(row))
    row[place] = value
    with pytest.raises(LogIntegrityError):
        entry_reads.entry(tuple(row))


def test_a_search_asks_five_times(subjects: list[str]) -> None:
    """Once what the log decided is known: for the moment, the view, entries, envelopes, nodes."""
    subject = f"sha256:{factories.sha256('nothing')}"
    records.listed(as_of.resolve(None), subject=subject)
    with CaptureQueriesContext(connection) as queries:
        records.listed(as_of.resolve(None), subject=subjects[-1], limit=50)
    assert len(queries) == 5
    with CaptureQueriesContext(connection) as queries:
        assert records.listed(as_of.resolve(None), subject=subject).attestations == []
    assert len(queries) <= 4
