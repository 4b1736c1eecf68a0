"""Taint by a bad copy: only the runs that read it, or may have, between its last match and its mismatch."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from lineage.graph.model import run_key
from lineage.services import as_of, lineage
from lineage.services.clock import now_us
from lineage.trust.leaf import rfc3339
from tests import factories
from tests.factories import Signer
from tests.integration.projections import ROOT, check, key_of, observe, send

pytestmark = pytest.mark.usefixtures("log", "storage_root")

Follow = Callable[[], int]
HOUR_US = 3600 * 1_000_000
HERE, THERE = f"file://{ROOT}/a.csv", f"file://{ROOT}/b.csv"


class Story:
    """One dataset with two copies, and runs that read it."""

    def __init__(self, graph: Follow) -> None:
        self.graph = graph
        self.signer: Signer = factories.registered()
        self.dataset = factories.artifact(downloadLocation=HERE)
        self.digest = factories.sha256(self.dataset["name"])
        send(self.signer, factories.statement(self.dataset))
        send(self.signer, factories.statement({**self.dataset, "downloadLocation": THERE}))

    def look(self, location: str, outcome: str, at_us: int) -> None:
        observe(check(self.digest, location, outcome, at_us))

    def run(self, name: str, started_us: int | None, location: str | None = None) -> tuple[str, str]:
        """A run that read the dataset and made a model; both keys."""
        read: dict[str, Any] = {"name": self.dataset["name"], "digest": self.dataset["digest"]}
        if location:
            read["downloadLocation"] = location
        model = factories.artifact(f"model of {name}")
        said = factories.provenance([model], [read], invocation=name)
        metadata = said["predicate"]["runDetails"]["metadata"]
        del metadata["startedOn"]
        if started_us is not None:
            metadata["startedOn"] = rfc3339(started_us)
        send(self.signer, said)
        return run_key(factories.BUILDER, name, ""), key_of(model["name"])

    def tainted(self, key: str, size: int | None = None) -> bool:
        return lineage.node(key, as_of.resolve("" if size is None else str(size))).tainted


@pytest.fixture
def story(graph: Follow) -> Story:
    return Story(graph)


def test_runs_that_read_the_bad_copy_or_do_not_say_which_are_tainted_with_what_they_made(
    story: Story,
) -> None:
    now = now_us()
    story.look(HERE, "match", now - 10 * HOUR_US)
    story.look(THERE, "match", now - 10 * HOUR_US)
    bad = story.run("read here", now - 5 * HOUR_US, HERE)
    other = story.run("read there", now - 5 * HOUR_US, THERE)
    silent = story.run("says not where", now - 5 * HOUR_US)
    before = story.graph()
    assert not story.tainted(bad[0])
    story.look(HERE, "mismatch", now_us())
    story.graph()
    for key in (*bad, *silent):
        assert story.tainted(key), key
    for key in other:
        assert not story.tainted(key), key
    told = lineage.node(bad[1], as_of.resolve("")).tainted_by
    assert [(source.key, source.source, source.hops) for source in told] == [
        (key_of(story.dataset["name"]), "bad-copy", 2)
    ]
    dataset = lineage.node(key_of(story.dataset["name"]), as_of.resolve(""))
    assert (dataset.status, dataset.tainted) == ("failed", False)
    assert {copy.location: copy.outcome for copy in dataset.copies} == {HERE: "mismatch", THERE: "match"}
    assert not story.tainted(bad[0], before), "as of before the mismatch nothing was known of it"


def test_a_run_can_t_say_itself_out_of_the_window(story: Story) -> None:
    """By a start that is still to come, another spelling of the place, or another digest of the bytes."""
    ahead = story.run("starts in the future", now_us() + 1000 * 24 * HOUR_US)
    spelt = story.run("spells it otherwise", None, HERE.replace("a.csv", "%61.csv"))
    other = f"sha512:{hashlib.sha512(story.digest.encode()).hexdigest()}"
    both = {"sha256": story.digest, "sha512": other.partition(":")[2]}
    binds = factories.statement({**story.dataset, "digest": both})
    story.dataset["digest"] = {"sha512": both["sha512"]}
    named = story.run("names its other digest", None)
    alone = send(story.signer, binds)
    story.look(HERE, "mismatch", now_us())
    story.graph()
    for key in (*ahead, *spelt, *named):
        assert story.tainted(key), key
    assert not story.tainted(named[0], alone)


def test_no_number_of_false_digests_keeps_a_run_out_of_it(story: Story) -> None:
    """One statement binds them to what it used before the true one does."""
    other, *false = (hashlib.sha512(str(number).encode()).hexdigest() for number in range(250))
    both = [{**story.dataset, "digest": {"sha256": story.digest, "sha512": each}} for each in (*false, other)]
    send(factories.registered(), factories.statement(*both[:-1]))
    send(story.signer, factories.statement(both[-1]))
    story.dataset["digest"] = {"sha512": other}
    named = story.run("names its other digest", None)
    story.look(HERE, "mismatch", now_us())
    story.graph()
    assert story.tainted(named[0])


def test_a_run_outside_of_the_window_is_not_tainted(story: Story) -> None:
    """Started after the first mismatch, or known to the log before the last match."""
    early = story.run("before the last match", now_us() - HOUR_US, HERE)
    story.look(HERE, "match", now_us())
    story.look(HERE, "mismatch", now_us())
    late = story.run("after the mismatch", now_us(), HERE)
    story.graph()
    assert not story.tainted(early[0])
    assert not story.tainted(late[0])


def test_a_copy_that_never_matched_was_bad_from_the_beginning(story: Story) -> None:
    run = story.run("long ago", 0, HERE)
    story.look(HERE, "mismatch", now_us())
    story.graph()
    assert story.tainted(run[0])


def test_what_was_read_while_it_was_bad_stays_tainted_when_it_is_mended(story: Story) -> None:
    story.look(HERE, "match", now_us())
    run = story.run("in between", None)
    story.look(HERE, "mismatch", now_us())
    story.look(HERE, "match", now_us())
    later = story.run("mended", now_us(), HERE)
    story.graph()
    assert lineage.node(key_of(story.dataset["name"]), as_of.resolve("")).copies[0].outcome == "match"
    assert story.tainted(run[1])
    assert not story.tainted(later[1])


def test_a_mismatch_at_a_mention_taints_nobody(story: Story) -> None:
    elsewhere = "s3://nowhere/a.csv"
    run = story.run("from elsewhere", now_us() - HOUR_US, elsewhere)
    story.look(elsewhere, "mismatch", now_us())
    story.graph()
    assert not story.tainted(run[0])
