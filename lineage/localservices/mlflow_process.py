"""`mlflow server …` with its web server in this process: MLflow's own command starts another one for that.

What it takes seconds to import is so imported once, and without looking for garbage meanwhile, which takes a
quarter of them; all else is as that command does it.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
from typing import NoReturn


def _serve(command: list[str], *, extra_env: dict[str, str], **_how: object) -> NoReturn:
    """Instead of starting `command`, which is `python -m uvicorn …`, with these further variables."""
    os.environ.update(extra_env)
    import uvicorn.main

    importlib.import_module(command[-1].partition(":")[0])  # the application, which reads its settings
    gc.freeze()  # what has been loaded stays
    gc.enable()
    uvicorn.main.main(command[command.index("uvicorn") + 1 :])
    raise AssertionError("uvicorn's command ends its process")


def main(arguments: list[str]) -> None:
    gc.disable()
    import mlflow.server
    from mlflow.cli import cli

    vars(mlflow.server)["_exec_cmd"] = _serve
    cli(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
