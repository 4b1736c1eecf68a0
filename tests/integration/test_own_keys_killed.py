"""A change of the platform's keys that is killed between any two writes: the next start goes on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lineage.trust.keys import generate_ed25519
from tests.integration.backups import Installation

DIE = """
import itertools, os, signal
from lineage.services import append, key_files, own_keys
def die(*_a, **_k):
    os.kill(os.getpid(), signal.SIGKILL)
def at(module, name, count=1):
    # Killed before the call with this number, so after everything that comes before it.
    real, calls = getattr(module, name), itertools.count(1)
    def called(*a, **k):
        return die() if next(calls) == count else real(*a, **k)
    setattr(module, name, called)
"""
POINTS = {
    "before the key is kept": "at(key_files, 'write_new')",
    "half of the key is written": "at(os, 'link')",
    "before the log has it": "at(append, 'append')",
    "after the log has it": "at(own_keys, '_settle')",
    "before the old key is moved": "at(os, 'replace')",
    "between the old key and the new": "at(os, 'replace', 2)",
    "after the names": "at(key_files, '_sync')",
}
NEXT = ("before the key is kept", "half of the key is written")
"""Points at which there is no next key yet."""
WORKS = """
from lineage.config import current
from lineage.services import bootstrap, intake, keyring, observe, own_keys, platform_keys, publish
from lineage.services.append import append, raise_first
from tests import factories
def check(role, changes):
    for each, key in platform_keys.load().by_role().items():
        assert keyring.current().holder(each) == key.public
        text = (current().keys / f"{each}.pem").read_bytes()
        assert platform_keys.key_files.parse(text, each).public == key.public
        assert each != role or not changes or not (current().keys / f"{each}.next.pem").exists()
    intake.submit(factories.registered().envelope(factories.statement()), token="t")
    for each in ("collector", "reverifier"):
        digest = f"sha256:{factories.sha256(each)}"
        raise_first(append([observe.prepare(each, "urn:lineage:predicate:check:v1", [digest], {"rows": []})]))
    assert publish.publish_once() is not None
    assert [r.role for r in keyring.current().own.values()].count(role) == 1 + changes
check(ROLE, DONE)
AGAIN
bootstrap.ensure()
check(ROLE, ALL)
"""


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of an installation with a root, which each test copies."""
    home = tmp_path_factory.mktemp("begun") / "home"
    home.mkdir()
    root = generate_ed25519()
    (home / "root.pem").write_bytes(root.to_pem())
    (home / "root.pem").chmod(0o600)
    (home / "root.pub").write_bytes(root.public.pem())
    new = Installation(home)
    new.run("from lineage.services import publish; publish.publish_once()")
    new.lineage("keys", "root", "--public-key", str(home / "root.pub"))
    new.lineage("keys", "prepare", "platform", "--out", str(home / "next.pub"))
    new.lineage(
        *("keys", "replacement", "--role", "platform", "--new-public-key", str(home / "next.pub")),
        *(
            "--root-key",
            str(home / "root.pem"),
            "--out",
            str(home / "word"),
            "--from",
            "now",
            "--reason",
            "r",
        ),
    )
    return home


@pytest.fixture
def copied(begun: Path, tmp_path: Path) -> Installation:
    shutil.copytree(begun, tmp_path / "home")
    return Installation(tmp_path / "home")


def killed(installation: Installation, program: str) -> None:
    process = installation.start("-c", "import django; django.setup()\n" + program)
    out, err = process.communicate(timeout=60)
    assert process.returncode == -9, out + err


def works(installation: Installation, role: str, done: int, again: str, changes: int) -> None:
    """Start anew, look at everything, do it again, and look once more."""
    values = {"ROLE": repr(role), "DONE": str(done), "AGAIN": again, "ALL": str(changes)}
    program = WORKS
    for name, value in values.items():
        program = program.replace(name, value)
    installation.run(program)


@pytest.mark.parametrize(
    ("role", "point"),
    [("platform", point) for point in POINTS] + [("log", "between the old key and the new")],
)
def test_a_rotation_that_was_killed_goes_on_at_the_next_start(
    role: str, point: str, copied: Installation
) -> None:
    if point in NEXT:  # one that waits already would be taken
        (copied.home / "keys" / "platform.next.pem").unlink()
    act = f"own_keys.rotate({role!r}, person='p')"
    killed(copied, f"{DIE}{POINTS[point]}\n{act}")
    logged = int(list(POINTS).index(point) >= list(POINTS).index("after the log has it"))
    works(copied, role, logged, act, 1 + logged)


@pytest.mark.parametrize("point", [point for point in POINTS if point not in NEXT])
def test_a_replacement_that_was_killed_goes_on_at_the_next_start(point: str, copied: Installation) -> None:
    act = f"own_keys.replace(open({str(copied.home / 'word')!r}, 'rb').read())"
    killed(copied, f"{DIE}{POINTS[point]}\n{act}")
    logged = int(point != "before the log has it")
    works(copied, "platform", logged, act, 1)
