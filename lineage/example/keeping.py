"""Where the example's files lie, that they are read again, and the one that is altered where it is served.

Owns: which files are copies, the re-verifications, the alteration. Does not own: making the files (`steps`).
"""

from __future__ import annotations

import json
from pathlib import Path

from lineage.artifacts.hashing import hash_file, hash_folder
from lineage.config import current
from lineage.example import weights
from lineage.example.desk import Desk
from lineage.example.project import THRESHOLD
from lineage.example.workshop import Said, Workshop, log

ALTERED = "0.05"
"""Who sets it on the serving machine has nearly every tumour called benign, and no weight has changed."""


class Keeping:
    """Copies of a workshop's files, known to Lineage where its storage roots cover them."""

    def __init__(self, shop: Workshop, desk: Desk) -> None:
        self._shop = shop
        self._desk = desk

    @property
    def covered(self) -> bool:
        """Whether Lineage may read the workshop's files; else there is nothing to be checked."""
        folders = (self._shop.path("store"), self._shop.path("serving"))
        return all(any(each.is_relative_to(root) for root in current().storage_roots) for each in folders)

    def add(self, path: Path, reason: str) -> Said:
        """Decide that a copy of what is at `path` now lies there."""
        if not self.covered:
            log(f"left out: {path} lies in none of LINEAGE_STORAGE_ROOTS")
            return {}
        artifact = f"dirHash:{hash_folder(path).dirhash}" if path.is_dir() else f"sha256:{hash_file(path)}"
        said = {"action": "add-location", "artifact": artifact, "location": path.as_uri(), "reason": reason}
        return {"key": artifact, **self._desk.decide(said)}

    def check_everything(self) -> Said:
        """Read every copy. A mismatch is a finding, and no failure of this."""
        told = self._shop.lineage("reverify", "--all", "--json", allowed=(0, 1))
        (job,) = json.loads(told)
        return self._desk.ended(job, "reading every copy")

    def alter(self, deployed: Path) -> Said:
        """Set the threshold in a deployed model, and nothing else; may be repeated."""
        weights.set_metadata(deployed, THRESHOLD, ALTERED)
        return {}

    def check(self, artifact: str) -> Said:
        """Verify one artifact's copies now, as an officer does on its page."""
        _, job = self._desk.call("POST", f"nodes/{artifact}/checks")
        return self._desk.ended(job, f"verifying {artifact}")
