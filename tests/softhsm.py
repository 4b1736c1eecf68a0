"""A software token for tests: SoftHSM with a configuration and a store of its own."""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.services import unavailable

PIN = "correct-horse"
LIBRARIES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/*/softhsm/libsofthsm2.so")


@dataclass(frozen=True)
class SoftToken:
    """A token with a user PIN. `environment` is what a process needs to see it."""

    folder: Path
    module: str
    label: str = "lineage tests"

    @property
    def environment(self) -> dict[str, str]:
        return {"SOFTHSM2_CONF": str(self.folder / "softhsm2.conf")}

    @property
    def pin_file(self) -> Path:
        return self.folder / "pin"

    def uri(self, query: str = "", path: str = "") -> str:
        """As LINEAGE_KEYS; the PIN comes from its file."""
        label = self.label.replace(" ", "%20")
        return f"pkcs11:token={label}{path}?module-path={self.module}&pin-source=file:{self.pin_file}{query}"


def make(folder: Path, *, without: str = "") -> SoftToken:
    """A new token; `without` names mechanisms that it is not to have, such as `CKM_EDDSA`."""
    found = [path for pattern in LIBRARIES for path in glob.glob(pattern)]
    program = shutil.which("softhsm2-util")
    if not found or program is None:
        unavailable("SoftHSM is not installed (Debian: softhsm2)")
    folder.mkdir(parents=True)
    (folder / "tokens").mkdir()
    lines = [f"directories.tokendir = {folder / 'tokens'}", "objectstore.backend = file", "log.level = ERROR"]
    lines += [f"slots.mechanisms = -{without}"] if without else []
    (folder / "softhsm2.conf").write_text("\n".join(lines) + "\n")
    token = SoftToken(folder, found[0])
    token.pin_file.write_text(f"{PIN}\n")
    token.pin_file.chmod(0o600)
    subprocess.run(
        [
            program or "",
            "--init-token",
            "--free",
            "--label",
            token.label,
            "--pin",
            PIN,
            "--so-pin",
            "so-secret",
        ],
        env={**os.environ, **token.environment},
        check=True,
        capture_output=True,
        timeout=60,
    )
    return token


@contextmanager
def seen(token: SoftToken) -> Iterator[None]:
    """This process sees the token in the block. One process sees one configuration of SoftHSM at a time."""
    import pkcs11

    from lineage.services import token_session

    before = os.environ.get("SOFTHSM2_CONF")
    os.environ.update(token.environment)
    try:
        yield
    finally:
        token_session._sessions.clear()
        pkcs11.lib(token.module).finalize()
        os.environ.pop("SOFTHSM2_CONF")
        if before is not None:
            os.environ["SOFTHSM2_CONF"] = before
