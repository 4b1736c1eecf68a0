"""Listings and addresses of files, against servers that lie."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

import pytest

from lineage.mlflow import artifacts
from lineage.mlflow.api import Mlflow
from lineage.mlflow.artifacts import FileListed
from lineage.mlflow.connection import Connection, Settings
from lineage.mlflow.errors import SourceError
from tests.hostile_http import answer, hostile

RUN = "4cbdcb76b8ff475ba6fda667030112e1"


def folders(listings: Mapping[str, object]) -> list[FileListed]:
    """What is found where the server lists these folders so."""

    def reply(_number: int, request: bytes) -> bytes:
        query = parse_qs(urlsplit(request.split(b" ")[1].decode()).query)
        return answer(json.dumps({"files": listings.get(query.get("path", [""])[0], [])}).encode())

    with hostile(reply) as server, Connection(settings(server.url)) as http:
        return Mlflow(http).run_files(RUN)


def settings(url: str) -> Settings:
    return Settings(url, private_networks=("127.0.0.0/8",), requests_per_second=1e6)


def file(path: object, size: object = None, is_dir: object = False) -> dict[str, object]:
    return {"path": path, "is_dir": is_dir, "file_size": size}


def test_a_walk_finds_files_in_folders() -> None:
    found = folders(
        {"": [file("b", "7"), file("a", is_dir=True)], "a": [file("a/x y", 0), file("a/#?%.bin")]}
    )
    assert found == [FileListed("a/#?%.bin", None), FileListed("a/x y", 0), FileListed("b", 7)]


@pytest.mark.parametrize(
    "path", ["../x", "/etc/passwd", "a/../b", "..", ".", "", "a//b", "a/b", 7, None, ["a"]], ids=repr
)
def test_a_path_outside_of_its_folder_is_a_bad_answer(path: object) -> None:
    with pytest.raises(SourceError) as caught:
        folders({"": [file(path)]})
    assert caught.value.trouble == "bad-answer"


@pytest.mark.parametrize("size", [-1, "x", 1.5, True, "1" * 30, [], "\u0661"], ids=repr)
def test_a_size_that_is_none_is_a_bad_answer(size: object) -> None:
    with pytest.raises(SourceError) as caught:
        folders({"": [file("a", size)]})
    assert caught.value.trouble == "bad-answer"


def test_a_folder_in_itself_is_left_at_some_depth() -> None:
    deep = {"/".join("d" * n): [file("/".join("d" * (n + 1)), is_dir=True)] for n in range(100)}
    with pytest.raises(SourceError) as caught:
        folders(deep)
    assert caught.value.trouble == "too-large"


def test_folders_count_as_files_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifacts, "MAX_FILES", 100)

    def reply(_number: int, request: bytes) -> bytes:
        path = parse_qs(urlsplit(request.split(b" ")[1].decode()).query).get("path", [""])[0]
        names = [f"{path}/{name}".strip("/") for name in "ab"]
        return answer(json.dumps({"files": [file(name, is_dir=True) for name in names]}).encode())

    with hostile(reply) as server, Connection(settings(server.url)) as http:
        with pytest.raises(SourceError) as caught:
            Mlflow(http).run_files(RUN)
        assert caught.value.trouble == "too-large"
        assert len(server.requests) <= 64


@pytest.mark.parametrize(
    ("uri", "address"),
    [
        (f"mlflow-artifacts:/1/{RUN}/artifacts", rf"/api/2.0/mlflow-artifacts/artifacts/1/{RUN}/artifacts/f"),
        ("s3://bucket/1/artifacts", rf"/get-artifact\?run_uuid={RUN}&path=f"),
        ("file:///etc", rf"/get-artifact\?run_uuid={RUN}&path=f"),
        ("http://169.254.169.254/", rf"/get-artifact\?run_uuid={RUN}&path=f"),
        ("mlflow-artifacts://169.254.169.254/1/artifacts", rf"/get-artifact\?run_uuid={RUN}&path=f"),
        ("mlflow-artifacts:/1/../../2", rf"/get-artifact\?run_uuid={RUN}&path=f"),
        ("", rf"/get-artifact\?run_uuid={RUN}&path=f"),
    ],
)
def test_bytes_come_from_the_server_alone(uri: str, address: str) -> None:
    with hostile(answer(b"bytes")) as server, Connection(settings(server.url)) as http:
        opened = Mlflow(http).read_run_file(RUN, uri, "f")
        with opened as chunks:
            assert b"".join(chunks) == b"bytes"
    assert re.fullmatch(address, server.requests[0].split(b" ")[1].decode())


@pytest.mark.parametrize(
    "path",
    ["a#b", "a%20b", "a%2520b", "a;", "a?", "a\nb", "a\tb", "a\x1bb", "Model:1", "a\x7f", "b\udcff"],
    ids=repr,
)
def test_a_file_that_mlflow_takes_for_another_is_not_read(path: str) -> None:
    with hostile(answer(b"another's bytes")) as server, Connection(settings(server.url)) as http:
        with pytest.raises(SourceError) as caught, Mlflow(http).read_run_file(RUN, "s3://b", path):
            pass
        assert caught.value.trouble == "bad-answer"
        assert not server.requests
