"""GET /api/v1/nodes/{key}/export: a small model's lineage in every format, then and now, over limits."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from lineage.predicates.folders import dir_hash
from lineage.services import export_closure, exports
from tests import factories
from tests.api.test_nodes import URL, Chain, chain
from tests.conftest import Api, problem

__all__ = ["chain"]
NAMES = [each.name for each in exports.FORMATS]


def sent(answer: Any) -> bytes:
    assert answer.status_code == 200, answer.content
    return b"".join(answer.streaming_content)


def test_an_export_holds_the_closure_with_what_is_believed(api: Api, chain: Chain) -> None:
    answer = api.get(f"{URL}/{chain.model}/export")
    told = json.loads(sent(answer))
    assert answer["Content-Disposition"].endswith(f'-at-{chain.last + 1}.json"')
    assert (told["root"], told["tree_size"], told["graph_at"]) == (
        chain.model,
        chain.last + 1,
        chain.last + 1,
    )
    nodes = {node["key"]: node for node in told["nodes"]}
    assert {chain.model, chain.prepared, chain.dataset} < set(nodes)
    assert nodes[chain.model]["status"] == "verified"
    assert nodes[chain.model]["notes"] == ["bytes-not-checked"]
    assert nodes[chain.model]["log_entries"] == [chain.last]
    assert nodes[chain.dataset]["reasons"] == ["no-attestation"]
    closure = api.get(f"{URL}/{chain.model}/ancestors").json()
    lineage = [edge for edge in told["edges"] if edge["type"] in ("USED", "WAS_GENERATED_BY")]
    assert sorted(map(str, lineage)) == sorted(map(str, closure["edges"]))
    assert {gap["key"] for gap in told["gaps"]} == {chain.dataset}
    assert {node["kind"] for node in told["nodes"]} == {"artifact", "run", "signer"}


@pytest.mark.parametrize("name", NAMES)
def test_the_same_moment_gives_the_same_bytes(
    api: Api, chain: Chain, graph: Callable[[], int], name: str
) -> None:
    path = f"{URL}/{chain.prepared}/export"
    before = sent(api.get(path, format=name, as_of=chain.last + 1))
    api.attest(factories.registered().envelope(factories.provenance([factories.artifact("x")], [])))
    graph()
    assert sent(api.get(path, format=name, as_of=chain.last + 1)) == before
    assert chain.prepared in before.decode()
    assert chain.model not in before.decode()


def test_a_revoked_signer_is_not_believed_any_more(api: Api, graph: Callable[[], int]) -> None:
    from lineage.services import decide

    signer = factories.registered()
    source, made = factories.artifact("in"), factories.artifact("out")
    api.attest(signer.envelope(factories.provenance([made], [source])))
    key = f"sha256:{made['digest']['sha256']}"
    decide.revoke_key(signer.key_id, 0, "stolen", person="os:test")
    graph()
    told = json.loads(sent(api.get(f"{URL}/{key}/export")))
    assert told["nodes"][0]["status"] == "unverified"
    assert {edge["trust"] for edge in told["edges"]} == {"revoked"}
    bom = json.loads(sent(api.get(f"{URL}/{key}/export", format="cyclonedx")))
    assert bom["formulation"][0]["workflows"][0].keys().isdisjoint({"inputs", "outputs"})


def test_the_files_of_a_folder_as_its_signed_list_has_them(
    api: Api, graph: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that another folder has under another name is told by its name in this one."""
    signer, shared = factories.registered(), factories.sha256("LICENSE")
    folders = []
    for listed in ({"b/LICENSE": shared}, {"a": shared, "w": factories.sha256("w"), "z": shared}):
        digest = dir_hash(listed)
        folder = {"name": "m", "digest": {"dirHash": digest}, "annotations": {"files": listed}}
        api.attest(signer.envelope(factories.provenance([folder], [])))
        folders.append(f"dirHash:{digest}")
    graph()
    told = json.loads(sent(api.get(f"{URL}/{folders[1]}/export")))
    assert [(each["path"], each["key"]) for each in told["files"]] == [
        ("a", f"sha256:{shared}"),
        ("w", f"sha256:{factories.sha256('w')}"),
        ("z", f"sha256:{shared}"),
    ]
    assert {each["folder"] for each in told["files"]} == {folders[1]}
    assert (told["files_cut"], len(told["nodes"])) == (False, 3)
    monkeypatch.setattr(export_closure, "MAX_FILES", 2)
    told = json.loads(sent(api.get(f"{URL}/{folders[1]}/export")))
    assert ([each["path"] for each in told["files"]], told["files_cut"]) == (["a", "w"], True)


def test_over_the_limits(api: Api, chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    path = f"{URL}/{chain.model}/export"
    monkeypatch.setattr(export_closure, "MAX_NODES", 4)
    assert problem(api.get(path)) == (413, "too-large")
    monkeypatch.setattr(export_closure, "MAX_NODES", 5)
    assert sent(api.get(path))
    monkeypatch.setattr(export_closure, "MAX_EDGES", 3)
    assert problem(api.get(path)) == (413, "too-large")


def test_what_is_wrong(api: Api, chain: Chain) -> None:
    assert problem(api.get(f"{URL}/{chain.model}/export", format="pdf")) == (400, "malformed")
    assert problem(api.get(f"{URL}/{chain.model}/export", as_of=chain.last)) == (404, "not-found")
    (run,) = [node for node in api.get(URL, kind="run").json()["nodes"] if node["first_index"] == chain.last]
    assert problem(api.get(f"{URL}/{run['key']}/export", format="spdx")) == (400, "malformed")
    assert sent(api.get(f"{URL}/{run['key']}/export", format="prov-json"))
