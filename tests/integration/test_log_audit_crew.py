"""Several processes find what one finds, end with who asked, and a killed one of them is never "clean"."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from django.db import connection, connections
from django.db.backends.postgresql.base import DatabaseWrapper as PostgresqlWrapper

from lineage.cli.log import command as log_command
from lineage.db.log import Entry, LogHead
from lineage.db.packing import pack
from lineage.errors import UnavailableError
from lineage.services import intake, log_audit, log_audit_crew, log_audit_part, log_audit_tree, publish
from tests import factories, kept_logs
from tests.bench import load
from tests.descending import running
from tests.integration.thefts import as_thief

COUNT = log_audit_tree.PART + 300
PROCESSES = 2


def _fill() -> None:
    signer = factories.registered()
    for begin in range(0, COUNT, 500):
        lines = load.envelopes(signer.private, min(500, COUNT - begin), size=300)
        intake.submit_set(lines, token="t")
        publish.publish_once()


@pytest.fixture
def grown(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A log of two parts, each read by a process of its own, on the tests' own database."""
    monkeypatch.setattr(log_audit_crew, "ALONE_ENTRIES", 0)
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "lineage.settings")
    monkeypatch.setenv("LINEAGE_DATABASE_URL", _url())
    kept_logs.ensure("two parts", _fill)
    yield LogHead.objects.get(pk=1).size
    assert readers() == []


def readers() -> list[int]:
    """The processes that read for this one."""
    return running("log_audit_process")


def _url() -> str:
    told = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{told['NAME']}"
    login = told["USER"] + (f":{told['PASSWORD']}" if told["PASSWORD"] else "")
    return f"postgresql://{login}@{told['HOST']}:{told['PORT']}/{told['NAME']}"


def test_several_find_what_one_finds(grown: int) -> None:
    seen: list[int] = []
    alone = log_audit.audit()
    several = log_audit.audit(jobs=PROCESSES, report=lambda done, total: seen.append(done))
    assert several == alone
    assert (several.wrong, several.read, several.size) == ("", grown, grown)
    assert len(seen) == 2
    assert seen == sorted(seen)
    assert seen[-1] == grown
    assert log_audit.audit(start=grown - 5, jobs=PROCESSES) == log_audit.audit(start=grown - 5)


def test_the_first_of_two_damages_is_named(grown: int) -> None:
    early, late = (Entry.objects.get(pk=index) for index in (2100, grown - 1))
    with as_thief() as steal:
        for entry in (late, early):
            steal(
                "UPDATE log_envelope SET content = %s WHERE entry_id = %s",
                pack(b'{"payload":""}'),
                entry.index,
            )
    alone, several = log_audit.audit(), log_audit.audit(jobs=PROCESSES)
    assert several.wrong == alone.wrong == "the envelope of entry 2100 is not the one that the log names"


def _between_parts(steal: Callable[..., None]) -> str:
    """The first entry of the second part before the last of the first one: no part sees it alone."""
    first = log_audit_tree.PART
    steal('UPDATE log_entry SET received_us = 1 WHERE "index" = %s', first)
    return f"entry {first} was received before the one that it follows"


def _checkpoint_of_another(steal: Callable[..., None]) -> str:
    """What a later part's checkpoints say of the parts before it."""
    from lineage.db.log import Checkpoint
    from lineage.services import platform_keys
    from lineage.trust import checkpoint as notes
    from lineage.trust.merkle import Frontier

    newest = publish.newest()
    assert newest is not None
    blob = b"\1" * 32 + bytes(newest.frontier)[32:]
    made = Frontier(newest.size, tuple(blob[at : at + 32] for at in range(0, len(blob), 32)))
    origin = LogHead.objects.get(pk=1).origin
    note = notes.sign(notes.Checkpoint(origin, newest.size, made.root()), platform_keys.load().log)
    steal(
        "UPDATE log_checkpoint SET note = %s, root_hash = %s, frontier = %s WHERE size = %s",
        note,
        made.root().hex(),
        blob,
        newest.size,
    )
    assert Checkpoint.objects.count() > 1
    return f"the checkpoint at {newest.size} was signed over other entries"


@pytest.mark.parametrize("alter", [_between_parts, _checkpoint_of_another])
def test_what_lies_between_parts_is_compared(grown: int, alter: Callable[[Callable[..., None]], str]) -> None:
    with as_thief() as steal:
        expected = alter(steal)
    assert log_audit.audit().wrong == expected
    assert log_audit.audit(jobs=PROCESSES).wrong == expected


def test_a_killed_process_is_an_error_and_no_finding(grown: int) -> None:
    head = LogHead.objects.get(pk=1)
    whole = log_audit_part.Log(head.origin, head.policy_index, head.size, head.size, 0)
    for number in (signal.SIGKILL, signal.SIGTERM):
        with log_audit_crew.reading(PROCESSES, grown) as read:
            while len(readers()) < PROCESSES:  # a fork has its parent's command line for a moment
                time.sleep(0.01)
            for process in readers():
                os.kill(process, number)
            with pytest.raises(UnavailableError, match=f"ended by signal {int(number)}.*nothing is known"):
                list(read(log_audit_part.parts(whole)))
        assert readers() == []

    def interrupt(done: int, total: int) -> None:
        assert len(readers()) == PROCESSES
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        log_audit.audit(jobs=PROCESSES, report=interrupt)


def test_the_command_reads_by_several(grown: int, monkeypatch: pytest.MonkeyPatch) -> None:
    told = CliRunner().invoke(log_command, ["audit", "--jobs", "2", "--json"])
    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout) == msgspec.to_builtins(log_audit.audit())
    # Another database than this one, as where it does not answer: no process can read a thing.
    monkeypatch.setenv("LINEAGE_DATABASE_URL", "sqlite:////nowhere/at/all.sqlite3")
    told = CliRunner().invoke(log_command, ["audit", "--jobs", "2"])
    assert told.exit_code == 2
    assert told.stdout == ""
    assert "could not be read to its end" in told.stderr


def _in_a_daemon(size: int, answers: Any) -> None:
    connections.close_all()
    answers.put(log_audit.audit(jobs=2).read == size)


def test_a_process_that_may_have_no_children_reads_by_several(grown: int) -> None:
    """As Celery's are: `multiprocessing` refuses them children of its own kind."""
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    connections.close_all()
    if isinstance(wrapper := connections["default"], PostgresqlWrapper):
        wrapper.close_pool()  # its threads would not be there in a fork
    daemon = context.Process(target=_in_a_daemon, args=(grown, answers), daemon=True)
    daemon.start()
    daemon.join(50)
    assert daemon.exitcode == 0
    assert answers.get() is True
