"""The folder in which the web processes of one server put their meters together.

Owns: where it is and that it begins empty. To be made before any of them imports `prometheus_client`, which
reads the variable when it is imported; so this module is apart from `lineage.meters`.
"""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def make(home: Path, port: int) -> Path:
    """An empty folder for the server on `port` of this machine, and the variable set for its children."""
    folder = home / "metrics" / f"{socket.gethostname()}-{port}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    os.environ[VARIABLE] = str(folder)
    return folder
