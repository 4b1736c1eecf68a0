"""`lineage hash` on files of known formats, and against the manifests of other tools."""

from __future__ import annotations

import base64
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lineage.cli.main import run
from tests.unit.artifacts.formats.model_files import gguf_bytes

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "m.gguf"
    path.write_bytes(gguf_bytes(tmp_path))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "model"
    made.mkdir()
    (made / "m.gguf").write_bytes(gguf_bytes(tmp_path))
    (made / "tokens.txt").write_bytes(b"a b c")
    return made


def answer(captured: Captured) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(captured.readouterr().out)
    return found


def test_a_model_shows_its_digests(model: Path, capsys: Captured) -> None:
    assert run(["hash", str(model)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.rpartition(":")[0] for line in lines[3:]] == [
        "metadata", "tensors", "gguf-hash:sha256", "gguf-hash:sha1", "gguf-hash:uuid", "rest",
    ]  # fmt: skip
    assert lines[2].startswith("GGUF: version 3; architecture llama; tensors 2")


def test_json_has_all_parts(model: Path, capsys: Captured) -> None:
    assert run(["hash", str(model), "--json"]) == 0
    description = answer(capsys)["description"]
    assert description["format"] == "gguf"
    assert ["tensor", "token_embd.weight"] in [part[:2] for part in description["parts"]]


def test_bytes_alone_where_that_is_asked_for(model: Path, capsys: Captured) -> None:
    assert run(["hash", str(model), "--json", "--format", "file"]) == 0
    assert "description" not in answer(capsys)


def test_another_chat_template_is_told_though_llama_cpps_hash_is_the_same(
    model: Path, capsys: Captured
) -> None:
    ours, theirs = model.with_name("ours.json"), model.with_name("theirs.manifest")
    assert run(["hash", str(model), "--json"]) == 0
    ours.write_text(capsys.readouterr().out)
    assert run(["hash", str(model), "--format", "gguf", "--manifest", str(theirs)]) == 0
    model.write_bytes(gguf_bytes(model.parent, template="{{ evil }}"))
    capsys.readouterr()
    assert run(["hash", str(model), "--check", str(theirs)]) == 0
    captured = capsys.readouterr()
    assert captured.out == "same\n"
    assert "covers the tensors alone: no names, shapes, metadata or chat template" in captured.err
    assert run(["hash", str(model), "--check", str(ours)]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("m.gguf: expected ")
    assert said[1].startswith("m.gguf: the metadata key tokenizer.chat_template differs: expected sha256 ")


def test_llama_cpps_manifest_names_the_tensor(model: Path, capsys: Captured) -> None:
    manifest = model.with_name("manifest")
    assert run(["hash", str(model), "--format", "gguf", "--manifest", str(manifest)]) == 0
    content = bytearray(model.read_bytes())
    content[-1] ^= 1
    model.write_bytes(content)
    assert run(["hash", str(model), "--check", str(manifest), "--json"]) == 1
    capsys.readouterr()
    assert run(["hash", str(model), "--check", str(manifest)]) == 1
    assert capsys.readouterr().out.startswith("the tensor blk.0.attn_q.weight differs: expected sha256 ")
    manifest.write_text("xxh64     5a54d3aad816f302  m.gguf\n")
    assert run(["hash", str(model), "--check", str(manifest)]) == 2


def test_a_folder_is_told_file_by_file(folder: Path, capsys: Captured) -> None:
    assert run(["hash", str(folder)]) == 0
    assert "m.gguf: GGUF: version 3" in capsys.readouterr().out
    assert run(["hash", str(folder), "--json"]) == 0
    recorded = folder.with_name("recorded")
    recorded.write_text(capsys.readouterr().out)
    assert run(["hash", str(folder), "--check", str(recorded)]) == 0
    (folder / "m.gguf").write_bytes(
        gguf_bytes(folder.parent, tensors={"token_embd.weight": (8, 4), "x": (4, 4)})
    )
    capsys.readouterr()
    assert run(["hash", str(folder), "--check", str(recorded)]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[1:] == ["m.gguf: the tensor blk.0.attn_q.weight is now called x"]
    (folder / "m.gguf").write_bytes(b"GGUF" + b"\3\0\0\0")
    assert run(["hash", str(folder), "--check", str(recorded)]) == 1
    assert "m.gguf: it is malformed: The number of tensors needs" in capsys.readouterr().out


def test_an_unsafe_pickle_is_warned_of(tmp_path: Path, capsys: Captured) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.system, ("true",)

    path = tmp_path / "m.pkl"
    path.write_bytes(pickle.dumps(Evil()))
    assert run(["hash", str(path)]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("sha256:")
    assert "warning: loading m.pkl is unsafe: m.pkl imports posix.system (found by picklescan" in captured.err


def test_a_broken_file_is_hashed_all_the_same_but_not_taken_for_its_format(
    tmp_path: Path, capsys: Captured
) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(b"short")
    assert run(["hash", str(path)]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("sha256:")
    assert "m.safetensors is malformed: " in captured.err
    assert run(["hash", str(path), "--format", "safetensors"]) == 1
    assert run(["hash", str(path), "--format", "gguf"]) == 1


@pytest.mark.parametrize("options", [[], ["--shard-size", "8"]], ids=["files", "shards"])
def test_model_signing_is_written_and_checked(folder: Path, options: list[str], capsys: Captured) -> None:
    target = folder / "statement.json"
    assert run(["hash", str(folder), "--format", "model-signing", "--manifest", str(target), *options]) == 0
    assert capsys.readouterr().out.startswith("model-signing:")
    assert run(["hash", str(folder), "--check", str(target)]) == 0
    captured = capsys.readouterr()
    assert (captured.out, "signature was not looked at" in captured.err) == ("same\n", True)
    envelope = {
        "payloadType": "application/vnd.in-toto+json",
        "payload": base64.b64encode(target.read_bytes()).decode(),
    }
    signature = folder.with_name("model.sig")
    signature.write_text(json.dumps({"dsseEnvelope": {**envelope, "signatures": []}}))
    target.unlink()
    assert run(["hash", str(folder), "--check", str(signature)]) == 0
    (folder / "tokens.txt").write_bytes(b"a b d")
    (folder / "notes").write_bytes(b"x")
    capsys.readouterr()
    assert run(["hash", str(folder), "--check", str(signature), "--json", "--ignore", "notes"]) == 1
    (said,) = answer(capsys)["differences"]
    assert said.startswith("tokens.txt")
    assert "differs: expected " in said


def test_wrong_usage(folder: Path, model: Path) -> None:
    assert run(["hash", str(folder), "--format", "gguf"]) == 3
    assert run(["hash", str(model), "--shard-size", "8"]) == 3
    assert run(["hash", str(model), "--format", "none"]) == 3
    assert run(["hash", str(model), "--manifest", str(folder / "no" / "where")]) == 3
    assert run(["hash", str(model), "--check", str(folder / "no")]) == 2


def test_the_installed_command_in_a_folder_that_would_mislead_it(folder: Path) -> None:
    for name in ("fickling.py", "gguf.py", "picklescan.py"):
        (folder / name).write_text("raise SystemExit(99)")
    (folder / "m.pkl").write_bytes(pickle.dumps([1]))
    command = [str(Path(sys.executable).with_name("lineage")), "hash", "m.pkl"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "pickle (PyTorch, joblib, NumPy), or an archive: container pickle; pickles 1" in done.stdout
