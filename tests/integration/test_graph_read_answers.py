"""The answers of `services.lineage` over a real log: names, trust, taint, copies, gaps."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lineage.errors import NotFoundError
from lineage.services import as_of as moments
from lineage.services import intake, lineage
from lineage.services.as_of import AsOf
from lineage.services.clock import now_us
from lineage.trust.leaf import rfc3339
from lineage.trust.policy import Scopes
from tests import factories
from tests.factories import Signer, artifact, fresh, provenance, statement

Follow = Callable[[], int]
DATASET = "urn:lineage:predicate:dataset:v1"
MODEL = "urn:lineage:predicate:model:v1"


def send(who: Signer, made: dict[str, Any]) -> int:
    """Returns the entry's index."""
    return intake.submit(who.envelope(made), token=factories.token("attest")).receipt.index


def about(descriptor: dict[str, Any], predicate_type: str) -> dict[str, Any]:
    """A dataset's or model's own statement."""
    return statement(descriptor, predicate_type=predicate_type, predicate={"name": descriptor["name"]})


def key_of(descriptor: dict[str, Any]) -> str:
    return f"sha256:{descriptor['digest']['sha256']}"


def now() -> AsOf:
    return moments.resolve(None)


def test_one_run_is_found_from_either_end(graph: Follow) -> None:
    pipeline = factories.registered()
    data, model = artifact("дані.csv"), artifact("модель.bin")
    index = send(pipeline, provenance([model], [data]))
    graph()
    up = lineage.closure(key_of(model), "ancestors", now())
    assert (up.root, up.total, up.backend, up.tree_size) == (key_of(model), 2, "sql", now().size)
    assert {node.name for node in up.nodes if node.kind == "artifact"} == {"дані.csv"}
    assert up.counts_by_kind == {"artifact": 1, "run": 1}
    assert {(edge.type, edge.trust, edge.support) for edge in up.edges} == {
        ("USED", "signed", (index,)),
        ("WAS_GENERATED_BY", "signed", (index,)),
    }
    down = lineage.closure(key_of(data), "descendants", now(), kinds=["artifact"])
    assert [node.key for node in down.nodes] == [key_of(model)]
    (path,) = lineage.paths(key_of(model), key_of(data), now())
    (back,) = lineage.paths(key_of(data), key_of(model), now())
    assert [node.key for node in path.nodes] == [node.key for node in reversed(back.nodes)]
    assert path.hops == 2
    assert lineage.paths(key_of(data), key_of(data), now()) == []


def test_a_signer_opens_what_it_signed(graph: Follow) -> None:
    pipeline = factories.registered(name="plant")
    data, model = artifact(), artifact()
    send(pipeline, about(data, DATASET))
    send(factories.registered(), provenance([model], [data]))
    graph()
    closure = lineage.closure(f"key:{pipeline.key_id}", "descendants", now())
    assert {key_of(data), key_of(model)} <= {node.key for node in closure.nodes}
    assert closure.root_node.name == "plant"
    assert ("WAS_ATTRIBUTED_TO", key_of(data)) in {(edge.type, edge.source) for edge in closure.edges}


def test_what_was_not_known_then_is_not_found(graph: Follow) -> None:
    pipeline = factories.registered()
    first, second = artifact("first"), artifact("second")
    index = send(pipeline, statement(first))
    send(pipeline, statement(second))
    graph()
    then = moments.resolve(str(index + 1))
    assert lineage.node(key_of(first), then).support == (index,)
    with pytest.raises(NotFoundError):
        lineage.node(key_of(second), then)
    with pytest.raises(NotFoundError):
        lineage.closure(key_of(second), "ancestors", then)
    assert lineage.search(then, text="second").total == 0
    assert lineage.search(now(), text="second").total == 1


def test_the_first_name_that_is_believed_is_shown(graph: Follow) -> None:
    bad, good = factories.registered(name="bad"), factories.registered(name="good")
    digest = factories.sha256(fresh("bytes"))
    send(bad, statement(artifact("evil", digest)))
    send(good, statement(artifact("fine", digest)))
    graph()
    before = now()
    factories.revoke(bad)
    graph()
    assert lineage.node(f"sha256:{digest}", before).name == "evil"
    found = lineage.node(f"sha256:{digest}", now())
    assert found.name == "fine"
    assert [(claim.name, claim.trust, claim.signer_name) for claim in found.names] == [
        ("evil", "revoked", "bad"),
        ("fine", "signed", "good"),
    ]
    factories.revoke(good)
    graph()
    found = lineage.node(f"sha256:{digest}", now())
    assert found.name == f"sha256:{digest[:8]}…{digest[-8:]}"
    assert found.trust == "revoked"


def test_what_a_statement_about_it_calls_it_comes_before_a_mention(graph: Follow) -> None:
    stranger, owner = factories.registered(), factories.registered()
    digest = factories.sha256(fresh("bytes"))
    send(stranger, provenance([artifact("theirs")], [artifact("slander", digest)]))
    send(owner, statement(artifact("model", digest)))
    graph()
    assert lineage.node(f"sha256:{digest}", now()).name == "model"
    factories.revoke(owner)
    graph()
    assert lineage.node(f"sha256:{digest}", now()).name == "slander"


def test_taint_comes_with_a_compromised_key_and_names_its_source(graph: Follow) -> None:
    stolen, other = factories.registered(), factories.registered()
    data, model, twice = artifact("data"), artifact("model"), artifact("twice")
    send(stolen, about(data, DATASET))
    send(stolen, about(twice, DATASET))
    send(other, about(twice, DATASET))
    send(other, provenance([model], [data, twice]))
    graph()
    before = now()
    assert lineage.status_counts(before).tainted == 0
    factories.revoke(stolen, compromised=True)
    graph()
    found = lineage.node(key_of(model), now())
    assert [(by.key, by.source, by.hops) for by in found.tainted_by] == [(key_of(data), "key-compromised", 2)]
    assert found.tainted
    assert not lineage.node(key_of(twice), now()).tainted
    tainted = {node.key for node in lineage.search(now(), tainted=True).nodes}
    assert {key_of(data), key_of(model)} < tainted
    assert lineage.status_counts(now()).tainted == len(tainted) == 3
    others = lineage.search(now(), tainted=False, limit=200)
    assert tainted.isdisjoint(node.key for node in others.nodes)
    assert others.total + 3 == lineage.search(now()).total
    assert not lineage.node(key_of(model), before).tainted


def test_a_merely_revoked_key_taints_nothing(graph: Follow) -> None:
    lost = factories.registered()
    data = artifact()
    send(lost, about(data, DATASET))
    factories.revoke(lost)
    graph()
    assert not lineage.node(key_of(data), now()).tainted


def test_gaps_say_who_could_close_them_and_how(graph: Follow) -> None:
    pipeline = factories.registered(
        Scopes(predicate_types=(factories.SLSA_V1,), builders=(factories.BUILDER,))
    )
    factories.registered(Scopes(predicate_types=(DATASET,)), name="data office")
    factories.registered(Scopes(predicate_types=(MODEL,)), name="model office")
    named = {"uri": "https://example.com/corpus", "name": "corpus"}
    data, model = artifact("the data.csv"), artifact("model.bin")
    send(pipeline, provenance([model], [data, named]))
    graph()
    gaps = lineage.gaps(key_of(model), now())
    assert {gap.slug for gap in gaps} == {"no-attestation", "uri-only", "input-undigested"}
    assert [gap.slug for gap in gaps if gap.key.startswith("uri:")] == ["uri-only"]
    missing = next(gap for gap in gaps if gap.key == key_of(data))
    words = shlex.split(missing.command)
    assert words[:4] == ["lineage", "attest", "--subject", f"the data.csv={key_of(data)}"]
    assert words[words.index("--predicate-type") + 1] in {factories.SLSA_V1, DATASET}
    assert {"--predicate", "--key", "--url", "--token"} < set(words)
    undigested = next(gap for gap in gaps if gap.slug == "uri-only")
    assert "--material" in undigested.command
    assert lineage.node(key_of(model), now()).gaps == tuple(gaps)
    assert all(gap.what and gap.closes for gap in gaps)


def test_signers_of_a_gap_are_those_whose_scopes_allow_it(graph: Follow) -> None:
    pipeline = factories.registered()
    factories.registered(Scopes(predicate_types=(DATASET,)), name="data office")
    factories.registered(Scopes(predicate_types=(MODEL,)), name="model office")
    data = artifact("data.csv", annotations={"role": "dataset"})
    send(pipeline, provenance([artifact()], [data]))
    graph()
    gaps = [gap for gap in lineage.gaps(key_of(data), now()) if gap.key == key_of(data)]
    assert [gap.slug for gap in gaps] == ["no-attestation"]
    assert DATASET in gaps[0].command
    assert set(gaps[0].signers) == {pipeline.name, "data office"}


def test_an_artifact_without_a_copy_says_that_nobody_looked_at_its_bytes(
    graph: Follow, storage: Path
) -> None:
    pipeline = factories.registered()
    kept = artifact("kept", downloadLocation=f"file://{storage}/kept.bin")
    away = artifact("away", downloadLocation="https://example.com/away.bin")
    for each in (kept, away):
        send(pipeline, about(each, DATASET))
    graph()
    found = lineage.node(key_of(kept), now())
    assert (found.notes, found.reasons) == ((), ("never-checked",))
    assert [(copy.outcome, copy.at) for copy in found.copies] == [("never-checked", "")]
    found = lineage.node(key_of(away), now())
    assert (found.notes, found.status, found.copies) == (("bytes-not-checked",), "verified", ())
    assert [mention.location for mention in found.mentions] == ["https://example.com/away.bin"]


def test_checks_are_listed_newest_first_and_the_copy_has_the_newest(graph: Follow, storage: Path) -> None:
    pipeline = factories.registered()
    where = f"file://{storage}/model.bin"
    model = artifact("checked", downloadLocation=where)
    digest = key_of(model)
    send(pipeline, about(model, MODEL))
    times = [rfc3339(now_us() - 1_000_000 * age) for age in (30, 20, 10)]
    for at, outcome in ((times[0], "match"), (times[2], "mismatch"), (times[1], "match")):
        observed = digest if outcome == "match" else f"sha256:{'0' * 64}"
        send(pipeline, check(model, digest, where, observed, outcome, at))
    graph()
    assert [row.outcome for row in lineage.checks(digest, now())] == ["mismatch", "match", "match"]
    (copy,) = lineage.node(digest, now()).copies
    assert (copy.location, copy.outcome, copy.at) == (where, "mismatch", times[2])
    assert lineage.node(digest, now()).notes == ()
    newest = lineage.recent_exceptions(now())[0]
    assert (newest.node.key, newest.node.status, newest.before) == (digest, "failed", "verified")
    assert lineage.check_age(now()) == lineage.CheckAge(times[2], times[2])


def test_a_check_by_a_revoked_key_is_listed_and_not_believed(graph: Follow, storage: Path) -> None:
    pipeline, checker = factories.registered(), factories.registered()
    where = f"file://{storage}/model.bin"
    model = artifact("judged", downloadLocation=where)
    digest = key_of(model)
    send(pipeline, about(model, MODEL))
    send(checker, check(model, digest, where, digest, "match", rfc3339(now_us())))
    graph()
    found = lineage.node(digest, now())
    assert (found.copies[0].outcome, found.status, found.notes) == ("match", "verified", ())
    assert [row.trust for row in lineage.checks(digest, now())] == ["signed"]
    factories.revoke(checker)
    graph()
    found = lineage.node(digest, now())
    assert (found.copies[0].outcome, found.reasons) == ("never-checked", ("never-checked",))
    assert [row.trust for row in lineage.checks(digest, now())] == ["revoked"]


def check(
    model: dict[str, Any], digest: str, location: str, observed: str, outcome: str, at: str
) -> dict[str, Any]:
    row = {
        "digest": digest,
        "location": location,
        "method": "sha256",
        "expected": digest,
        "observed": observed,
        "outcome": outcome,
        "at": at,
    }
    subject = {"name": model["name"], "digest": model["digest"]}
    return statement(subject, predicate_type="urn:lineage:predicate:check:v1", predicate={"rows": [row]})


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder under which locations are copies."""
    from lineage import config

    monkeypatch.setenv("LINEAGE_STORAGE_ROOTS", str(tmp_path))
    config.current.cache_clear()
    yield tmp_path
    monkeypatch.undo()
    config.current.cache_clear()
