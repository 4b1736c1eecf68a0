"""`mlflow server …` with its web server in this process: MLflow's own command starts another one for that.

What it takes seconds to import is so imported once; all else is as that command does it.
"""

from __future__ import annotations

import os
import sys
from typing import NoReturn


def _serve(command: list[str], *, extra_env: dict[str, str], **_how: object) -> NoReturn:
    """Instead of starting `command`, which is `python -m uvicorn …`, with these further variables."""
    import uvicorn.main

    os.environ.update(extra_env)
    uvicorn.main.main(command[command.index("uvicorn") + 1 :])
    raise AssertionError("uvicorn's command ends its process")


def main(arguments: list[str]) -> None:
    import mlflow.server
    from mlflow.cli import cli

    vars(mlflow.server)["_exec_cmd"] = _serve
    cli(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
