"""Scripts that train, each a process of its own that has MLflow imported already, which takes it seconds.

`Scripts.run` is as `python script.py`: a fork of a process that has imported MLflow and nothing of ours runs
it as its main program, with its environment, folder and output.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.server import CHECKOUT

_PROGRAM = """
import json, os, signal, sys, warnings
warnings.simplefilter("ignore")
import mlflow.cli, mlflow.data, mlflow.pyfunc, mlflow.sklearn, numpy

def begin(script, folder, environment, out, err):
    signal.alarm(300)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for number, path in enumerate((out, err), 1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
    sys.argv, sys.path[0] = [script], folder
    warnings.resetwarnings()
    main = sys.modules["__main__"].__dict__
    main.clear()
    main.update(__name__="__main__", __file__=script)
    exec(compile(open(script).read(), script, "exec"), main)

for line in sys.stdin:
    child = os.fork()
    if not child:
        begin(**json.loads(line))
        break
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Scripts:
    """The process that is forked."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, script: Path, environment: Mapping[str, str]) -> tuple[int, str, str]:
        """Exit code, output and errors of a script that runs in its own folder."""
        out, err = script.with_name(".out"), script.with_name(".err")
        asked = {"script": str(script), "folder": str(script.parent), "out": str(out), "err": str(err)}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps({**asked, "environment": dict(environment)}), file=self._process.stdin, flush=True)
        code = int(self._process.stdout.readline())
        return code, out.read_text(), err.read_text()


@contextmanager
def scripts(environment: Mapping[str, str]) -> Iterator[Scripts]:
    """`environment`: what MLflow may read while it is imported."""
    with subprocess.Popen(
        [sys.executable, "-c", _PROGRAM],
        env=dict(environment),
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Scripts(process)
        assert process.stdin is not None
        process.stdin.close()
