"""`lineage export`: a model's lineage as a file from the command line, whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lineage.cli import export as command
from lineage.cli.main import run
from lineage.errors import ConflictError
from lineage.services import as_of, export_closure, exports
from tests import factories
from tests.factories import artifact, provenance
from tests.integration.projections import key_of, send

MODEL = key_of("model")


@pytest.fixture
def made(graph: Callable[[], int]) -> int:
    """A model made from a dataset; the tree size then. Later a config is named too."""
    who = factories.registered()
    send(who, provenance([artifact("model")], [artifact("data")], invocation="run"))
    size = graph()
    send(who, provenance([artifact("model")], [artifact("config")], invocation="run"))
    return size


def whole(name: str, moment: str | None = None) -> bytes:
    return b"".join(exports.find(name).write(exports.gather(MODEL, as_of.resolve(moment))))


def test_the_formats_are_those_of_the_service() -> None:
    assert tuple(each.name for each in exports.FORMATS) == command.FORMATS


@pytest.mark.parametrize("name", command.FORMATS)
def test_each_format_is_the_same_file_as_by_rest(made: int, name: str, tmp_path: Path) -> None:
    file = tmp_path / "lineage.out"
    arguments = ["export", MODEL, "--format", name, "--as-of", str(made)]
    assert run([*arguments, "--output", str(file)]) == 0
    assert file.read_bytes() == whole(name, str(made))
    assert [each.name for each in tmp_path.iterdir()] == ["lineage.out"]


def test_without_a_file_it_goes_to_standard_output_as_of_now(
    made: int, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert run(["export", MODEL]) == 0
    said = capfdbinary.readouterr()
    told: dict[str, Any] = json.loads(said.out)
    assert {node["name"] for node in told["nodes"]} >= {
        "model",
        "data",
        "config",
    }  # it followed the log first
    assert told["graph_at"] == told["tree_size"] == made + 1
    assert b"as believed with" in said.err
    assert run(["export", MODEL, "--as-of", str(made)]) == 0
    assert b"config" not in capfdbinary.readouterr().out


def test_no_file_is_overwritten(made: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, dangling = tmp_path / "there.json", tmp_path / "link.json"
    file.write_text("another's")
    dangling.symlink_to(tmp_path / "nowhere")
    for output in (file, dangling):
        assert run(["export", MODEL, "-o", str(output)]) == 1
        assert "is there already" in capsys.readouterr().err
    assert file.read_text() == "another's"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["link.json", "there.json"]


def test_nothing_is_left_of_what_could_not_be_written(
    made: int, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(["export", MODEL, "-o", str(tmp_path / "no" / "folder.json")]) == 1
    assert "can't be written" in capsys.readouterr().err
    monkeypatch.setattr(export_closure, "MAX_NODES", 2)
    assert run(["export", MODEL, "-o", str(tmp_path / "much.json")]) == 1
    assert "holds 2 nodes" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_who_came_while_it_was_written_stays(made: int, tmp_path: Path) -> None:
    """Another makes the file between the first look and the end."""
    file = tmp_path / "late.json"

    def pieces() -> Any:
        yield b"{"
        file.write_text("another's")
        yield b"}"

    with pytest.raises(ConflictError):
        command._written(file, pieces())
    assert file.read_text() == "another's"
    assert [each.name for each in tmp_path.iterdir()] == ["late.json"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 3, "Missing argument"),
        ([MODEL, "--format", "pdf"], 3, "pdf"),
        ([MODEL, "--as-of", "never"], 3, "neither a tree size"),
        ([MODEL, "--as-of", "999999"], 3, "there is no tree of size"),
        ([MODEL, "--as-of", "1"], 1, "is known with the first 1 entries"),
        (["sha256:" + "0" * 64], 1, "No node"),
        (["rubbish"], 1, "No node"),
    ],
)
def test_exit_codes(
    made: int, arguments: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["export", *arguments]) == code
    assert words in capsys.readouterr().err


def test_a_run_is_no_bill_of_materials(made: int, capsys: pytest.CaptureFixture[str]) -> None:
    told = export_closure.gather(MODEL, as_of.resolve(str(made)))
    (a_run,) = (node.key for node in told.nodes if node.kind == "run")
    assert run(["export", a_run, "--format", "spdx"]) == 1
    assert "artifact" in capsys.readouterr().err
