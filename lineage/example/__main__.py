"""`python -m lineage.example [MLFLOW]`: run what has not been done yet of the example, against this
installation and the MLflow server with this address, which `lineage up` starts.
"""

from __future__ import annotations

import gc
import os
import sys

from lineage.config import current
from lineage.errors import LineageError
from lineage.example.desk import Desk
from lineage.example.steps import Example
from lineage.example.tracking import Tracking
from lineage.example.workshop import Workshop, log

QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}
"""For MLflow's client, here and in the training: it reports to nobody, and says no more than what matters."""


def main() -> int:
    config = current()
    host = "127.0.0.1" if config.host in {"0.0.0.0", "::"} else config.host  # noqa: S104 compared, not bound
    address = f"[{host}]" if ":" in host else host
    shop = Workshop(config.home / "example", f"http://{address}:{config.port}")
    gc.disable()  # it is soon over, and what it needs of MLflow is imported a fifth faster
    os.environ.update(QUIET)  # before a step that uses MLflow imports it, which reads its settings then
    try:
        desk = Desk(shop)
        Example(shop, desk, Tracking(shop, desk, "".join(sys.argv[1:2]))).run()
    except (LineageError, RuntimeError, OSError, ValueError) as error:
        log(f"stopped: {error}. The next start goes on from here.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
