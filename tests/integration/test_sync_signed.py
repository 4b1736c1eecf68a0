"""A run that our collector saw and its pipeline signed: one run, whoever came first."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from lineage.graph.model import run_key
from lineage.localservices.service import LocalService
from lineage.services import as_of, fill, keyring, mlflow_state, project, run_inputs, sync_files, sync_lineage
from lineage.trust.digest import sha256_hex
from lineage.trust.policy import KeyRing
from tests import factories
from tests.conftest import Api
from tests.factories import Signer
from tests.integration.followed import Followed
from tests.integration.made_anew import emptied
from tests.integration.mlflow_room import Room
from tests.mlflow_rest import Rest

BUILDER = "urn:lineage:mlflow:lab"


@pytest.fixture
def lab(graph: Callable[[], int], emptied_mlflow: LocalService) -> Followed:
    followed = Followed(Rest(emptied_mlflow.url), graph)
    followed.follow()
    return followed


@pytest.fixture
def signer() -> Signer:
    return factories.registered()


def judged(api: Api, run: str) -> tuple[str, list[str]]:
    found = api.get(f"/api/v1/nodes/{run_key(BUILDER, run, '')}").json()
    return found["status"], found["reasons"]


def trained(rest: Rest, content: bytes, *datasets: tuple[str, str]) -> str:
    """A run with these datasets (name, source) and one model of one file."""
    run = rest.run()
    for name, source in datasets:
        rest.dataset(run, name, source=source, digest=sha256_hex(source.encode())[:8])
    rest.model(run, {"MLmodel": content})
    rest.finish(run)
    return run


def signs(api: Api, lab: Followed, signer: Signer, run: str, content: bytes, *used: dict[str, Any]) -> None:
    model = {"name": "model", "digest": {"sha256": sha256_hex(content)}}
    said = factories.provenance([model], list(used), builder=BUILDER, invocation=run)
    assert api.attest(signer.envelope(said)).status_code == 201
    lab.graph()


def dataset(name: str, uri: str = "") -> dict[str, Any]:
    return {"name": name, "digest": {"sha256": "a" * 64}} | ({"uri": uri} if uri else {})


def test_a_digest_that_is_signed_later(lab: Followed, api: Api, signer: Signer) -> None:
    """The same URI with a digest answers; another input that nobody digests stays one."""
    one, two = ("train", "s3://b/one.csv"), ("train", "s3://b/two.csv")
    both = trained(lab.rest, b"both", one, two)
    single = trained(lab.rest, b"single", one)
    lab.sync()
    assert judged(api, single) == ("unverified", ["input-undigested", "observed-only"])
    for run, content in ((both, b"both"), (single, b"single")):
        signs(api, lab, signer, run, content, dataset("train", "s3://b/one.csv"))
    assert judged(api, single) == ("verified", [])
    assert judged(api, both) == ("unverified", ["input-undigested"])
    lab.sync(sweep=True)
    assert judged(api, single) == ("verified", [])
    factories.revoke(signer)
    lab.graph()
    assert judged(api, single) == ("unverified", ["input-undigested", "signer-revoked"])


def test_a_digest_that_is_signed_first(lab: Followed, api: Api, signer: Signer) -> None:
    """By its URI, or by a name that no other input of the run has."""
    one, two = ("train", "s3://b/one.csv"), ("train", "s3://b/two.csv")
    cases = {
        b"uri": ((one,), [dataset("other", "s3://b/one.csv")], []),
        b"name": ((one,), [dataset("train")], []),
        b"two": ((one, two), [dataset("train")], ["input-undigested"]),
        b"one of two": ((one, two), [dataset("train", "s3://b/one.csv")], ["input-undigested"]),
    }
    runs = {}
    for content, (datasets, used, _) in cases.items():
        runs[content] = trained(lab.rest, content, *datasets)
        signs(api, lab, signer, runs[content], content, *used)
    lab.sync()
    for content, (_, _, reasons) in cases.items():
        assert judged(api, runs[content])[1] == reasons, content


def test_a_sync_while_the_graph_is_behind(
    lab: Followed, api: Api, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is signed before is known, or nothing is said: what is in the log once stays a gap for ever."""
    runs = [trained(lab.rest, content, ("train", f"s3://b/{content!r}")) for content in (b"1", b"2")]
    for run, content in zip(runs, (b"1", b"2"), strict=True):
        signs(api, lab, signer, run, content, dataset("train"))
    with monkeypatch.context() as patched:
        patched.setattr(sync_lineage, "GRAPH_SECONDS", 0.0)
        patched.setattr(fill, "lock", lambda: nullcontext(False))
        emptied(fill.FILLING + project.fingerprint())
        lab.sync()
        assert lab.rows("run-lineage") == lab.rows(mlflow_state.PROVENANCE) == 0
        assert sync_files.pending("lab") == len(runs)
    emptied("of other rules")
    lab.sync()
    assert sync_files.pending("lab") == 0
    for run in runs:
        assert judged(api, run) == ("verified", [])


def test_signed_inputs_of_a_graph_that_is_made_anew_meanwhile(
    lab: Followed, api: Api, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = lab.rest.run()
    signs(api, lab, signer, run, b"m", dataset("train"))
    key, size = run_key(BUILDER, run, ""), as_of.resolve(None).head
    found = run_inputs.signed_inputs(key, size)
    assert found is not None
    assert found.names == {"train"}
    assert run_inputs.signed_inputs(key, size + 1) is None
    real = keyring.current

    def meanwhile() -> KeyRing:
        emptied("of other rules")
        lab.graph()
        return real()

    monkeypatch.setattr(keyring, "current", meanwhile)
    assert run_inputs.signed_inputs(key, size) is None


def test_who_is_not_believed_hides_no_input(lab: Followed, api: Api, signer: Signer) -> None:
    run = trained(lab.rest, b"revoked", ("train", "s3://b/one.csv"))
    revoked = factories.registered()
    signs(api, lab, revoked, run, b"revoked", dataset("train", "s3://b/one.csv"))
    signs(api, lab, signer, run, b"revoked")
    factories.revoke(revoked)
    lab.sync()
    assert judged(api, run) == ("unverified", ["input-undigested"])


LATE = """
with mlflow.start_run(run_name="late") as run:
    ids["late"] = run.info.run_id
    lm.used("data", name="folder")
    mlflow.log_input(mlflow.data.from_numpy(np.zeros((3, 1)), source="data", name="folder"), "training")
    mlflow.set_tag("mlflow.source.git.commit", "4" * 40)
    lm.from_scratch()
    mlflow.pyfunc.log_model(name="model", python_model=model, pip_requirements=[])
"""


def test_a_statement_that_waited_on_disk(
    lab: Followed, api: Api, mlflow_service: LocalService, tmp_path: Path
) -> None:
    """The helper's statement is sent after the sync: it names what was seen as the collector does."""
    room = Room(tmp_path, mlflow_service, "http://127.0.0.1:9", "")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a.csv").write_text("1\n")
    (tmp_path / "data/b.csv").write_text("2\n")
    ids, _ = room.run(LATE)
    (waiting,) = tmp_path.glob("spool/*/*.json")
    lab.sync()
    assert judged(api, ids["late"]) == ("unverified", ["input-undigested", "observed-only"])
    factories.register(Signer(room.key, "training"))
    assert api.attest(waiting.read_bytes()).status_code == 201
    lab.graph()
    assert judged(api, ids["late"]) == ("verified", [])
