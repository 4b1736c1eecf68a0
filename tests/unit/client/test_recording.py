"""A recorded run: what stands in its statement, and that it never stands in the way."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from lineage.artifacts.hashing import hash_folder
from lineage.client import write_key_pair
from lineage.client.recording import record_run
from lineage.client.run_statement import MAX_LISTED_BYTES, identity_of
from lineage.errors import InconclusiveError, LineageError, MalformedError
from lineage.predicates import describe, project
from lineage.trust import dsse
from lineage.trust.keys import generate_ed25519
from lineage.trust.statement import parse
from tests.unit.client.http_script import Script, scripted

KEY = generate_ed25519()
MACHINE = "ab" * 32


@pytest.fixture
def script() -> Iterator[Script]:
    with scripted() as running:
        yield running


@pytest.fixture(autouse=True)
def room(tmp_path: Path, script: Script, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("LINEAGE_BUILDER", "LINEAGE_HARDWARE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LINEAGE_URL", script.url)
    monkeypatch.setenv("LINEAGE_TOKEN", "lin_x_y")
    monkeypatch.setenv("LINEAGE_SPOOL", str(tmp_path / "spool"))
    write_key_pair(KEY, tmp_path / "k.pem")
    monkeypatch.setenv("LINEAGE_KEY", str(tmp_path / "k.pem"))
    (tmp_path / "train.csv").write_text("a\n1\n")
    return tmp_path


def said(script: Script) -> dict[str, Any]:
    """The one statement that came, which is judged as a server would."""
    (envelope,) = script.bodies
    payload = base64.b64decode(json.loads(envelope)["payload"])
    statement = parse(dsse.INTOTO_PAYLOAD_TYPE, payload)
    project(statement, KEY.public.key_id)
    assert describe(statement)
    found: dict[str, Any] = json.loads(payload)
    return found


def test_inputs_and_outputs_are_hashed_when_they_are_said(script: Script, room: Path) -> None:
    with record_run(name="churn", invocation="4711", builder="https://ci.example/churn", key=KEY) as run:
        run.used("train.csv")
        (room / "train.csv").write_text("changed\n")
        (room / "model").mkdir()
        (room / "model/weights.bin").write_bytes(b"w")
        run.made("model", name="churn-1")
        run.parameters |= {"rate": 0.1, "stop": float("inf"), "where": room}
    statement = said(script)
    (subject,) = statement["subject"]
    assert subject["name"] == "churn-1"
    assert subject["digest"] == {"dirHash": hash_folder("model").dirhash}
    assert subject["annotations"]["role"] == "model"
    assert subject["annotations"]["files"] == {"weights.bin": sha256(b"w").hexdigest()}
    predicate = statement["predicate"]
    assert predicate["builder"] == {"id": "https://ci.example/churn"}
    assert (predicate["invocationId"], predicate["status"]) == ("4711", "FINISHED")
    assert predicate["inputs"][0]["digest"] == {"sha256": sha256(b"a\n1\n").hexdigest()}
    assert predicate["parameters"] == {"rate": 0.1, "stop": "Infinity", "where": str(room)}


def test_an_exception_passes_and_the_run_is_signed_as_failed(script: Script) -> None:
    with pytest.raises(ZeroDivisionError), record_run(name="churn"):
        raise ZeroDivisionError
    statement = said(script)
    assert statement["predicate"]["status"] == "FAILED"
    assert statement["subject"][0]["annotations"] == {"role": "report"}
    assert statement["subject"][0]["digest"] == statement["predicate"]["record"]


def test_what_cannot_be_hashed_is_a_gap_and_one_warning(
    script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    with record_run(name="churn") as run:
        assert run.used("missing.csv") == {}
        assert run.made("missing.bin") == {}
        assert run.made("https://example.org/model") == {}
        run.used("train.csv", role="no-such-role")
    inputs = said(script)["predicate"]["inputs"]
    assert [each["name"] for each in inputs[:2]] == ["missing.csv", "train.csv"]
    assert not any("digest" in each for each in inputs[:2])
    # On a slow machine another part of the client says that it is still looking at it.
    assert len([each for each in caplog.records if each.name == "lineage.client.told"]) == 4


def test_told_to_fail_closed_it_raises_at_once(script: Script) -> None:
    with pytest.raises(MalformedError), record_run(name="churn", fail_closed=True) as run:
        run.used("missing.csv")
    with pytest.raises(InconclusiveError), record_run(name="churn", fail_closed=True) as run:
        run.made(Path("missing.bin"))


def test_told_to_fail_closed_it_raises_without_a_receipt(monkeypatch: pytest.MonkeyPatch, room: Path) -> None:
    monkeypatch.setattr("lineage.client.recording.FAIL_CLOSED_SECONDS", 2.0)
    with (
        pytest.raises(LineageError, match="has not got the statement"),
        record_run(name="churn", fail_closed=True, url="http://127.0.0.1:9"),
    ):
        pass
    assert len(list(room.glob("spool/*/*.json"))) == 1


@pytest.mark.parametrize("name", ["LINEAGE_KEY", "LINEAGE_URL", "LINEAGE_SPOOL"])
def test_a_wrong_setting_is_one_warning(
    name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(name, "/dev/null/nowhere")
    with record_run(name="churn") as run:
        run.used("train.csv")
    (record,) = caplog.records
    assert "Nothing will be signed" in record.message
    with pytest.raises(LineageError), record_run(name="churn", fail_closed=True):
        raise AssertionError("the block must not begin")


def test_a_machine_with_an_identity_is_named_by_it(script: Script) -> None:
    with record_run(name="churn", hardware=f"hw:{MACHINE}"):
        pass
    (machine,) = said(script)["predicate"]["hardware"]
    assert machine["digest"] == {"sha256": MACHINE}
    assert [identity_of(each) for each in (f"hw:{MACHINE}", MACHINE.upper(), "gpu-17", "")] == [
        MACHINE,
        MACHINE,
        "",
        "",
    ]


def test_a_folder_of_many_files_still_fits(script: Script, room: Path) -> None:
    (room / "many").mkdir()
    for number in range(MAX_LISTED_BYTES // 80 // 2):
        (room / "many" / f"{number:0100d}").touch()
    with record_run(name="churn") as run:
        run.used("many")
        run.made("many")
        run.made("train.csv", role="dataset")
    statement = said(script)
    digest = hash_folder("many").dirhash
    assert statement["subject"][0]["annotations"] == {"role": "model", "manifest": {"sha256": digest}}
    assert "files" not in statement["predicate"]["inputs"][0]["annotations"]


def test_neither_django_nor_mlflow_is_needed() -> None:
    program = (
        "import sys; sys.modules['django'] = None; sys.modules['mlflow'] = None\n"
        "import lineage.client.recording, lineage.client.mlflow as lm, lineage.cli.send_spooled\n"
        "lm.autosign(); lm.used('x'); lm.made('x'); lm.from_scratch(); assert lm.flush() == 0\n"
    )
    environment = {"PYTHONPATH": str(Path(__file__).resolve().parents[3]), "LINEAGE_MLFLOW_SOURCE": "lab"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("will not be signed") == 1
