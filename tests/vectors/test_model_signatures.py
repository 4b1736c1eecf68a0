"""OpenSSF model signatures with their models: signature, certificate or identity, and every file."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from lineage.cli.verify import command

FAMILY = "model-signing"
APPLIES = {
    "test_verdict": lambda case: not case.get("file", "").startswith("payloads/"),
}
IGNORED = "ignore-me"
"""What the signers of these models left out."""


def asked(vectors: Path, case: dict[str, Any], scratch: Path) -> tuple[dict[str, Any], int]:
    """What `lineage verify model.sig --artifact MODEL` says, and its exit code."""
    source = (vectors / case["file"]).parent
    folder = scratch / "model"
    shutil.copytree(source, folder, copy_function=shutil.copyfile, ignore=shutil.ignore_patterns(IGNORED))
    folder.chmod(0o755)
    if "mutate" in case:
        file = folder / case["mutate"]
        file.write_bytes(bytes([file.read_bytes()[0] ^ 1]) + file.read_bytes()[1:])
    model = folder if case["model"].endswith("/") else folder / Path(case["model"]).name
    arguments = [str(folder / "model.sig"), "--artifact", str(model), "--json"]
    for key in case["keys"]:
        option = "--key" if "pub.pem" in key else "--trusted-root"
        arguments += [option, str(vectors / key)]
    arguments += ["--at", case.get("at") or "2026-01-01T00:00:00Z"]
    if "identity" in case:
        arguments += ["--identity", case["identity"]]
    answer = CliRunner().invoke(command, arguments)
    (told,) = json.loads(answer.stdout)
    return told, answer.exit_code


def test_verdict(vectors: Path, case: dict[str, Any], tmp_path: Path) -> None:
    """As whoever got the model would ask."""
    told, code = asked(vectors, case, tmp_path)
    assert told["outcome"] == case["expect"], told["reasons"]
    assert code == {"verified": 0, "refuted": 1}[case["expect"]]
    if "mutate" in case and not case["file"].startswith("v0.2.0"):
        assert any(Path(case["mutate"]).name in reason or "." in reason for reason in told["reasons"])
