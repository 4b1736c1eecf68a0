"""What a real MLflow server answers to us: names, times, states, listings, credentials."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from lineage.localservices import mlflow
from lineage.localservices.service import LocalService
from lineage.mlflow import api
from lineage.mlflow.api import Mlflow
from lineage.mlflow.connection import Connection, Settings
from lineage.mlflow.errors import SourceError
from lineage.mlflow.paging import Found
from tests.mlflow_rest import Rest


def settings(url: str, **members: str) -> Settings:
    return Settings(url, private_networks=("127.0.0.0/8",), requests_per_second=1e6, **members)  # type: ignore[arg-type]


@pytest.fixture
def server(mlflow_service: LocalService) -> Iterator[Mlflow]:
    with Connection(settings(mlflow_service.url)) as http:
        yield Mlflow(http)


@pytest.fixture
def rest(mlflow_service: LocalService) -> Rest:
    return Rest(mlflow_service.url)


@pytest.fixture
def experiment(rest: Rest) -> str:
    return rest.experiment(f"e-{secrets.token_hex(8)}")


def ids(pages: Iterator[list[Found]]) -> list[str]:
    return [str(run["info"]["run_id"]) for page in pages for run in page]


def stored(service: LocalService, run: Found) -> Path:
    """Where the server keeps the files of a run."""
    folder = service.directory / "artifacts" / run["info"]["artifact_uri"].partition(":/")[2]
    folder.mkdir(parents=True, exist_ok=True)
    return Path(folder)


def test_the_version_is_told(server: Mlflow) -> None:
    assert server.version().startswith("3.17.")


def test_another_server_is_not_taken_for_mlflow(mlflow_service: LocalService) -> None:
    with Connection(settings(f"{mlflow_service.url}/nowhere")) as http:
        for call in (Mlflow(http).version, lambda: list(Mlflow(http).experiments())):
            with pytest.raises(SourceError) as caught:
                call()
            assert caught.value.trouble in {"not-mlflow", "bad-answer", "too-large"}


def test_deleted_experiments_and_their_runs_are_listed(server: Mlflow, rest: Rest, experiment: str) -> None:
    run = rest.run(experiment)
    rest.finish(run)
    rest.post("experiments/delete", experiment_id=experiment)
    listed = {each["experiment_id"]: each for page in server.experiments() for each in page}
    assert listed[experiment]["lifecycle_stage"] == "deleted"
    assert ids(server.all_runs([experiment])) == [run]
    assert ids(server.runs_ended_since([experiment], 0)) == [run]


def test_every_run_is_listed_whatever_its_times(server: Mlflow, rest: Rest, experiment: str) -> None:
    runs = [rest.run(experiment, start=start) for start in (-5, 0, 1, 1_790_000_000_000, 2**62)]
    rest.finish(runs[0], end=-7)
    rest.finish(runs[1], end=2**62)
    assert ids(server.all_runs([experiment])) == runs
    assert ids(server.open_runs([experiment])) == runs[2:]
    assert ids(server.runs_ended_since([experiment], 0)) == [runs[1]]
    assert sorted(ids(server.runs_by_id([experiment], [*runs[3:], "f" * 32]))) == sorted(runs[3:])


def test_no_run_is_hidden_by_one_that_goes(
    server: Mlflow, rest: Rest, experiment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "PAGE", 2)
    runs = [rest.run(experiment, start=1_790_000_000_000 + number) for number in range(7)]
    pages = server.open_runs([experiment])
    found = [str(run["info"]["run_id"]) for run in next(pages)]
    rest.finish(found[0])
    assert found + ids(pages) == runs


def test_model_inputs_come_with_the_run_alone(server: Mlflow, rest: Rest, experiment: str) -> None:
    base = rest.model(rest.run(experiment), {"MLmodel": b"x"}, experiment)
    run = rest.run(experiment, start=1_790_000_000_001)
    rest.uses_model(run, base)
    found = dict(server.run_many([run, "f" * 32]))
    assert found["f" * 32] is None
    whole = found[run]
    assert isinstance(whole, dict)
    assert whole["inputs"]["model_inputs"] == [{"model_id": base}]
    searched = [each for page in server.runs_by_id([experiment], [run]) for each in page]
    assert "model_inputs" not in searched[0].get("inputs", {})


def test_many_runs_come_in_order(server: Mlflow, rest: Rest, experiment: str) -> None:
    runs = [rest.run(experiment, start=number) for number in range(40)]
    assert [run_id for run_id, found in server.run_many(runs) if isinstance(found, dict)] == runs


@pytest.mark.parametrize(
    "name",
    [*("plain", "sp ace", "q?x", "100%", "a+b&c=d", "quote\"'", "back\\slash"),
     *("日本語.bin", "नमूना", "👩\u200d🔬", "é", "e\u0301")],
)  # fmt: skip
def test_files_of_any_script_are_read(
    server: Mlflow, mlflow_service: LocalService, rest: Rest, experiment: str, name: str
) -> None:
    run = server.run(rest.run(experiment))
    assert run is not None
    folder = stored(mlflow_service, run) / "sub"
    folder.mkdir()
    content = secrets.token_bytes(100)
    (folder / name).write_bytes(content)
    (found,) = server.run_files(run["info"]["run_id"])
    assert (found.path, found.size) == (f"sub/{name}", 100)
    for uri in (run["info"]["artifact_uri"], "s3://elsewhere/x"):
        with server.read_run_file(run["info"]["run_id"], uri, found.path) as chunks:
            assert b"".join(chunks) == content


@pytest.mark.parametrize(("name", "twin"), [("p%20c", "p c"), ("a;", "a"), ("new\nline", "newline")])
def test_no_file_is_read_for_another(
    server: Mlflow, mlflow_service: LocalService, rest: Rest, experiment: str, name: str, twin: str
) -> None:
    run = server.run(rest.run(experiment))
    assert run is not None
    folder = stored(mlflow_service, run)
    (folder / name).write_bytes(b"its own")
    (folder / twin).write_bytes(b"of the twin")
    run_id = run["info"]["run_id"]
    assert {each.path for each in server.run_files(run_id)} == {name, twin}
    for uri in (run["info"]["artifact_uri"], "s3://elsewhere/x"):
        with pytest.raises(SourceError) as caught, server.read_run_file(run_id, uri, name):
            pass
        assert caught.value.trouble == "bad-answer"


def test_compressed_and_empty_and_large_files_are_read_as_they_are(
    server: Mlflow, mlflow_service: LocalService, rest: Rest, experiment: str
) -> None:
    run = server.run(rest.run(experiment))
    assert run is not None
    folder = stored(mlflow_service, run)
    contents = {"a.csv.gz": b"\x1f\x8b not really", "empty": b"", "large": secrets.token_bytes(9_000_001)}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    for name, content in contents.items():
        digest = hashlib.sha256()
        with server.read_run_file(run["info"]["run_id"], run["info"]["artifact_uri"], name) as chunks:
            for chunk in chunks:
                digest.update(chunk)
        assert digest.digest() == hashlib.sha256(content).digest()


def test_a_listing_that_fails_says_nothing_about_the_files(
    server: Mlflow, mlflow_service: LocalService, rest: Rest, experiment: str
) -> None:
    run = server.run(rest.run(experiment))
    assert run is not None
    folder = stored(mlflow_service, run)
    (folder / "there").write_bytes(b"x")
    os.symlink("/nowhere", folder / "dangling")
    with pytest.raises(SourceError) as caught:
        server.run_files(run["info"]["run_id"])
    assert caught.value.trouble == "server-error"
    (folder / "dangling").unlink()
    assert [each.path for each in server.run_files(run["info"]["run_id"])] == ["there"]


def test_a_missing_file_is_an_error_and_a_missing_thing_none(
    server: Mlflow, rest: Rest, experiment: str
) -> None:
    run = rest.run(experiment)
    with pytest.raises(SourceError) as caught, server.read_run_file(run, "s3://b", "missing"):
        pass
    assert caught.value.trouble == "bad-answer"
    assert server.run_files(run) == []
    assert server.run("f" * 32) is None
    assert server.experiment("987654321") is None
    assert server.logged_model("m-" + "f" * 32) is None
    assert server.registered_model("nobody") is None
    assert server.model_version("nobody", "1") is None


def test_models_versions_and_aliases(server: Mlflow, rest: Rest, experiment: str) -> None:
    run = rest.run(experiment)
    model = rest.model(run, {"MLmodel": b"flavors: {}", "data/w.bin": b"weights"}, experiment)
    listed = [each for page in server.logged_models([experiment], None) for each in page]
    assert [each["info"]["model_id"] for each in listed] == [model]
    changed = listed[0]["info"]["last_updated_timestamp_ms"]
    assert list(server.logged_models([experiment], changed + 1)) == []
    assert [each.path for each in server.model_files(model)] == ["MLmodel", "data/w.bin"]
    for uri in (listed[0]["info"]["artifact_uri"], "s3://elsewhere/x"):
        with server.read_model_file(model, uri, "data/w.bin") as chunks:
            assert b"".join(chunks) == b"weights"

    name = f"registered {model} ä/"[:-1]
    rest.post("registered-models/create", name=name)
    version = rest.version(name, model, run)
    rest.alias(name, "champion", version)
    registered = {each["name"]: each for page in server.registered_models() for each in page}
    assert registered[name]["aliases"] == [{"alias": "champion", "version": version}]
    found = [each for page in server.model_versions(None) for each in page if each["name"] == name]
    assert [each["source"] for each in found] == [f"models:/{model}"]
    one = server.model_version(name, version)
    assert one is not None
    assert one["run_id"] == run

    rest.call("DELETE", f"mlflow/logged-models/{model}")
    assert server.logged_model(model) is None
    assert list(server.logged_models([experiment], None)) == []


def test_a_server_with_users_wants_ours(mlflow_with_users: LocalService) -> None:
    service = mlflow_with_users
    assert isinstance(service, mlflow.Mlflow)
    for members in ({}, {"auth": "basic", "username": mlflow.ADMIN, "secret": "wrong"}):
        with Connection(settings(service.url, **members)) as http:
            with pytest.raises(SourceError) as caught:
                list(Mlflow(http).experiments())
            assert caught.value.trouble == "unauthorized"
    ours = settings(service.url, auth="basic", username=mlflow.ADMIN, secret=service.password)
    with Connection(ours) as http:
        assert [each["name"] for page in Mlflow(http).experiments() for each in page] == ["Default"]


def test_a_server_that_comes_back_has_what_it_had(stoppable_mlflow: LocalService) -> None:
    run = Rest(stoppable_mlflow.url).run()
    url = stoppable_mlflow.url
    stoppable_mlflow.stop()
    with Connection(settings(url)) as http, pytest.raises(SourceError) as caught:
        Mlflow(http).version()
    assert caught.value.trouble == "unreachable"
    stoppable_mlflow.start()
    assert stoppable_mlflow.url == url
    with Connection(settings(url)) as http:
        assert ids(Mlflow(http).all_runs(["0"])) == [run]
