"""A real MLflow server while runs are deleted there for good: none of the others is missing."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from lineage.localservices.service import LocalService
from lineage.mlflow import api
from lineage.mlflow.api import Mlflow
from lineage.mlflow.connection import Connection, Settings
from lineage.mlflow.errors import SourceError
from lineage.mlflow.paging import Found
from tests.hostile_http import answer, hostile
from tests.mlflow_rest import Rest, gc

RUNS = 1000
START = 1_790_000_000_000


@pytest.fixture
def server(emptied_mlflow: LocalService) -> Iterator[Mlflow]:
    loopback = ("127.0.0.0/8",)
    with Connection(
        Settings(emptied_mlflow.url, private_networks=loopback, requests_per_second=1e6)
    ) as connection:
        yield Mlflow(connection)


def multiplied(service: LocalService, pattern: str, starts: list[int]) -> list[str]:
    """Runs as `pattern` is, with these starts; straight into the server's database, as REST takes minutes."""
    names = [f"{number:032x}" for number in range(1, len(starts) + 1)]
    with closing(sqlite3.connect(service.directory / "mlflow.db", timeout=60)) as database, database:
        columns = [row[1] for row in database.execute("PRAGMA table_info(runs)")]
        row = dict(
            zip(
                columns,
                database.execute("SELECT * FROM runs WHERE run_uuid = ?", [pattern]).fetchone(),
                strict=True,
            )
        )
        made = [
            {**row, "run_uuid": name, "start_time": start} for name, start in zip(names, starts, strict=True)
        ]
        places = ", ".join(f":{column}" for column in columns)
        database.executemany(f"INSERT INTO runs VALUES ({places})", made)
    return names


def purge(service: LocalService, runs: list[str]) -> None:
    """`mlflow gc`, after each was deleted."""
    rest = Rest(service.url)
    for run in runs:
        rest.post("runs/delete", run_id=run)
    gc(service, runs)


def ids(pages: Iterator[list[Found]]) -> list[str]:
    return [str(run["info"]["run_id"]) for page in pages for run in page]


@pytest.mark.parametrize("starts", ["each its own", "all the same"])
def test_no_run_is_hidden_by_those_that_are_purged(
    server: Mlflow,
    emptied_mlflow: LocalService,
    monkeypatch: pytest.MonkeyPatch,
    starts: str,
) -> None:
    monkeypatch.setattr(api, "PAGE", 120)
    step = starts == "each its own"
    pattern = Rest(emptied_mlflow.url).run(start=START - 1)
    runs = multiplied(emptied_mlflow, pattern, [START + step * number for number in range(RUNS)])
    pages = server.all_runs(["0"])
    found = ids(iter([next(pages), next(pages)]))
    gone = found[5:15]
    assert server.run(gone[0]) is not None
    purge(emptied_mlflow, gone)
    assert server.run(gone[0]) is None
    Rest(emptied_mlflow.url).post("runs/delete", run_id=found[20])  # comes back with the deleted ones
    found += ids(pages)
    assert set(found) == {pattern, *runs}
    assert len(found) == len(set(found))


def test_a_folder_that_cannot_be_named_to_mlflow_is_not_taken_for_empty(
    server: Mlflow, emptied_mlflow: LocalService
) -> None:
    run = server.run(Rest(emptied_mlflow.url).run())
    assert run is not None
    folder = (
        emptied_mlflow.directory / "artifacts" / run["info"]["artifact_uri"].partition(":/")[2].strip("/")
    )
    for name in ("a b", "plain?", "ü", "100%"):
        (folder / name).mkdir(parents=True)
        (folder / name / "f").write_bytes(b"x")
    run_id = run["info"]["run_id"]
    known = {"a b/f", "ü/f", "100%/f"}
    with pytest.raises(SourceError):
        server.run_files(run_id)
    (folder / "plain?" / "f").unlink()
    (folder / "plain?").rmdir()
    assert {each.path for each in server.run_files(run_id)} == known
    (folder / "a%20b").mkdir()
    (folder / "a%20b" / "weights").write_bytes(b"x")
    with pytest.raises(SourceError) as caught:
        server.run_files(run_id)
    assert caught.value.trouble == "bad-answer"


def test_the_files_of_what_is_gone_are_not_no_files(server: Mlflow) -> None:
    for listed, missing in ((server.run_files, "f" * 32), (server.model_files, "m-" + "f" * 32)):
        with pytest.raises(SourceError) as caught:
            listed(missing)
        assert caught.value.trouble == "bad-answer"


def test_runs_that_are_too_large_together_come_in_smaller_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lineage.mlflow.connection.MAX_ANSWER_BYTES", 5000)
    monkeypatch.setattr("lineage.mlflow.connection.Connection._whole.__defaults__", (5000,))
    runs = [
        {"info": {"run_id": f"r{n}", "start_time": n}, "data": {"params": ["x" * 1000]}} for n in range(20)
    ]

    def reply(_number: int, request: bytes) -> bytes:
        body = json.loads(request.partition(b"\r\n\r\n")[2])
        least = int(body["filter"].rpartition(" ")[2])
        there = [run for run in runs if run["info"]["start_time"] >= least]  # type: ignore[index]
        at = int(body.get("page_token", 0))
        shown = there[at : at + body["max_results"]]
        more = {"next_page_token": str(at + len(shown))} if at + len(shown) < len(there) else {}
        return answer(json.dumps({"runs": shown, **more}).encode())

    with hostile(reply) as fat:
        settings = Settings(fat.url, private_networks=("127.0.0.0/8",), requests_per_second=1e6)
        with Connection(settings) as connection:
            assert ids(Mlflow(connection).all_runs(["0"])) == [f"r{n}" for n in range(20)]
