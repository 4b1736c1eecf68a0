"""Files of a real MLflow server."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

import pytest

from lineage.artifacts.storage import Access, GoneError, MissingError
from lineage.errors import InconclusiveError
from lineage.localservices import mlflow
from lineage.localservices.service import LocalService
from lineage.mlflow import connection
from lineage.mlflow.connection import Connection, Settings
from lineage.mlflow.storage import MlflowStorage
from tests.hostile_http import Answer, answer, hostile
from tests.integration.storage_contract import LARGE, LOOPBACK, Contract, Stand, whole
from tests.integration.storage_contract import impatient as impatient  # noqa: PLC0414 a fixture
from tests.mlflow_rest import Rest
from tests.relay import relay

SOURCE = "Lab"
LONG_AGO = 1_700_000_000


class OwnConnection(MlflowStorage):
    """For the contract: with a connection of its own."""

    def __init__(self, access: Access) -> None:
        self.http = Connection(
            Settings(
                access.endpoint,
                auth="basic" if access.username else "none",
                username=access.username,
                secret=access.secret,
                requests_per_second=1e6,
                private_networks=access.private_networks,
            )
        )
        super().__init__(self.http, SOURCE)

    def close(self) -> None:
        self.http.close()


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "BACKOFF_SECONDS", 0.001)


@pytest.fixture(scope="module")
def experiment(mlflow_service: LocalService) -> str:
    return Rest(mlflow_service.url).experiment(f"e-{secrets.token_hex(8)}")


class Files(Contract):
    """Of runs and of models."""

    odd: ClassVar[list[str]] = ["q?x", "a b", "\u00e4\u20ac", "a+b&c=d", "a'b\"(c)"]
    redirects: ClassVar[bool] = False
    kind: ClassVar[str] = ""

    @pytest.fixture
    def stand(self, mlflow_service: LocalService, experiment: str) -> Iterator[Stand]:
        rest = Rest(mlflow_service.url)
        owner = rest.run(experiment) if self.kind == "runs" else rest.empty_model(experiment)
        above = owner if self.kind == "runs" else f"models/{owner}"
        root = mlflow_service.directory / "artifacts" / experiment / above / "artifacts"

        with relay(mlflow_service.url) as between:
            yield Stand(
                access=Access(
                    *("mlflow", f"mlflow://{SOURCE}", f"http://{between.authority}"),
                    private_networks=LOOPBACK,
                ),
                relay=between,
                put=lambda path, content: settled(root / path, content),
                at=lambda path: f"mlflow://{SOURCE}/{self.kind}/{owner}/{quote(path)}",
                open=OwnConnection,
            )

    def test_a_file_that_the_server_copies_for_each_request_is_read(
        self, stand: Stand, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its version can't be known; it is begun again, and its beginning compared."""
        stand.put("new.bin", LARGE)
        monkeypatch.setattr("lineage.mlflow.storage._settled", lambda answer: False)
        with stand.opened() as storage:
            source = storage.open(storage.item(stand.at("new.bin")))
            stand.relay.cut(3_000_000)
            assert whole(source) == LARGE
            assert len(source.notes) == 1
            stand.relay.cut()
            source = storage.open(storage.item(stand.at("new.bin")))
            assert source.readinto(memoryview(bytearray(1000))) == 1000
            stand.put("new.bin", LARGE + b"x")
            with pytest.raises(InconclusiveError):
                whole(source)
            source.close()

    def test_names_that_mlflow_takes_for_others_are_inconclusive(self, stand: Stand) -> None:
        for name in ("a%20b", "a#b", "a;"):
            stand.put(f"hard/{name}", b"x")
        with stand.opened() as storage:
            for item in storage.items(stand.at("hard")):
                with pytest.raises(InconclusiveError, match="can't be named"):
                    storage.open(item)

    def test_a_run_or_model_that_there_is_not_is_missing(self, stand: Stand) -> None:
        nobody = f"mlflow://{SOURCE}/{self.kind}/{'m-' if self.kind == 'models' else ''}{'f' * 32}"
        with stand.opened() as storage:
            with pytest.raises(MissingError):
                storage.items(nobody)
            with pytest.raises(MissingError):
                storage.item(f"{nobody}/x")

    @pytest.mark.parametrize("tail", ["", "/", "/runs", "/experiments/1/x"])
    def test_other_addresses_are_inconclusive(self, stand: Stand, tail: str) -> None:
        with stand.opened() as storage:
            for call in (storage.item, storage.items):
                with pytest.raises(InconclusiveError):
                    call(f"mlflow://{SOURCE}{tail}")

    def test_a_folder_of_one_file_is_that_file_too(self, stand: Stand) -> None:
        folder = stand.at("model.joblib").rpartition("/")[0]
        stand.put("model.joblib", b"weights")
        with stand.opened() as storage:
            item = storage.item(folder)
            assert (item.path, whole(storage.open(item))) == (b"model.joblib", b"weights")
            stand.put("README", b"more")
            with pytest.raises(InconclusiveError, match="a folder of 2 files"):
                storage.item(folder)


class TestRuns(Files):
    kind = "runs"


class TestModels(Files):
    kind = "models"


def settled(path: Path, content: bytes) -> None:
    """Put a file there that was last changed long ago, at another time for another content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(".new")
    new.write_bytes(content)
    os.utime(new, (LONG_AGO, LONG_AGO + sum(content[:100])))
    new.replace(path)


def test_a_server_with_users_wants_ours(mlflow_with_users: LocalService) -> None:
    service = mlflow_with_users
    assert isinstance(service, mlflow.Mlflow)
    good = Access(
        *("mlflow", f"mlflow://{SOURCE}", service.url, "", mlflow.ADMIN, service.password),
        private_networks=LOOPBACK,
    )
    with OwnConnection(good) as storage:
        storage.probe()
    with OwnConnection(replace(good, secret="another")) as storage, pytest.raises(GoneError):
        storage.probe()


def test_a_file_that_is_redirected_is_not_followed() -> None:
    def reply(_number: int, request: bytes) -> Answer:
        if b"/runs/get" in request:
            return answer(
                b'{"run": {"info": {"run_id": "r", "artifact_uri": "mlflow-artifacts:/0/r/artifacts"}}}'
            )
        if b"/artifacts/list" in request:
            return answer(b'{"files": [{"path": "x", "file_size": 6}]}')
        return answer(b"", "302 Away", f"Location: {other.url}/x")

    with hostile(answer(b"secret")) as other, hostile(reply) as server:
        with OwnConnection(Access("mlflow", "", server.url, private_networks=LOOPBACK)) as storage:
            source = storage.open(storage.item(f"mlflow://{SOURCE}/runs/r/x"))
            with pytest.raises(InconclusiveError, match="redirects"):
                whole(source)
        assert other.requests == []
