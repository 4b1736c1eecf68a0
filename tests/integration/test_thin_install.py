"""What a pipeline installs: the wheel without the server, in an empty folder, with an empty environment."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent.parent
PREDICATE = "https://example.org/report/v1"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, built from a copy, since building in the checkout would leave folders there.

    By what this environment has of the same lock file as a builder's: setuptools and wheel.
    """
    room = tmp_path_factory.mktemp("build")
    source = room / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(CHECKOUT / name, source)
    for name in ("lineage", "api", "workers"):
        shutil.copytree(CHECKOUT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    alone = ("--no-deps", "--no-build-isolation")
    pip(Path(sys.executable), "wheel", *alone, "--wheel-dir", str(room), str(source))
    (made,) = room.glob("lineage-*.whl")
    return made


@pytest.fixture(scope="module")
def thin(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Path:
    """The `bin` folder of an environment with the wheel and the client's locked requirements alone."""
    folder = tmp_path_factory.mktemp("thin") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin/python"
    pip(python, "install", "--require-hashes", "-r", str(CHECKOUT / "requirements/client.txt"))
    pip(python, "install", "--no-deps", str(wheel))
    return python.parent


def pip(python: Path, *arguments: str) -> None:
    """Run this interpreter's pip for another environment, which needs none of its own."""
    ours = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*ours, "--python", str(python), *arguments], check=True)


@pytest.fixture
def room(tmp_path: Path, thin: Path) -> Path:
    """An empty folder but for a file, a predicate and a key pair that the installed command made."""
    (tmp_path / "model.bin").write_bytes(b"weights")
    (tmp_path / "predicate.json").write_text("{}")
    call(thin, tmp_path, "keys", "generate", "--out", "k.pem")
    return tmp_path


def call(thin: Path, room: Path, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the installed command; `env={}` is what `env -i` gives."""
    done = subprocess.run(
        [str(thin / "lineage"), *arguments], cwd=room, env={}, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    return done


def test_django_is_not_there(thin: Path, room: Path) -> None:
    found = subprocess.run(
        [str(thin / "python"), "-c", "import importlib.util as u; print(u.find_spec('django'))"],
        cwd=room,
        env={},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout == "None\n"


def test_attest_and_verify_work(thin: Path, room: Path) -> None:
    sign = [
        "attest",
        "--subject",
        "model.bin",
        "--predicate-type",
        PREDICATE,
        "--predicate",
        "predicate.json",
    ]
    call(thin, room, *sign, "--key", "k.pem", "--out", "e.json")
    verify = ["verify", "e.json", "--key", "k.pem.pub", "--artifact", "model.bin", "--json"]
    (found,) = json.loads(call(thin, room, *verify).stdout)
    assert (found["outcome"], found["facts"]["predicate_type"]) == ("verified", PREDICATE)
    (room / "model.bin").write_bytes(b"other")
    call(thin, room, *verify, code=1)


def test_every_predicate_type_that_lists_materials_is_known(thin: Path, room: Path) -> None:
    sign = ["attest", "--subject", "model.bin", "--predicate", "predicate.json", "--key", "k.pem"]
    link = "https://in-toto.io/attestation/link/v0.3"
    call(thin, room, *sign, "--material", "predicate.json", "--predicate-type", link, "--out", "e.json")


def test_hash_works(thin: Path, room: Path) -> None:
    assert call(thin, room, "hash", "model.bin").stdout.startswith("sha256:")
    assert call(thin, room, "hash", ".").stdout.startswith("dirHash:")


@pytest.mark.parametrize(
    "arguments", [["up"], ["keys", "list"], ["users", "create", "a@example.org", "--role", "auditor"]]
)
def test_what_needs_the_server_says_so_in_one_line(thin: Path, room: Path, arguments: list[str]) -> None:
    done = call(thin, room, *arguments, code=3)
    assert len(done.stderr.splitlines()) == 1
    assert "lineage[server]" in done.stderr


def test_the_doctor_says_what_is_installed(thin: Path, room: Path) -> None:
    assert "Only the client is installed" in call(thin, room, "doctor", code=1).stdout


def test_starting_is_reported(thin: Path, room: Path, record_property: object) -> None:
    """A figure for the reader, not a gate: machines differ."""
    assert callable(record_property)
    for arguments in (["--version"], ["hash", "model.bin"]):
        started = time.perf_counter()
        call(thin, room, *arguments)
        record_property(f"seconds of lineage {arguments[0]}", round(time.perf_counter() - started, 3))
