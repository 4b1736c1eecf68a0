"""Thefts: what somebody does in the database itself, past the triggers that keep the log.

`pytest -s tests/integration/test_audited_*.py` prints what the audit says of each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from django.db import connection

from lineage.db.log import Entry
from lineage.services import log_audit, publish
from tests import kept_logs
from tests.integration.projections import RandomLog
from tests.integration.test_publish import lifted

Steal = Callable[..., None]
"""Sends SQL with its values."""
Theft = Callable[[Steal], str]
"""Does something, and says what the audit is to say of it."""
FULL = 300
"""Entries: more than one tile's worth."""
ROWS: list[str] = []


@pytest.fixture(scope="module", autouse=True)
def printed() -> Iterator[None]:
    """What the tests of a file did and what was said of it, in the end."""
    ROWS.clear()
    yield
    print("\n\n| in the database | the audit says |\n|---|---|")
    print("\n".join(ROWS))


@pytest.fixture
def small(transactional_db: None) -> None:
    """A log of some 40 random entries, published."""
    kept_logs.ensure("small", lambda: grown(40))


@pytest.fixture
def full(transactional_db: None) -> None:
    """A log of some `FULL` random entries, published."""
    kept_logs.ensure("full", lambda: grown(FULL))


TABLES = (
    "log_head",
    "log_entry",
    "log_envelope",
    "log_entry_subject",
    "log_entry_signer",
    "log_signer",
    "log_predicate_type",
    "log_tile",
    "log_checkpoint",
    "log_cosignature",
    "log_redaction",
)


@contextmanager
def as_thief() -> Iterator[Callable[..., None]]:
    """Send SQL past the triggers that keep the log, as the database's owner can; they are back after it."""
    with ExitStack() as stack:
        for each in TABLES:
            stack.enter_context(lifted(each))
        with connection.cursor() as cursor:
            yield lambda sql, *values: cursor.execute(sql, values)


def grown(count: int) -> None:
    RandomLog(3).grow(count)
    while publish.publish_once() is not None:
        pass


def attestation(number: int = 5) -> Entry:
    return list(Entry.objects.filter(kind="attestation").order_by("index"))[number]


def field(column: str, value: Any, says: str) -> Theft:
    def alter(steal: Steal) -> str:
        entry = attestation()
        steal(f'UPDATE log_entry SET {column} = %s WHERE "index" = %s', value, entry.index)
        return says.format(entry.index)

    return alter


def no_envelope(steal: Steal) -> str:
    entry = attestation()
    steal("DELETE FROM log_envelope WHERE entry_id = %s", entry.index)
    return f"the envelope of entry {entry.index} is missing, and no decision redacted it"


def named(what: str, theft: Theft) -> None:
    """The audit names what the theft did to a log in which nothing was wrong."""
    assert log_audit.audit().wrong == ""
    with as_thief() as steal:
        expected = theft(steal)
    report = log_audit.audit()
    ROWS.append(f"| {what} | {report.wrong} |")
    assert expected in report.wrong
    assert report.root_hash == ""
    assert report.sentence().startswith("The log is damaged: ")
