"""Which code runs: the script's own bytes, the git commit, and whether anything was not committed.

Owns: asking git, within a time limit, without writing to the repository. Does not own: where the facts stand
in a statement (`run_statement`).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import msgspec

from lineage.artifacts.hashing import hash_file
from lineage.client.programs import answer, answer_sha256
from lineage.errors import InconclusiveError
from lineage.mlflow import masking

SECONDS = 5.0
"""For each question to git; a repository that is slower is left unsaid."""

_GIT = ("git", "-c", "core.fsmonitor=false", "--no-pager")
_ENVIRONMENT = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}


class CodeFacts(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """What is known of the code; what could not be found out is left empty.

    Attributes:
        script: path of the script, in its repository where it lies in one.
        sha256: of the script's bytes.
        commit: the commit that is checked out.
        repository: address of the remote `origin`, without passwords.
        dirty: whether a tracked file differs from the commit, or the script isn't tracked.
        diff_sha256: of `git diff HEAD --binary`, where that says anything.
    """

    script: str = ""
    sha256: str = ""
    commit: str = ""
    repository: str = ""
    dirty: bool | None = None
    diff_sha256: str = ""

    def to_json(self) -> dict[str, Any]:
        """As members of a statement."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found


def code_facts(script: str | os.PathLike[str] | None = None) -> CodeFacts:
    """Facts of `script` (default: the one that this process was started with) and its repository."""
    path = _script(script)
    folder = path.parent if path else Path.cwd()
    said = ""
    if path is not None:
        try:
            said = hash_file(path)
        except InconclusiveError:
            path = None
    top = _git(folder, "rev-parse", "--show-toplevel")
    commit = _git(folder, "rev-parse", "HEAD") if top else None
    name = path.name if path else ""
    if path and top and path.is_relative_to(top):
        name = path.relative_to(top).as_posix()
    if not top or not commit:
        return CodeFacts(script=name, sha256=said)
    dirty, diff = _edits(Path(top), path)
    return CodeFacts(
        script=name,
        sha256=said,
        commit=commit,
        repository=masking.url(_git(folder, "config", "--get", "remote.origin.url") or ""),
        dirty=dirty,
        diff_sha256=diff,
    )


def _edits(top: Path, script: Path | None) -> tuple[bool | None, str]:
    changed = _git(top, "status", "--porcelain", "--untracked-files=no")
    if changed is None:
        return None, ""
    untracked = script is not None and _git(top, "ls-files", "--error-unmatch", "--", str(script)) is None
    if not changed:
        return untracked, ""
    command = [*_GIT, "diff", "HEAD", "--binary", "--no-ext-diff", "--no-textconv", "--no-color"]
    return True, answer_sha256(command, seconds=SECONDS, folder=str(top), env=_ENVIRONMENT) or ""


def _git(folder: Path, *arguments: str) -> str | None:
    return answer([*_GIT, *arguments], seconds=SECONDS, folder=str(folder), env=_ENVIRONMENT)


def _script(said: str | os.PathLike[str] | None) -> Path | None:
    """The script's path; None for `python -c`, an interactive session or a notebook."""
    if said is None:
        main = sys.modules.get("__main__")
        said = getattr(main, "__file__", None)
    if not said:
        return None
    path = Path(os.path.abspath(said))
    return path if path.is_file() else None
