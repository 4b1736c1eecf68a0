"""A log whose keys changed is backed up and restored: each checkpoint by the key of its time."""

from __future__ import annotations

from pathlib import Path

from lineage.trust.keys import generate_ed25519
from tests.integration.backups import Installation

CHANGES = """
from lineage.services import own_keys, publish
from tests import factories
publish.publish_once()
own_keys.rotate("log", person="p", overlap_us=0)
publish.publish_once()
factories.registered()
publish.publish_once()
for role in ("platform", "reverifier", "log"):
    own_keys.rotate(role, person="p", overlap_us=0)
    publish.publish_once()
"""
GOES_ON = """
from lineage.services import publish
from tests import factories
before = publish.published_size()
factories.registered()
assert publish.publish_once().size > before
"""


def test_checkpoints_of_several_keys_are_restored(tmp_path: Path) -> None:
    old, new = (Installation(tmp_path / name) for name in ("old", "new"))
    new.tables()
    old.run(CHANGES)
    archive = tmp_path / "archive"
    written = old.lineage("backup", str(archive))
    restored = new.lineage("restore", str(archive))
    assert restored["verifier_key"] == written["verifier_key"]
    assert restored["published"] == written["entries"] == 6
    keys = [each.lineage("log", "key", "--all")["keys"] for each in (old, new)]
    assert keys[0] == keys[1]
    assert [each["since"] for each in keys[0]] == [5, 1, 0]
    new.run(GOES_ON)


REPLACED_MEANWHILE = """
from pathlib import Path
from lineage.errors import UnavailableError
from lineage.services import backup, own_keys

for role, with_keys in (("platform", False), ("collector", True)):
    path, replaced = Path(f"{role}.archive"), []

    def report(done: int, total: int) -> None:
        if not replaced:
            replaced.append(own_keys.rotate(role, person="p", overlap_us=0))

    try:
        backup.write(path, with_keys=with_keys, report=report)
    except UnavailableError as error:
        assert f"The {role} key of the platform was replaced" in error.message, error.message
    else:
        raise AssertionError("an archive that no restore would take")
    assert not path.exists()
backup.write(Path("archive"), with_keys=True, report=lambda done, total: None)
"""


def test_no_archive_has_the_keys_of_another_time_than_its_log(tmp_path: Path) -> None:
    old, new = (Installation(tmp_path / name) for name in ("old", "new"))
    new.tables()
    old.run(REPLACED_MEANWHILE)
    (archive,) = tmp_path.rglob("archive")
    assert new.lineage("restore", str(archive))["entries"] == 3


def test_keys_of_another_time_are_refused_with_the_restored_log(tmp_path: Path) -> None:
    """The archive has no keys, and those in the folder are newer than its log."""
    old, new = (Installation(tmp_path / name) for name in ("old", "new"))
    new.tables()
    old.run("")
    archive = tmp_path / "archive"
    old.lineage("backup", str(archive), "--without-keys")
    (new.home / "keys").mkdir(mode=0o700)
    for path in (old.home / "keys").glob("*.pem"):
        (new.home / "keys" / path.name).write_bytes(path.read_bytes())
        (new.home / "keys" / path.name).chmod(0o600)
    (new.home / "keys" / "collector.pem").write_bytes(generate_ed25519().to_pem())
    assert "collector key" in new.lineage("restore", str(archive), code=1)
